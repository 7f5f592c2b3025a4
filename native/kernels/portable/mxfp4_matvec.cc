// MXFP4 rows times 8-bit vectors, for any machine: integer sums of 32 products that compilers vectorise.

#include "../kernels.h"
#include "tables.h"

namespace gptoss {
namespace {

/// One block of activations, in the order of the weights' nibbles.
struct Block {
  int8_t even[16];
  int8_t odd[16];
  float scale;  // halved, because the weights' values are doubled
};

const int8_t kDoubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

size_t activation_bytes(size_t cols) { return (cols / kBlockCols * sizeof(Block) + 63) / 64 * 64; }

void prepare(const float* x, size_t first, size_t last, size_t, void* activation) {
  for (size_t k = first; k < last; k += kBlockCols) {
    Block* block = (Block*)activation + k / kBlockCols;
    int8_t values[kBlockCols];
    block->scale = 0.5f * quantize_activations(x + k, kBlockCols, values);
    for (size_t i = 0; i < 16; i++) {
      block->even[i] = values[2 * i];
      block->odd[i] = values[2 * i + 1];
    }
  }
}

void run(const Mxfp4& weights, size_t first, size_t last, const void* const* activations, size_t vectors,
         const float* bias, float* const* out) {
  const size_t blocks = weights.cols / kBlockCols;
  for (size_t row = first; row < last; row++) {
    float acc[kMaxVectors] = {};
    for (size_t b = 0; b < blocks; b++) {
      const uint8_t* bytes = weights.blocks + (row * blocks + b) * 16;
      const float scale = exponent_scale(weights.scales[row * blocks + b]);
      int8_t even[16], odd[16];
      for (size_t i = 0; i < 16; i++) {
        even[i] = kDoubled[bytes[i] & 15];
        odd[i] = kDoubled[bytes[i] >> 4];
      }
      for (size_t v = 0; v < vectors; v++) {
        const Block& x = ((const Block*)activations[v])[b];
        int32_t sum = 0;
        for (size_t i = 0; i < 16; i++) sum += even[i] * x.even[i] + odd[i] * x.odd[i];
        acc[v] += (float)sum * (scale * x.scale);
      }
    }
    for (size_t v = 0; v < vectors; v++) out[v][row] = acc[v] + (bias ? bias[row] : 0.0f);
  }
}

}  // namespace

extern const Matvec<Mxfp4> kPortableMatvecMxfp4 = {1, activation_bytes, kBlockCols, prepare, run};

}  // namespace gptoss
