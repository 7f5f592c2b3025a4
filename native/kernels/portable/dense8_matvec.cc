// 8-bit panels of 16 rows times 8-bit vectors, for any machine.

#include "../kernels.h"
#include "tables.h"

namespace gptoss {
namespace {

struct Block {
  int8_t values[kBlockCols];
  float scale;
};

size_t blocks_of(size_t cols) { return (cols + 63) / 64 * 2; }

size_t activation_bytes(size_t cols) { return (blocks_of(cols) * sizeof(Block) + 63) / 64 * 64; }

void prepare(const float* x, size_t first, size_t last, size_t cols, void* activation) {
  Block* blocks = (Block*)activation;
  for (size_t k = first; k < last; k += kBlockCols) {
    Block* block = blocks + k / kBlockCols;
    const size_t count = last - k < kBlockCols ? last - k : kBlockCols;
    block->scale = quantize_activations(x + k, count, block->values);
  }
  if (last == cols) {
    const size_t used = (cols + kBlockCols - 1) / kBlockCols;
    memset(blocks + used, 0, (blocks_of(cols) - used) * sizeof(Block));
  }
}

void run(const Dense8& weights, size_t first, size_t last, const void* const* activations, size_t vectors,
         const float* bias, float* const* out) {
  const size_t blocks = weights.padded_cols() / kBlockCols;
  for (size_t row = first; row < last; row += kPanelRows) {
    const uint8_t* values = weights.values + row * weights.padded_cols();
    const uint16_t* scales = weights.scales + row * blocks;
    float acc[kMaxVectors][kPanelRows] = {};
    for (size_t b = 0; b < blocks; b++) {
      for (size_t v = 0; v < vectors; v++) {
        const Block& x = ((const Block*)activations[v])[b];
        int32_t sums[kPanelRows] = {};
        const uint8_t* w = values + b * kBlockCols * kPanelRows;
        for (size_t j = 0; j < kBlockCols; j += 4, w += 4 * kPanelRows)
          for (size_t r = 0; r < kPanelRows; r++)
            for (size_t i = 0; i < 4; i++) sums[r] += (w[4 * r + i] - 128) * x.values[j + i];
        for (size_t r = 0; r < kPanelRows; r++)
          acc[v][r] += (float)sums[r] * (bf16_value(scales[b * kPanelRows + r]) * x.scale);
      }
    }
    for (size_t v = 0; v < vectors; v++)
      for (size_t r = 0; r < kPanelRows && row + r < weights.rows; r++)
        out[v][row + r] = acc[v][r] + (bias ? bias[row + r] : 0.0f);
  }
}

}  // namespace

extern const Matvec<Dense8> kPortableMatvecDense8 = {kPanelRows, activation_bytes, kBlockCols, prepare, run};

}  // namespace gptoss
