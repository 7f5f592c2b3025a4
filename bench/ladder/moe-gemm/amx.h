// What the AMX steps share: activations as bf16 tiles, weights unpacked exactly to bf16 tiles, products in f32 tiles.
//
// Tokens are the rows of the A tile (a tile with fewer tokens takes fewer cycles), 16 weight rows the columns of B.
// One MXFP4 block of 32 columns is one tile step: 16 pairs of columns. The order of the columns inside a block is free
// as long as both sides agree: within 8 columns it is 0 4 1 5 2 6 3 7, what shifting 32 bits of nibbles gives.
#pragma once

#include <immintrin.h>
#include <string.h>

#include "ladder.h"

namespace amx {

constexpr size_t kTile = 1024;

// The compiler's own intrinsics do not say that they touch memory, so stores may move across them.
#define TILE_LOAD(t, p, stride) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t ::"r"(p), "r"((size_t)(stride)) : "memory")
#define TILE_STORE(t, p, stride) __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" ::"r"(p), "r"((size_t)(stride)) : "memory")
#define TILE_DOT(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)

// Activations: [M/16][K/32] tiles of [16 tokens][32] bf16, 16 times too large; the weights are 16 times too small.
static size_t packed_bytes(size_t tokens, size_t cols) { return (tokens + 15) / 16 * (cols / 32) * kTile; }

static void pack(const gptoss::GemmInput& in, size_t first, size_t last, void* packed) {
  const size_t blocks = in.cols / 32;
  const __m512i order = _mm512_set_epi16(31, 27, 30, 26, 29, 25, 28, 24, 23, 19, 22, 18, 21, 17, 20, 16, 15, 11, 14, 10, 13, 9, 12, 8, 7,
                                         3, 6, 2, 5, 1, 4, 0);
  const __m512 sixteen = _mm512_set1_ps(16);
  for (size_t m = first; m < last; m++) {
    const float* x = in.x + (in.rows ? (size_t)in.rows[m] : m) * in.stride;
    char* out = (char*)packed + m / 16 * blocks * kTile + m % 16 * 64;
    for (size_t b = 0; b < blocks; b++) {
      const __m512 lo = _mm512_mul_ps(_mm512_loadu_ps(x + b * 32), sixteen), hi = _mm512_mul_ps(_mm512_loadu_ps(x + b * 32 + 16), sixteen);
      _mm512_store_si512(out + b * kTile, _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(hi, lo)));
    }
  }
}

/// Tiles 0..3 sums of (token tile, row tile), 4..5 activations, 6..7 weights; `tokens` of 1..32 in two token tiles.
static void configure(size_t tokens) {
  alignas(64) uint8_t config[64] = {1};
  const uint8_t upper = (uint8_t)(tokens < 16 ? tokens : 16), lower = (uint8_t)(tokens > 16 ? tokens - 16 : 1);
  const uint8_t rows[8] = {upper, upper, lower, lower, upper, lower, 16, 16};
  for (int i = 0; i < 8; i++) config[16 + 2 * i] = 64, config[48 + i] = rows[i];
  __asm__ volatile("ldtilecfg %0" ::"m"(config));
}

