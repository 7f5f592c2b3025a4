// 8-bit panels times many tokens.

#pragma once

#include "multiply_tile.h"

namespace gptoss {
namespace {

struct Dense8Format {
  static constexpr bool kIsSplit = false;
  static constexpr float kActivationScale = 1.0f;
  static int32_t start(const int8_t* values) { return -128 * sum_of(values); }
  static Panel unpack(const Dense8& weights, size_t row, uint8_t*, float* scales) {
    return dense8_panel(weights, row, scales);
  }
  static void multiply(const Panel& panel, const TokenBlock* tokens, size_t blocks, float out[][kPanelRows]) {
    multiply_tile<Dense8Sums>(panel, tokens, blocks, out);
  }
};

/// Up to 8 tokens the matrix-vector kernel is as fast.
static constexpr Gemm<Dense8> kGemmDense8 = int8_gemm<Dense8Format, Dense8>(9);

}  // namespace
}  // namespace gptoss
