// What several kernels of this folder use, and the tables that they fill together.

#pragma once

#include <arm_neon.h>

#include "../generic/int8_gemm.h"

namespace gptoss {
namespace {

/// Twice the E2M1 value of each nibble.
static inline int8x16_t nibble_values() {
  const int8_t values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  return vld1q_s8(values);
}
static inline int8x16_t low_nibbles(uint8x16_t bytes) {
  return vqtbl1q_s8(nibble_values(), vandq_u8(bytes, vdupq_n_u8(15)));
}
static inline int8x16_t high_nibbles(uint8x16_t bytes) { return vqtbl1q_s8(nibble_values(), vshrq_n_u8(bytes, 4)); }

/// Adds 4 columns of 4 rows times 4 columns of one activation: columns 4 * word … of `x`.
template <int word>
static inline int32x4_t dot_lane(int32x4_t sum, int8x16_t weights, int8x16_t x) {
  return vdotq_laneq_s32(sum, weights, x, word);
}

/// 16 rows times 32 columns: `load(j, r)` gives columns 4j … 4j + 3 of rows 4r … 4r + 3.
template <size_t T, typename Load>
static inline void multiply_block(const Load& load, const int8_t* const* x, int32x4_t sum[][4]) {
  int8x16_t low[T], high[T];
  for (size_t t = 0; t < T; t++) {
    low[t] = vld1q_s8(x[t]);
    high[t] = vld1q_s8(x[t] + 16);
  }
#define GPTOSS_COLUMNS(j, half, word)           \
  for (size_t r = 0; r < 4; r++) {              \
    const int8x16_t weights = load(j, r);       \
    for (size_t t = 0; t < T; t++) sum[t][r] = dot_lane<word>(sum[t][r], weights, half[t]); \
  }
  GPTOSS_COLUMNS(0, low, 0)
  GPTOSS_COLUMNS(1, low, 1)
  GPTOSS_COLUMNS(2, low, 2)
  GPTOSS_COLUMNS(3, low, 3)
  GPTOSS_COLUMNS(4, high, 0)
  GPTOSS_COLUMNS(5, high, 1)
  GPTOSS_COLUMNS(6, high, 2)
  GPTOSS_COLUMNS(7, high, 3)
#undef GPTOSS_COLUMNS
}

/// Dense8 carries 128; without it the bytes are signed.
static inline int8x16_t load_dense8(const uint8_t* values) {
  return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(values), vdupq_n_u8(0x80)));
}

/// A tile of 4 tokens times a panel; `load` reads 16 bytes of it.
template <typename Load>
static inline void multiply_tile(const Panel& panel, const TokenBlock* tokens, size_t blocks, const Load& load,
                                 float out[][kPanelRows]) {
  float32x4_t acc[kTileTokens][4];
  for (size_t m = 0; m < kTileTokens; m++)
    for (size_t r = 0; r < 4; r++) acc[m][r] = vdupq_n_f32(0);
  for (size_t b = 0; b < blocks; b++) {
    const TokenBlock& block = tokens[b];
    const uint8_t* values = panel.values + b * kBlockCols * kPanelRows;
    const int8_t* x[kTileTokens];
    int32x4_t sum[kTileTokens][4];
    for (size_t m = 0; m < kTileTokens; m++) {
      x[m] = block.values[m];
      for (size_t r = 0; r < 4; r++) sum[m][r] = vdupq_n_s32(0);
    }
    multiply_block<kTileTokens>([&](size_t j, size_t r) { return load(values + j * 64 + r * 16); }, x, sum);
    for (size_t r = 0; r < 4; r++) {
      const float32x4_t scale = vld1q_f32(panel.scales + b * kPanelRows + 4 * r);
      for (size_t m = 0; m < kTileTokens; m++)
        acc[m][r] = vfmaq_f32(acc[m][r], vcvtq_f32_s32(sum[m][r]), vmulq_n_f32(scale, block.scale[m]));
    }
  }
  for (size_t m = 0; m < kTileTokens; m++)
    for (size_t r = 0; r < 4; r++) vst1q_f32(out[m] + 4 * r, acc[m][r]);
}

}  // namespace

extern const Matvec<Mxfp4> kNeonMatvecMxfp4;
extern const Matvec<Dense8> kNeonMatvecDense8;
extern const Gemm<Mxfp4> kNeonGemmMxfp4;
extern const Gemm<Dense8> kNeonGemmDense8;

}  // namespace gptoss
