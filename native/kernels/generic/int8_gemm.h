// Matrix products in 8 bits: tiles of 4 tokens times a panel of 16 rows, scaled after every 32 columns. A lane is a row,
// so nothing is summed across lanes. Owns packing and the loops; a variant brings how a panel is unpacked and the sums.

#pragma once

#include "int8.h"

namespace gptoss {
namespace {

constexpr size_t kTileTokens = 4;

/// 32 columns of the tokens of a tile, as every variant's inner loop reads them.
struct alignas(32) TokenBlock {
  int8_t values[kTileTokens][kBlockCols];
  int32_t start[kTileTokens];  // what a sum starts at, to make up for the offset that the weights carry
  float scale[kTileTokens];
};

/// 16 rows of a weight. values [blocks, 8, 16 rows, 4 columns], scales [blocks, 16 rows].
struct Panel {
  const uint8_t* values;
  const float* scales;
};

static inline size_t panel_blocks(size_t cols) { return (cols + kBlockCols - 1) / kBlockCols; }

static inline size_t int8_packed_bytes(size_t tokens, size_t cols) {
  return (tokens + kTileTokens - 1) / kTileTokens * panel_blocks(cols) * sizeof(TokenBlock);
}

/// A panel's scales, then its values if they have to be unpacked.
static inline size_t int8_scratch_bytes(size_t, size_t cols) {
  return panel_blocks(cols) * kPanelRows * (sizeof(float) + kBlockCols);
}

/// `Format` says in which order columns lie (`kIsSplit`) and what a sum starts at (`start`).
template <typename Format>
static inline void int8_pack(const GemmInput& input, size_t first, size_t last, void* packed) {
  const size_t blocks = panel_blocks(input.cols);
  for (size_t m = first; m < (last + kTileTokens - 1) / kTileTokens * kTileTokens; m++) {
    TokenBlock* block = (TokenBlock*)packed + m / kTileTokens * blocks;
    const size_t lane = m % kTileTokens;
    const float* x = input.x + (m >= last ? 0 : input.rows ? (size_t)input.rows[m] : m) * input.stride;
    for (size_t b = 0; b < blocks; b++, block++) {
      const size_t left = input.cols - b * kBlockCols;
      const size_t count = m >= last ? 0 : left < kBlockCols ? left : kBlockCols;
      int8_t values[kBlockCols];
      block->scale[lane] = Format::kActivationScale * quantize_activations(x + b * kBlockCols, count, values);
      if (Format::kIsSplit) {
        split_columns(values, block->values[lane]);
      } else {
        memcpy(block->values[lane], values, sizeof values);
      }
      block->start[lane] = Format::start(block->values[lane]);
    }
  }
}

/// `Format::unpack` makes rows [row, row + 16) a panel; `Format::multiply` adds nothing to `out` [4 tokens, 16 rows].
template <typename Format, typename Weights>
static inline void int8_run(const Weights& weights, size_t first, size_t last, const void* packed, size_t tokens,
                     const GemmOutput& output, void* scratch) {
  const size_t blocks = panel_blocks(weights.cols);
  float* scales = (float*)scratch;
  uint8_t* values = (uint8_t*)(scales + blocks * kPanelRows);
  for (size_t row = first; row < last; row += kPanelRows) {
    const Panel panel = Format::unpack(weights, row, values, scales);
    const size_t rows = last - row < kPanelRows ? last - row : kPanelRows;
    float bias[kPanelRows] = {};
    if (output.bias) memcpy(bias, output.bias + row, rows * sizeof(float));
    for (size_t m = 0; m < tokens; m += kTileTokens) {
      alignas(64) float out[kTileTokens][kPanelRows];
      Format::multiply(panel, (const TokenBlock*)packed + m / kTileTokens * blocks, blocks, out);
      for (size_t i = 0; i < kTileTokens && m + i < tokens; i++) {
        for (size_t r = 0; r < kPanelRows; r++) out[i][r] += bias[r];
        memcpy(output.out + (m + i) * output.stride + row, out[i], rows * sizeof(float));
      }
    }
  }
}

/// Rows past the last have scale 0.
static inline void mxfp4_panel_scales(const Mxfp4& weights, size_t row, float* scales) {
  const size_t blocks = weights.cols / kBlockCols;
  for (size_t r = 0; r < kPanelRows; r++) {
    const bool is_present = row + r < weights.rows;
    for (size_t b = 0; b < blocks; b++)
      scales[b * kPanelRows + r] = is_present ? exponent_scale(weights.scales[(row + r) * blocks + b]) : 0.0f;
  }
}

/// Dense8 lies in panels already.
static inline Panel dense8_panel(const Dense8& weights, size_t row, float* scales) {
  const size_t stored = weights.padded_cols() / kBlockCols;
  const uint16_t* from = weights.scales + row * stored;
  for (size_t i = 0; i < panel_blocks(weights.cols) * kPanelRows; i++) {
    const uint32_t bits = (uint32_t)from[i] << 16;
    memcpy(scales + i, &bits, sizeof bits);
  }
  return {weights.values + row * weights.padded_cols(), scales};
}

template <typename Format, typename Weights>
static constexpr Gemm<Weights> int8_gemm(size_t min_tokens) {
  return {min_tokens, kTileTokens, kPanelRows, 4 * kPanelRows, int8_packed_bytes, int8_scratch_bytes, int8_pack<Format>,
          int8_run<Format, Weights>};
}

}  // namespace
}  // namespace gptoss
