// The inner loop of the matrix products: 4 tokens times 16 rows, in eight vectors of sums.

#pragma once

#include "../generic/int8_gemm.h"
#include "dense8_matvec.h"

namespace gptoss {
namespace {

/// Sums of 32-bit lanes, whatever the weights' bytes are.
struct Dense8Sums {
  typedef Factor Weight;
  static inline Weight load(const uint8_t* values) { return dense8_factor(values); }
  static inline __m256i start(int32_t start) { return dense8_start(start); }
  static inline __m256i add(__m256i sum, const Weight& weight, __m256i x) { return dense8_dot(sum, weight, x); }
  static inline __m256 floats(__m256i sum) { return _mm256_cvtepi32_ps(sum); }
};

#ifdef __AVXVNNI__
typedef Dense8Sums NibbleSums;
#else
/// Nibbles' sums stay in 16 bits for a whole block: what they end at, 16 products of 12 and 127, fits, though with the
/// weights' offset they pass through larger ones, modulo 2^16.
struct NibbleSums {
  typedef __m256i Weight;
  static inline Weight load(const uint8_t* values) { return load256(values); }
  static inline __m256i start(int32_t start) { return _mm256_set1_epi32(start); }
  static inline __m256i add(__m256i sum, const Weight& weight, __m256i x) {
    return in_order(_mm256_add_epi16(sum, _mm256_maddubs_epi16(weight, x)));
  }
  static inline __m256 floats(__m256i sum) {
    return _mm256_cvtepi32_ps(_mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
  }
};
#endif

template <typename Sums>
static void multiply_tile(const Panel& panel, const TokenBlock* tokens, size_t blocks, float out[][kPanelRows]) {
  __m256 acc[kTileTokens][2];
  for (size_t m = 0; m < kTileTokens; m++) acc[m][0] = acc[m][1] = _mm256_setzero_ps();
  const uint8_t* values = panel.values;
  for (size_t b = 0; b < blocks; b++) {
    const TokenBlock& x = tokens[b];
    __m256i sum[kTileTokens][2];
    for (size_t m = 0; m < kTileTokens; m++) sum[m][0] = sum[m][1] = Sums::start(x.start[m]);
    for (size_t j = 0; j < kBlockCols; j += 4, values += 4 * kPanelRows) {
      const auto low = Sums::load(values), high = Sums::load(values + 32);
      for (size_t m = 0; m < kTileTokens; m++) {
        const __m256i four = broadcast4(x.values[m] + j);
        sum[m][0] = Sums::add(sum[m][0], low, four);
        sum[m][1] = Sums::add(sum[m][1], high, four);
      }
    }
    const __m256 low = _mm256_loadu_ps(panel.scales + b * kPanelRows);
    const __m256 high = _mm256_loadu_ps(panel.scales + b * kPanelRows + 8);
    for (size_t m = 0; m < kTileTokens; m++) {
      const __m256 scale = _mm256_set1_ps(x.scale[m]);
      acc[m][0] = _mm256_fmadd_ps(Sums::floats(sum[m][0]), _mm256_mul_ps(low, scale), acc[m][0]);
      acc[m][1] = _mm256_fmadd_ps(Sums::floats(sum[m][1]), _mm256_mul_ps(high, scale), acc[m][1]);
    }
  }
  for (size_t m = 0; m < kTileTokens; m++) {
    _mm256_storeu_ps(out[m], acc[m][0]);
    _mm256_storeu_ps(out[m] + 8, acc[m][1]);
  }
}

}  // namespace
}  // namespace gptoss
