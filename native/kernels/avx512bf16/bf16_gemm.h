// Dense bfloat16 rows times many tokens in dot products of pairs; activations are rounded to bfloat16.
//
// 32 rows x 16 columns of weights stay in registers, a pair of columns of 16 rows each; then every token costs 16 dot
// products with broadcast pairs into sums that lie in the first-level cache. A token's result does not depend on the
// tokens beside it.

#pragma once

#include <immintrin.h>

#include "../avx512vnni/transpose.h"
#include "../kernels.h"

namespace gptoss {
namespace {

constexpr size_t kPairsRows = 2 * kPanelRows;
constexpr size_t kPairsTokens = 128;  // whose sums, 16 KB, stay in the first-level cache
constexpr size_t kPairsCols = 16;     // of a block

static size_t pairs_blocks(size_t cols) { return (cols + kBlockCols - 1) / kBlockCols * 2; }
/// [blocks][M][8 pairs]
static size_t pairs_packed_bytes(size_t tokens, size_t cols) { return pairs_blocks(cols) * tokens * kPairsCols * 2; }
static size_t pairs_scratch_bytes(size_t, size_t) { return kPairsTokens * kPairsRows * sizeof(float); }

static void pairs_pack(const GemmInput& input, size_t first, size_t last, void* packed) {
  for (size_t m = first; m < last; m++) {
    const float* x = input.x + (input.rows ? (size_t)input.rows[m] : m) * input.stride;
    for (size_t b = 0; b < pairs_blocks(input.cols); b++) {
      const size_t k = b * kPairsCols, left = input.cols > k ? input.cols - k : 0;
      const __mmask16 present = left >= kPairsCols ? 0xffff : (__mmask16)((1u << left) - 1);
      const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(present, x + k));
      _mm256_storeu_si256((__m256i*)packed + b * input.tokens + m, (__m256i)rounded);
    }
  }
}

/// Columns [k, k + 32) of 16 rows, in pairs [16][16 rows][2]; rows past `last` are anything, columns past the last 0.
static inline void load_pairs(const DenseBf16& w, size_t row, size_t last, size_t k, __m512i pairs[16]) {
  const size_t left = w.cols - k, stride = w.cols * sizeof(uint16_t);
  const __mmask32 present = left >= kBlockCols ? 0xffffffffu : (1u << left) - 1;
  const uint8_t* values = w.values + row * stride + k * sizeof(uint16_t);
  // Of the rows after these 32, to be fetched meanwhile: the prefetcher does not follow so many streams.
  const bool has_next = last - row >= kPairsRows + kPanelRows;
#pragma GCC unroll 16
  for (size_t i = 0; i < 16; i++) {
    const size_t r = row + i < last ? i : last - 1 - row;
    pairs[i] = _mm512_maskz_loadu_epi16(present, values + r * stride);
    if (has_next) _mm_prefetch((const char*)values + (i + kPairsRows) * stride, _MM_HINT_T1);
  }
  transpose(pairs);
}

/// One block of 32 rows times `count` tokens, 8 pairs each.
static inline void multiply_pairs(const __m512i upper[8], const __m512i lower[8], const uint32_t* x, size_t count,
                                  float* sums) {
  __m512bh a[8], b[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) a[i] = (__m512bh)upper[i], b[i] = (__m512bh)lower[i];
  for (size_t m = 0; m < count; m++, x += 8, sums += kPairsRows) {
    __m512 s0 = _mm512_load_ps(sums), s1 = _mm512_load_ps(sums + 16);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      const __m512bh pair = (__m512bh)_mm512_set1_epi32((int)x[i]);
      s0 = _mm512_dpbf16_ps(s0, a[i], pair);
      s1 = _mm512_dpbf16_ps(s1, b[i], pair);
    }
    _mm512_store_ps(sums, s0);
    _mm512_store_ps(sums + 16, s1);
  }
}

static void pairs_run(const DenseBf16& weights, size_t first, size_t last, const void* packed, size_t tokens,
                      const GemmOutput& output, void* scratch) {
  float* const sums = (float*)scratch;
  for (size_t top = 0; top < tokens; top += kPairsTokens) {
    const size_t count = tokens - top < kPairsTokens ? tokens - top : kPairsTokens;
    for (size_t n = first; n < last; n += kPairsRows) {
      const size_t here = last - n < kPairsRows ? last - n : kPairsRows;
      const __mmask32 present = (__mmask32)(((uint64_t)1 << here) - 1);
      const __mmask16 mask0 = (__mmask16)present, mask1 = (__mmask16)(present >> 16);
      const __m512 b0 = output.bias ? _mm512_maskz_loadu_ps(mask0, output.bias + n) : _mm512_setzero_ps();
      const __m512 b1 = output.bias ? _mm512_maskz_loadu_ps(mask1, output.bias + n + 16) : _mm512_setzero_ps();
      for (size_t m = 0; m < count; m++) {
        _mm512_store_ps(sums + m * kPairsRows, b0);
        _mm512_store_ps(sums + m * kPairsRows + 16, b1);
      }
      for (size_t k = 0; k < weights.cols; k += kBlockCols) {
        __m512i upper[16], lower[16];
        load_pairs(weights, n, last, k, upper);
        load_pairs(weights, here > 16 ? n + 16 : n, last, k, lower);
        for (size_t half = 0; half < 2; half++) {
          const uint32_t* x = (const uint32_t*)packed + ((k / kPairsCols + half) * tokens + top) * 8;
          multiply_pairs(upper + 8 * half, lower + 8 * half, x, count, sums);
        }
      }
      float* out = output.out + top * output.stride + n;
      for (size_t m = 0; m < count; m++, out += output.stride) {
        _mm512_mask_storeu_ps(out, mask0, _mm512_load_ps(sums + m * kPairsRows));
        _mm512_mask_storeu_ps(out + 16, mask1, _mm512_load_ps(sums + m * kPairsRows + 16));
      }
    }
  }
}

static constexpr Gemm<DenseBf16> kPairsGemmBf16 = {kMaxVectors + 1,     1,         kPairsRows, 256, pairs_packed_bytes,
                                                   pairs_scratch_bytes, pairs_pack, pairs_run};

}  // namespace
}  // namespace gptoss
