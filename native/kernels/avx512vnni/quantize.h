// bfloat16 rows into panels of Dense8, at the speed of memory: 16 rows x 64 columns are rounded row by row, then
// transposed as 32-bit words. The same bits as ../generic/quantize.h.

#pragma once

#include <immintrin.h>

#include "../generic/quantize.h"
#include "transpose.h"

namespace gptoss {
namespace {

static inline __m512 widen_half(__m256i bits) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

/// 32 columns of a row; adding 1.5 * 2^23 + 128 leaves the rounded byte in the low bits.
static inline __m256i quantize_half_row(const uint8_t* from, uint16_t* scale) {
  const __m512 a = widen_half(_mm256_loadu_si256((const __m256i*)from));
  const __m512 b = widen_half(_mm256_loadu_si256((const __m256i*)(from + 32)));
  *scale = scale_bits(_mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b))));
  const __m512 inverse = _mm512_set1_ps(*scale == 0 ? 0.0f : 1.0f / scale_value(*scale));
  const __m512 shifter = _mm512_set1_ps(12582912.0f + 128.0f);
  const __m128i low = _mm512_cvtepi32_epi8(_mm512_castps_si512(_mm512_fmadd_ps(a, inverse, shifter)));
  const __m128i high = _mm512_cvtepi32_epi8(_mm512_castps_si512(_mm512_fmadd_ps(b, inverse, shifter)));
  return _mm256_set_m128i(high, low);
}

static void quantize_panel_bf16(const DenseBf16& weights, size_t panel, uint8_t* values, uint16_t* scales) {
  if (weights.cols % 64 != 0 || weights.rows < (panel + 1) * kPanelRows) return quantize_panel(weights, panel, values, scales);
  const size_t row_bytes = 2 * weights.cols;
  const uint8_t* from = weights.values + panel * kPanelRows * row_bytes;
  for (size_t k = 0; k < weights.cols; k += 64, from += 128, values += 64 * kPanelRows, scales += 2 * kPanelRows) {
    __m512i v[16];
#pragma GCC unroll 16
    for (size_t r = 0; r < 16; r++) {
      const __m256i low = quantize_half_row(from + r * row_bytes, scales + r);
      v[r] = _mm512_inserti64x4(_mm512_castsi256_si512(low),
                                quantize_half_row(from + r * row_bytes + 64, scales + kPanelRows + r), 1);
    }
    transpose(v);
#pragma GCC unroll 16
    for (size_t j = 0; j < 16; j++) _mm512_store_si512(values + j * 64, v[j]);
  }
}

}  // namespace
}  // namespace gptoss
