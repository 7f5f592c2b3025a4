// 8-bit panels of 16 rows times 8-bit vectors: a lane is a row, so nothing is summed across lanes.
//
// Products of two full bytes do not fit into vpmaddubsw's 16 bits unless both are at most 127: without VNNI the weight's
// sign moves to the activation.

#pragma once

#include "dot.h"

namespace gptoss {
namespace {

/// 8 rows times 4 columns, in the form that `dot` takes as its first factor.
struct Factor {
  __m256i magnitude;
  __m256i sign;  // unused with VNNI
};

static inline Factor dense8_factor(const uint8_t* values) {
  const __m256i bytes = load256(values);
  if (kHasVnni) return {bytes, bytes};
  const __m256i weight = _mm256_xor_si256(bytes, _mm256_set1_epi8((char)0x80));
  return {_mm256_abs_epi8(weight), weight};
}

static inline __m256i dense8_dot(__m256i sum, const Factor& weight, __m256i x) {
  return dot(sum, weight.magnitude, kHasVnni ? x : _mm256_sign_epi8(x, weight.sign));
}

static inline __m256i dense8_start(int32_t start) { return _mm256_set1_epi32(kHasVnni ? start : 0); }

static inline __m256 widen_scales(const uint16_t* scales) {
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)scales));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

/// The panel at `row` for V vectors.
template <size_t V>
static void multiply_panel(const Dense8& weights, size_t row, const void* const* activations, const float* bias,
                           float* const* out) {
  const size_t blocks = weights.padded_cols() / kBlockCols;
  const uint8_t* values = weights.values + row * weights.padded_cols();
  const uint16_t* scales = weights.scales + row * blocks;
  __m256 acc[V][2];
  for (size_t v = 0; v < V; v++) acc[v][0] = acc[v][1] = _mm256_setzero_ps();
  for (size_t b = 0; b < blocks; b++) {
    __m256i sum[V][2];
    for (size_t v = 0; v < V; v++) sum[v][0] = sum[v][1] = dense8_start(((const Dense8Block*)activations[v])[b].start);
    for (size_t j = 0; j < kBlockCols; j += 4, values += 4 * kPanelRows) {
      _mm_prefetch((const char*)values + 2048, _MM_HINT_T0);
      const Factor low = dense8_factor(values), high = dense8_factor(values + 32);
      for (size_t v = 0; v < V; v++) {
        const __m256i x = broadcast4(((const Dense8Block*)activations[v])[b].values + j);
        sum[v][0] = dense8_dot(sum[v][0], low, x);
        sum[v][1] = dense8_dot(sum[v][1], high, x);
      }
    }
    const __m256 low = widen_scales(scales + b * kPanelRows), high = widen_scales(scales + b * kPanelRows + 8);
    for (size_t v = 0; v < V; v++) {
      const __m256 x = _mm256_set1_ps(((const Dense8Block*)activations[v])[b].scale);
      acc[v][0] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[v][0]), _mm256_mul_ps(low, x), acc[v][0]);
      acc[v][1] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[v][1]), _mm256_mul_ps(high, x), acc[v][1]);
    }
  }
  const size_t count = weights.rows - row < kPanelRows ? weights.rows - row : kPanelRows;
  for (size_t v = 0; v < V; v++) {
    float lanes[kPanelRows];
    _mm256_storeu_ps(lanes, acc[v][0]);
    _mm256_storeu_ps(lanes + 8, acc[v][1]);
    for (size_t r = 0; r < count; r++) out[v][row + r] = lanes[r] + (bias ? bias[row + r] : 0.0f);
  }
}

/// More than 3 vectors would not fit into the registers; the later ones find the panel in the cache.
static void dense8_run(const Dense8& weights, size_t first, size_t last, const void* const* activations, size_t vectors,
                       const float* bias, float* const* out) {
  for (size_t row = first; row < last; row += kPanelRows) {
    size_t v = 0;
    for (; v + 3 <= vectors; v += 3) multiply_panel<3>(weights, row, activations + v, bias, out + v);
    if (vectors - v == 2) multiply_panel<2>(weights, row, activations + v, bias, out + v);
    if (vectors - v == 1) multiply_panel<1>(weights, row, activations + v, bias, out + v);
  }
}

static constexpr Matvec<Dense8> kMatvecDense8 = {kPanelRows, dense8_activation_bytes, kBlockCols, dense8_prepare,
                                                 dense8_run};

}  // namespace
}  // namespace gptoss
