// MXFP4 experts times many tokens: 16 rows become a panel of bytes, which all tokens then use.

#pragma once

#include "../generic/int8_gemm.h"
#include "multiply_tile.h"

namespace gptoss {
namespace {

/// `rows[i]` holds 16 bytes of row i and 16 of row i + 4; to 4 vectors, each 4 bytes of every row.
static inline void store_columns(const __m256i* rows, uint8_t* out) {
  const __m256i a = _mm256_unpacklo_epi32(rows[0], rows[1]), b = _mm256_unpacklo_epi32(rows[2], rows[3]);
  const __m256i c = _mm256_unpackhi_epi32(rows[0], rows[1]), d = _mm256_unpackhi_epi32(rows[2], rows[3]);
  _mm256_storeu_si256((__m256i*)out, _mm256_unpacklo_epi64(a, b));
  _mm256_storeu_si256((__m256i*)(out + 64), _mm256_unpackhi_epi64(a, b));
  _mm256_storeu_si256((__m256i*)(out + 128), _mm256_unpacklo_epi64(c, d));
  _mm256_storeu_si256((__m256i*)(out + 192), _mm256_unpackhi_epi64(c, d));
}

/// One block of 8 rows: even columns, then odd ones.
static inline void unpack_rows(const uint8_t* const* rows, size_t offset, uint8_t* out) {
  __m256i even[4], odd[4];
  for (size_t i = 0; i < 4; i++) {
    const __m128i low = _mm_loadu_si128((const __m128i*)(rows[i] + offset));
    const __m128i high = _mm_loadu_si128((const __m128i*)(rows[i + 4] + offset));
    const __m256i bytes = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    even[i] = low_nibbles(bytes);
    odd[i] = high_nibbles(bytes);
  }
  store_columns(even, out);
  store_columns(odd, out + 256);
}

struct Mxfp4Format {
  static constexpr bool kIsSplit = true;
  static constexpr float kActivationScale = 0.5f;  // the weights' values are doubled

  static int32_t start(const int8_t* values) {
    if (kHasVnni) return -kNibbleOffset * sum_of(values);
    int32_t low = 0, high = 0;
    for (size_t i = 0; i < kBlockCols; i += 4) {
      low += values[i] + values[i + 1];
      high += values[i + 2] + values[i + 3];
    }
    return (int32_t)((uint32_t)(-kNibbleOffset * low) & 0xffff) | (int32_t)((uint32_t)(-kNibbleOffset * high) << 16);
  }

  static Panel unpack(const Mxfp4& weights, size_t row, uint8_t* values, float* scales) {
    const size_t row_bytes = weights.cols / 2;
    const uint8_t* rows[kPanelRows];
    for (size_t r = 0; r < kPanelRows; r++) {
      const size_t present = row + r < weights.rows ? row + r : weights.rows - 1;
      rows[r] = weights.blocks + present * row_bytes;
    }
    for (size_t offset = 0; offset < row_bytes; offset += 16) {
      if (offset % 64 == 0)
        for (size_t r = 0; r < kPanelRows; r++) _mm_prefetch((const char*)rows[r] + offset + 512, _MM_HINT_T0);
      unpack_rows(rows, offset, values + offset * 32);
      unpack_rows(rows + 8, offset, values + offset * 32 + 32);
    }
    mxfp4_panel_scales(weights, row, scales);
    return {values, scales};
  }

  static void multiply(const Panel& panel, const TokenBlock* tokens, size_t blocks, float out[][kPanelRows]) {
    multiply_tile<NibbleSums>(panel, tokens, blocks, out);
  }
};

static constexpr Gemm<Mxfp4> kGemmMxfp4 = int8_gemm<Mxfp4Format, Mxfp4>(5);

}  // namespace
}  // namespace gptoss
