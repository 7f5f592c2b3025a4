// What v2 and v3 share: activations as int8 with one scale per 32 values, block by block.
#pragma once

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "ladder.h"

namespace vnni {

// [K/32] blocks of: int8 [M][32] in the order 0 2 4 6 1 3 5 7 8 10 … ; float [M] scale; int32 [M] -12·sum
static size_t block_bytes(size_t tokens) { return (tokens * 40 + 63) / 64 * 64; }
static size_t packed_bytes(size_t tokens, size_t cols) { return block_bytes(tokens) * (cols / 32); }

static void pack(const gptoss::GemmInput& in, size_t first, size_t last, void* packed) {
  for (size_t m = first; m < last; m++) {
    const float* x = in.x + (in.rows ? (size_t)in.rows[m] : m) * in.stride;
    for (size_t b = 0; b < in.cols / 32; b++) {
      char* block = (char*)packed + b * block_bytes(in.tokens);
      float largest = 0;
      for (size_t i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(x[b * 32 + i]));
      const float inverse = largest > 0 ? 127 / largest : 0;
      int sum = 0;
      for (size_t i = 0; i < 32; i++) {
        const size_t j = i % 8;
        const int q = (int)lrintf(x[b * 32 + i] * inverse);
        ((int8_t*)block)[m * 32 + i / 8 * 8 + j / 2 + j % 2 * 4] = (int8_t)q;
        sum += q;
      }
      ((float*)(block + in.tokens * 32))[m] = largest / 127;
      ((int32_t*)(block + in.tokens * 36))[m] = -12 * sum;
    }
  }
}

// value · 2 + 12
static inline __m512i table() {
  return _mm512_broadcast_i32x4(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
}

static inline __m512i low(__m512i nibbles, __m512i table) {
  return _mm512_shuffle_epi8(table, _mm512_and_si512(nibbles, _mm512_set1_epi8(15)));
}

// half of 2^(e - 127)
static inline __m512 half_scale(__m512i exponents) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_sub_epi32(_mm512_max_epi32(exponents, _mm512_set1_epi32(2)), _mm512_set1_epi32(1)), 23));
}

}  // namespace vnni
