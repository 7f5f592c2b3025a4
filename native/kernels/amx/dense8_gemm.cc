// 8-bit dense weights as bfloat16: value times scale, rounded once more (2^-9 at most, a third of what 8 bits lost).

#include "dense_gemm.h"
#include "tables.h"

namespace gptoss {

namespace {

/// Two vectors of floats to pairs of bfloat16, rounded to nearest.
inline __m512i pairs_of(__m512 even, __m512 odd) {
  const __m512i half = _mm512_set1_epi32(0x8000);
  const __m512i low = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(even), half), 16);
  const __m512i high = _mm512_add_epi32(_mm512_castps_si512(odd), half);
  return _mm512_ternarylogic_epi32(high, _mm512_set1_epi32((int)0xffff0000), low, 0xea);  // high & mask | low
}

void unpack(const Dense8& weights, size_t row, size_t, char* out, size_t apart) {
  const size_t panel = row / kPanelRows, padded = weights.padded_cols(), steps = dense_steps(weights.cols);
  const uint8_t* values = weights.values + panel * kPanelRows * padded;
  const uint16_t* scales = weights.scales + panel * kPanelRows * (padded / kBlockCols);
  for (size_t k = 0; k < steps; k++, out += apart, values += 512, scales += kPanelRows) {
    const __m256i bits = _mm256_loadu_si256((const __m256i*)scales);
    const __m512 scale = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
#pragma GCC unroll 8
    for (size_t c = 0; c < 8; c++) {
      const __m512i x = _mm512_loadu_si512(values + c * 64);
      __m512 column[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) {
        const __m512i value = _mm512_dpbusd_epi32(_mm512_set1_epi32(-128), x, _mm512_set1_epi32(1 << (8 * i)));
        column[i] = _mm512_mul_ps(_mm512_cvtepi32_ps(value), scale);
      }
      _mm512_store_si512(out + c * 128, pairs_of(column[0], column[1]));
      _mm512_store_si512(out + c * 128 + 64, pairs_of(column[2], column[3]));
    }
  }
}

}  // namespace

const Gemm<Dense8> kAmxGemmDense8 = {kMaxVectors + 1, kTileTokens, kDensePanel, kDenseRows, dense_packed_bytes,
                                     dense_scratch_bytes, dense_pack, dense_run<Dense8, unpack>};

}  // namespace gptoss
