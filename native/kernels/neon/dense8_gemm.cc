// 8-bit panels times many tokens.

#include "int8.h"

namespace gptoss {
namespace {

struct Format {
  static constexpr bool kIsSplit = false;
  static constexpr float kActivationScale = 1.0f;
  static int32_t start(const int8_t*) { return 0; }
  static Panel unpack(const Dense8& weights, size_t row, uint8_t*, float* scales) {
    return dense8_panel(weights, row, scales);
  }
  static void multiply(const Panel& panel, const TokenBlock* tokens, size_t blocks, float out[][kPanelRows]) {
    multiply_tile(panel, tokens, blocks, load_dense8, out);
  }
};

}  // namespace

/// Up to 8 tokens the matrix-vector kernel is as fast.
extern const Gemm<Dense8> kNeonGemmDense8 = int8_gemm<Format, Dense8>(9);

}  // namespace gptoss
