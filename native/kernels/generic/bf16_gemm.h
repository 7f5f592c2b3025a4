// Rows as the file holds them times many tokens, in floats: tiles of 6 tokens times a panel of 16 rows.

#pragma once

#include "vector.h"

namespace gptoss {
namespace {

constexpr size_t kBf16Tile = 6;  // with 256-bit vectors, 12 sums of 16 registers
/// Columns of a panel that are unpacked at a time: 16 KB, so that they stay in the first-level cache for all tokens.
constexpr size_t kBf16Cols = 256;

static size_t bf16_packed_bytes(size_t tokens, size_t cols) {
  return (tokens + kBf16Tile - 1) / kBf16Tile * kBf16Tile * cols * sizeof(float);
}

static size_t bf16_scratch_bytes(size_t, size_t) { return kBf16Cols * kPanelRows * sizeof(float); }

/// packed [tiles, K, 6 tokens]
static void bf16_pack(const GemmInput& input, size_t first, size_t last, void* packed) {
  for (size_t m = first; m < last; m += kBf16Tile) {
    float* out = (float*)packed + m * input.cols;
    for (size_t i = 0; i < kBf16Tile; i++) {
      const bool is_present = m + i < last;
      const size_t row = !is_present ? 0 : input.rows ? (size_t)input.rows[m + i] : m + i;
      const float* x = input.x + row * input.stride;
      for (size_t k = 0; k < input.cols; k++) out[k * kBf16Tile + i] = is_present ? x[k] : 0.0f;
    }
  }
}

/// Columns [k, k + count) of 16 rows as floats, [count, 16 rows]; rows past the last are 0.
static inline void bf16_unpack(const DenseBf16& weights, size_t row, size_t k, size_t count, float* out) {
  for (size_t r = 0; r < kPanelRows; r++) {
    if (row + r >= weights.rows) {
      for (size_t c = 0; c < count; c++) out[c * kPanelRows + r] = 0;
      continue;
    }
    for (size_t c = 0; c < count; c += kLanes) {
      const size_t present = count - c < kLanes ? count - c : kLanes;
      float lanes[kLanes];
      store(lanes, load_weights(weights, row + r, k + c, present));
      for (size_t i = 0; i < present; i++) out[(c + i) * kPanelRows + r] = lanes[i];
    }
  }
}

static void bf16_run(const DenseBf16& weights, size_t first, size_t last, const void* packed, size_t tokens,
                     const GemmOutput& output, void* scratch) {
  const size_t cols = weights.cols;
  float* panel = (float*)scratch;
  for (size_t row = first; row < last; row += kPanelRows) {
    const size_t rows = last - row < kPanelRows ? last - row : kPanelRows;
    for (size_t k = 0; k < cols; k += kBf16Cols) {
      const size_t count = cols - k < kBf16Cols ? cols - k : kBf16Cols;
      bf16_unpack(weights, row, k, count, panel);
      for (size_t m = 0; m < tokens; m += kBf16Tile) {
        const float* x = (const float*)packed + m * cols + k * kBf16Tile;
        F32 acc[kBf16Tile] = {};
        for (size_t c = 0; c < count; c++) {
          const F32 w = load(panel + c * kPanelRows);
          for (size_t i = 0; i < kBf16Tile; i++) acc[i] += w * splat(x[c * kBf16Tile + i]);
        }
        for (size_t i = 0; i < kBf16Tile && m + i < tokens; i++) {
          float* out = output.out + (m + i) * output.stride + row;
          const float* before = k > 0 ? out : output.bias ? output.bias + row : nullptr;
          if (rows == kPanelRows) {
            store(out, before ? load(before) + acc[i] : acc[i]);
          } else {
            store_some(out, before ? load_some(before, rows) + acc[i] : acc[i], rows);
          }
        }
      }
    }
  }
}

/// Up to 8 tokens the matrix-vector kernel reads each weight once too, and need not unpack it.
static constexpr Gemm<DenseBf16> kGemmBf16 = {
    9, kBf16Tile, kPanelRows, 4 * kPanelRows, bf16_packed_bytes, bf16_scratch_bytes, bf16_pack, bf16_run};

}  // namespace
}  // namespace gptoss
