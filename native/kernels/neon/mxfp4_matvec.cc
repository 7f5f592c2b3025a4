// MXFP4 rows times 8-bit vectors, on the file's own bytes: 16 bytes are a block. Rows go together that share the
// activations' registers, and keep several streams of memory in flight.

#include "int8.h"

namespace gptoss {
namespace {

/// One block of activations, in the order of the weights' nibbles.
struct Block {
  int8_t values[kBlockCols];  // 16 even columns, 16 odd ones
  float scale;                // halved, because the weights' values are doubled
};

size_t activation_bytes(size_t cols) { return (cols / kBlockCols * sizeof(Block) + 63) / 64 * 64; }

void prepare(const float* x, size_t first, size_t last, size_t, void* activation) {
  for (size_t k = first; k < last; k += kBlockCols) {
    Block* block = (Block*)activation + k / kBlockCols;
    int8_t values[kBlockCols];
    block->scale = 0.5f * quantize_activations(x + k, kBlockCols, values);
    split_columns(values, block->values);
  }
}

template <size_t R, size_t V>
void multiply_rows(const Mxfp4& weights, size_t row, const void* const* activations, const float* bias,
                   float* const* out) {
  const size_t blocks = weights.cols / kBlockCols;
  const uint8_t* bytes = weights.blocks + row * blocks * 16;
  const uint8_t* scales = weights.scales + row * blocks;
  float32x4_t acc[R][V];
  for (size_t r = 0; r < R; r++)
    for (size_t v = 0; v < V; v++) acc[r][v] = vdupq_n_f32(0);
  for (size_t b = 0; b < blocks; b++) {
    for (size_t r = 0; r < R; r++) {
      const uint8_t* at = bytes + (r * blocks + b) * 16;
      if (b % 4 == 0) __builtin_prefetch(at + R * blocks * 16);
      const uint8x16_t nibbles = vld1q_u8(at);
      const int8x16_t even = low_nibbles(nibbles), odd = high_nibbles(nibbles);
      const float scale = exponent_scale(scales[r * blocks + b]);
      for (size_t v = 0; v < V; v++) {
        const Block& x = ((const Block*)activations[v])[b];
        int32x4_t sum = vdotq_s32(vdupq_n_s32(0), even, vld1q_s8(x.values));
        sum = vdotq_s32(sum, odd, vld1q_s8(x.values + 16));
        acc[r][v] = vfmaq_n_f32(acc[r][v], vcvtq_f32_s32(sum), scale * x.scale);
      }
    }
  }
  for (size_t r = 0; r < R; r++)
    for (size_t v = 0; v < V; v++) out[v][row + r] = vaddvq_f32(acc[r][v]) + (bias ? bias[row + r] : 0.0f);
}

template <size_t V>
void rows(const Mxfp4& weights, size_t first, size_t last, const void* const* activations, const float* bias,
          float* const* out) {
  constexpr size_t kTogether = V <= 2 ? 4 : 2;
  size_t row = first;
  for (; row + kTogether <= last; row += kTogether) multiply_rows<kTogether, V>(weights, row, activations, bias, out);
  for (; row < last; row++) multiply_rows<1, V>(weights, row, activations, bias, out);
}

void run(const Mxfp4& weights, size_t first, size_t last, const void* const* activations, size_t vectors,
         const float* bias, float* const* out) {
  switch (vectors) {
    case 1: return rows<1>(weights, first, last, activations, bias, out);
    case 2: return rows<2>(weights, first, last, activations, bias, out);
    case 3: return rows<3>(weights, first, last, activations, bias, out);
    case 4: return rows<4>(weights, first, last, activations, bias, out);
    case 5: return rows<5>(weights, first, last, activations, bias, out);
    case 6: return rows<6>(weights, first, last, activations, bias, out);
    case 7: return rows<7>(weights, first, last, activations, bias, out);
    default: return rows<8>(weights, first, last, activations, bias, out);
  }
}

}  // namespace

extern const Matvec<Mxfp4> kNeonMatvecMxfp4 = {1, activation_bytes, kBlockCols, prepare, run};

}  // namespace gptoss
