// Weights times many tokens in 8-bit dot products: activations are rounded to 8 bits, 32 columns to a scale.
//
// 32 rows x 32 columns of weights stay in registers, 4 columns x 16 rows each; then every token costs 16 dot products
// with broadcast activations, two conversions and two multiply-adds into sums that lie in the first-level cache. A
// token's result does not depend on the tokens beside it.

#pragma once

#include <immintrin.h>

#include "../kernels.h"

namespace gptoss {
namespace {

constexpr size_t kGemmRows = 2 * kPanelRows;
constexpr size_t kGemmTokens = 128;  // whose sums, 16 KB, stay in the first-level cache

/// A group of 4 blocks of one panel, ready for the dot products: bytes [4 blocks][8][16 rows][4 columns].
struct PanelGroup {
  __m512i values[4][8];
  __m512 scale[4];
};

static size_t gemm_blocks(size_t cols) { return (cols + kBlockCols - 1) / kBlockCols; }

/// One block of all tokens: int8 [M][32], float [M] scale, int32 [M] what a sum starts with.
static size_t block_bytes(size_t tokens) { return (tokens * 40 + 63) / 64 * 64; }
static size_t gemm_packed_bytes(size_t tokens, size_t cols) { return block_bytes(tokens) * gemm_blocks(cols); }
static size_t gemm_scratch_bytes(size_t, size_t) { return kGemmTokens * kGemmRows * sizeof(float); }

/// `Format` says how columns lie in a block of weights, and what was added to its values.
template <typename Format>
static void gemm_pack(const GemmInput& input, size_t first, size_t last, void* packed) {
  const size_t blocks = gemm_blocks(input.cols), tokens = input.tokens;
  for (size_t m = first; m < last; m++) {
    const float* x = input.x + (input.rows ? (size_t)input.rows[m] : m) * input.stride;
    char* block = (char*)packed;
    for (size_t b = 0; b < blocks; b++, block += block_bytes(tokens)) {
      const size_t left = input.cols - b * kBlockCols;
      const __mmask32 mask = left < kBlockCols ? (1u << left) - 1 : 0xffffffffu;
      const __m512 low = _mm512_maskz_loadu_ps((__mmask16)mask, x + b * kBlockCols);
      const __m512 high = _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), x + b * kBlockCols + 16);
      const float scale = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high))) / 127.0f;
      const __m512 inverse = _mm512_set1_ps(scale > kSmallestScale ? 1.0f / scale : 0.0f);
      const __m128i q0 = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(low, inverse)));
      const __m128i q1 = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(high, inverse)));
      const __m256i q = Format::order(_mm256_set_m128i(q1, q0));
      const __m256i sums = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), q), _mm256_set1_epi16(1));
      const int sum = _mm512_reduce_add_epi32(_mm512_zextsi256_si512(sums));
      _mm256_storeu_si256((__m256i*)(block + m * 32), q);
      ((float*)(block + tokens * 32))[m] = scale * Format::kActivationScale;
      ((int32_t*)(block + tokens * 36))[m] = -Format::kOffset * sum;
    }
  }
}

/// One block of 32 rows times tokens [0, count) of the pointers' arrays.
static inline void multiply_block(const __m512i w0[8], const __m512i w1[8], __m512 s0, __m512 s1, const char* values,
                                  const float* scales, const int32_t* starts, size_t count, float* sums) {
  __m512i a[8], b[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) a[i] = w0[i], b[i] = w1[i];
  for (size_t m = 0; m < count; m++, values += 32, sums += kGemmRows) {
    __m512i d0 = _mm512_set1_epi32(starts[m]), d1 = d0;
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      int32_t word;
      memcpy(&word, values + 4 * i, 4);
      const __m512i x = _mm512_set1_epi32(word);
      d0 = _mm512_dpbusd_epi32(d0, a[i], x);
      d1 = _mm512_dpbusd_epi32(d1, b[i], x);
    }
    const __m512 scale = _mm512_set1_ps(scales[m]);
    const __m512 t0 = _mm512_mul_ps(s0, scale), t1 = _mm512_mul_ps(s1, scale);
    _mm512_store_ps(sums, _mm512_fmadd_ps(_mm512_cvtepi32_ps(d0), t0, _mm512_load_ps(sums)));
    _mm512_store_ps(sums + 16, _mm512_fmadd_ps(_mm512_cvtepi32_ps(d1), t1, _mm512_load_ps(sums + 16)));
  }
}

/// `Format::load(weights, row, last, block, group)` unpacks up to 4 blocks of 16 rows (those past `last`: anything).
template <typename Weights, typename Format>
static void gemm_run(const Weights& weights, size_t first, size_t last, const void* packed, size_t tokens,
                     const GemmOutput& output, void* scratch) {
  const size_t blocks = gemm_blocks(weights.cols), stride = block_bytes(tokens);
  float* const sums = (float*)scratch;
  for (size_t top = 0; top < tokens; top += kGemmTokens) {
    const size_t count = tokens - top < kGemmTokens ? tokens - top : kGemmTokens;
    for (size_t n = first; n < last; n += kGemmRows) {
      const size_t here = last - n < kGemmRows ? last - n : kGemmRows;
      const __mmask16 mask0 = here < 16 ? (__mmask16)((1u << here) - 1) : 0xffff;
      const __mmask16 mask1 = here <= 16 ? 0 : here < 32 ? (__mmask16)((1u << (here - 16)) - 1) : 0xffff;
      const __m512 b0 = output.bias ? _mm512_maskz_loadu_ps(mask0, output.bias + n) : _mm512_setzero_ps();
      const __m512 b1 = output.bias ? _mm512_maskz_loadu_ps(mask1, output.bias + n + 16) : _mm512_setzero_ps();
      for (size_t m = 0; m < count; m++) {
        _mm512_store_ps(sums + m * kGemmRows, b0);
        _mm512_store_ps(sums + m * kGemmRows + 16, b1);
      }
      for (size_t block = 0; block < blocks; block += 4) {
        PanelGroup upper, lower;
        Format::load(weights, n, last, block, upper);
        Format::load(weights, here > 16 ? n + 16 : n, last, block, lower);
        for (size_t j = 0; j < 4 && block + j < blocks; j++) {
          const char* x = (const char*)packed + (block + j) * stride;
          multiply_block(upper.values[j], lower.values[j], upper.scale[j], lower.scale[j], x + top * 32,
                         (const float*)(x + tokens * 32) + top, (const int32_t*)(x + tokens * 36) + top, count, sums);
        }
      }
      float* out = output.out + top * output.stride + n;
      for (size_t m = 0; m < count; m++, out += output.stride) {
        _mm512_mask_storeu_ps(out, mask0, _mm512_load_ps(sums + m * kGemmRows));
        _mm512_mask_storeu_ps(out + 16, mask1, _mm512_load_ps(sums + m * kGemmRows + 16));
      }
    }
  }
}

}  // namespace
}  // namespace gptoss
