// MXFP4 rows in the blocks of a GGUF file times 8-bit vectors, where they lie. Four blocks are 68 bytes; their values are
// gathered by four loads, and one byte shuffle of the first 64 bytes moves each exponent into the lanes of its block.

#pragma once

#include "mxfp4_blocks.h"
#include "mxfp4_matvec.h"

namespace gptoss {
namespace {

/// Exponent i is byte 17 * i, which is byte i of 128-bit lane i.
inline __m512 four_scales(__m512i bytes) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_shuffle_epi8(bytes, kScaleSpread()), 23));
}

struct RowsOfBlocks {
  using Weights = Mxfp4Blocks;

  /// R rows, `apart` rows from one another.
  template <size_t R, size_t V>
  static void row_group(const Mxfp4Blocks& weights, size_t row, size_t apart, const Group* const* groups,
                        const float* bias, float* const* out) {
    const size_t whole = weights.cols / kGroup, rest = weights.cols % kGroup / kBlockCols;
    const uint8_t* rows[R];
    for (size_t r = 0; r < R; r++) rows[r] = weights.row(row + r * apart);
    __m512i bytes[R];
    __m512 scales[R], acc[R * V];
    for (size_t i = 0; i < R * V; i++) acc[i] = _mm512_setzero_ps();
    for (size_t g = 0; g < whole; g++) {
      for (size_t r = 0; r < R; r++) {
        const uint8_t* p = rows[r] + g * kFourBlocks;
        _mm_prefetch((const char*)p + kPrefetchBytes, _MM_HINT_T0);
        bytes[r] = four_values(p);
        scales[r] = four_scales(_mm512_loadu_si512(p));
      }
      // 68 bytes at a step pass over one line in 16.
      if (g % 16 == 15)
        for (size_t r = 0; r < R; r++) _mm_prefetch((const char*)rows[r] + g * kFourBlocks + kPrefetchBytes + 64, _MM_HINT_T0);
      multiply<R, V>(bytes, scales, groups, g, acc);
    }
    if (rest > 0) {
      const __mmask64 present = ((__mmask64)1 << (rest * Mxfp4Blocks::kBlockBytes)) - 1;
      for (size_t r = 0; r < R; r++) {
        const uint8_t* p = rows[r] + whole * kFourBlocks;
        uint8_t last[kFourBlocks] = {0};
        memcpy(last, p, rest * Mxfp4Blocks::kBlockBytes);
        bytes[r] = four_values(last);
        scales[r] = four_scales(_mm512_maskz_loadu_epi8(present, p));
      }
      multiply<R, V>(bytes, scales, groups, whole, acc);
    }
    for (size_t v = 0; v < V; v++)
      for (size_t r = 0; r < R; r++)
        out[v][row + r * apart] = _mm512_reduce_add_ps(acc[v * R + r]) + (bias ? bias[row + r * apart] : 0.0f);
  }
};

}  // namespace
}  // namespace gptoss