static inline void transpose(__m512i v[16]) {
  __m512i t[16];
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    t[i + 2] = _mm512_unpacklo_epi32(v[i + 2], v[i + 3]);
    t[i + 3] = _mm512_unpackhi_epi32(v[i + 2], v[i + 3]);
  }
  __m512i u[16];
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    u[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    u[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    u[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    u[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const __m512i a = _mm512_shuffle_i32x4(u[i], u[i + 4], 0x88), b = _mm512_shuffle_i32x4(u[i], u[i + 4], 0xdd);
    const __m512i c = _mm512_shuffle_i32x4(u[i + 8], u[i + 12], 0x88), d = _mm512_shuffle_i32x4(u[i + 8], u[i + 12], 0xdd);
    v[i] = _mm512_shuffle_i32x4(a, c, 0x88);
    v[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
    v[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
    v[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
}

/// 16 rows of one weight; rows past the last repeat it.
struct Rows {
  const uint8_t* nibbles;
  const uint8_t* scales;
  size_t row_bytes, row_blocks;
  int count;
};

static Rows rows_at(const gptoss::Mxfp4& w, size_t n, size_t last) {
  const size_t row = n < last ? n : last - 1;
  const size_t left = last - row;
  return {w.blocks + row * (w.cols / 2), w.scales + row * (w.cols / 32), w.cols / 2, w.cols / 32, (int)(left < 16 ? left : 16)};
}

/// bf16 of the 16 nibble values, with the exponent 128 - 4 too large, twice (an index of 5 bits ignores the fifth).
/// `minus_scale` takes 255 - e off the exponent, saturating, so zeros stay zeros.
static inline __m512i value_table() {
  const short v[8] = {0, (short)(250 << 7), (short)(251 << 7), (short)(251 << 7 | 64), (short)(252 << 7), (short)(252 << 7 | 64), (short)(253 << 7), (short)(253 << 7 | 64)};
  alignas(64) short all[32];
  for (int i = 0; i < 32; i++) all[i] = (short)(i & 7 ? v[i & 7] | (i & 8 ? 0x8000 : 0) : 0);
  return _mm512_load_si512(all);
}

/// 255 - e of four blocks of 16 rows. Scales under 2^-122 count as 2^-122.
static inline __m512i inverse_exponents(const Rows& r, size_t block, int blocks) {
  __m512i e;
  if (blocks == 4 && r.count == 16) {
    const __m512i index = _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi32((int)r.row_blocks));
    e = _mm512_i32gather_epi32(index, r.scales + block, 1);
  } else {
    alignas(64) uint32_t all[16];
    for (int i = 0; i < 16; i++) {
      all[i] = 0;
      memcpy(&all[i], r.scales + (size_t)(i < r.count ? i : r.count - 1) * r.row_blocks + block, (size_t)blocks);
    }
    e = _mm512_load_si512(all);
  }
  return _mm512_min_epu8(_mm512_xor_si512(e, _mm512_set1_epi8(-1)), _mm512_set1_epi8((char)250));
}

/// (255 - e) << 7 of block b in both words of each row.
static inline __m512i exponent_words(__m512i inverse, int b) {
  const char z = -1, c = (char)b;
  const __m512i spread = _mm512_add_epi8(_mm512_broadcast_i32x4(_mm_setr_epi8(z, c, z, c, z, (char)(c + 4), z, (char)(c + 4), z, (char)(c + 8), z, (char)(c + 8), z, (char)(c + 12), z, (char)(c + 12))), _mm512_setzero_si512());
  return _mm512_srli_epi16(_mm512_shuffle_epi8(inverse, spread), 1);
}

static inline void load_columns(const Rows& r, size_t block, int blocks, __m512i columns[16]) {
  const __mmask16 mask = (__mmask16)((1u << (4 * blocks)) - 1);
  const uint8_t* p = r.nibbles + block * 16;
  if (blocks == 4 && r.count == 16) {
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) columns[i] = _mm512_loadu_si512(p + (size_t)i * r.row_bytes);
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) columns[i] = _mm512_maskz_loadu_epi32(mask, p + (size_t)(i < r.count ? i : r.count - 1) * r.row_bytes);
  }
  transpose(columns);
}

static inline void unpack_columns(__m512i nibbles, __m512i table, __m512i minus_scale, char* out) {
#pragma GCC unroll 4
  for (unsigned j = 0; j < 4; j++)
    _mm512_store_si512(out + 64 * j, _mm512_subs_epu16(_mm512_permutexvar_epi16(_mm512_srli_epi16(nibbles, 4 * j), table), minus_scale));
}

/// Blocks [block, block + blocks) of 16 rows to tiles `stride` bytes apart.
static inline void unpack(const Rows& r, size_t block, int blocks, __m512i table, char* out, size_t stride) {
  __m512i columns[16];
  load_columns(r, block, blocks, columns);
  const __m512i inverse = inverse_exponents(r, block, blocks);
#pragma GCC unroll 4
  for (int b = 0; b < 4; b++) {
    if (b >= blocks) break;
    const __m512i minus_scale = exponent_words(inverse, b);
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) unpack_columns(columns[4 * b + c], table, minus_scale, out + (size_t)b * stride + 256 * (size_t)c);
  }
}

}  // namespace amx
