// 8-bit panels of 16 rows times 8-bit vectors: a lane is a row, so nothing is summed across lanes.

#include "int8.h"

namespace gptoss {
namespace {

template <size_t V>
void multiply_panel(const Dense8& weights, size_t row, const void* const* activations, const float* bias,
                    float* const* out) {
  const size_t blocks = weights.padded_cols() / kBlockCols;
  const uint8_t* values = weights.values + row * weights.padded_cols();
  const uint16_t* scales = weights.scales + row * blocks;
  float32x4_t acc[V][4];
  for (size_t v = 0; v < V; v++)
    for (size_t r = 0; r < 4; r++) acc[v][r] = vdupq_n_f32(0);
  for (size_t b = 0; b < blocks; b++, values += kBlockCols * kPanelRows) {
    const int8_t* x[V];
    int32x4_t sum[V][4];
    for (size_t v = 0; v < V; v++) {
      x[v] = ((const Dense8Block*)activations[v])[b].values;
      for (size_t r = 0; r < 4; r++) sum[v][r] = vdupq_n_s32(0);
    }
    const auto load = [&](size_t j, size_t r) {
      __builtin_prefetch(values + 2048 + j * 64 + r * 16);
      return load_dense8(values + j * 64 + r * 16);
    };
    multiply_block<V>(load, x, sum);
    for (size_t r = 0; r < 4; r++) {
      const uint32x4_t bits = vshll_n_u16(vld1_u16(scales + b * kPanelRows + 4 * r), 16);
      for (size_t v = 0; v < V; v++) {
        const float scale = ((const Dense8Block*)activations[v])[b].scale;
        acc[v][r] =
            vfmaq_f32(acc[v][r], vcvtq_f32_s32(sum[v][r]), vmulq_n_f32(vreinterpretq_f32_u32(bits), scale));
      }
    }
  }
  const size_t count = weights.rows - row < kPanelRows ? weights.rows - row : kPanelRows;
  for (size_t v = 0; v < V; v++) {
    float lanes[kPanelRows];
    for (size_t r = 0; r < 4; r++) vst1q_f32(lanes + 4 * r, acc[v][r]);
    for (size_t r = 0; r < count; r++) out[v][row + r] = lanes[r] + (bias ? bias[row + r] : 0.0f);
  }
}

/// More than 4 vectors would not fit into the registers; the later ones find the panel in the cache.
void run(const Dense8& weights, size_t first, size_t last, const void* const* activations, size_t vectors,
         const float* bias, float* const* out) {
  for (size_t row = first; row < last; row += kPanelRows) {
    size_t v = 0;
    for (; v + 4 <= vectors; v += 4) multiply_panel<4>(weights, row, activations + v, bias, out + v);
    if (vectors - v == 3) multiply_panel<3>(weights, row, activations + v, bias, out + v);
    if (vectors - v == 2) multiply_panel<2>(weights, row, activations + v, bias, out + v);
    if (vectors - v == 1) multiply_panel<1>(weights, row, activations + v, bias, out + v);
  }
}

}  // namespace

extern const Matvec<Dense8> kNeonMatvecDense8 = {kPanelRows, dense8_activation_bytes, kBlockCols, dense8_prepare, run};

}  // namespace gptoss
