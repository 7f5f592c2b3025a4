// Tile registers: eight of 16 rows x 64 bytes. A product takes a tile of 16 x 32 bfloat16 and one of 16 pairs x 16, and
// adds to 16 x 16 floats, in the time of 16 cycles.
//
// The compiler's own intrinsics do not say that they touch memory, so stores could move across them: hence these.

#pragma once

#include <immintrin.h>

#include "../kernels.h"

namespace gptoss {
namespace {

constexpr size_t kTileBytes = 1024;
constexpr size_t kTileTokens = 16;
constexpr size_t kTileRows = 16;  // of weights

#define TILE_LOAD(tile, from, stride) \
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(from), "r"((size_t)(stride)) : "memory")
/// For what will not be used again soon.
#define TILE_LOAD_ONCE(tile, from, stride) \
  __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm" #tile ::"r"(from), "r"((size_t)(stride)) : "memory")
#define TILE_STORE(tile, to, stride) \
  __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(to), "r"((size_t)(stride)) : "memory")
#define TILE_ZERO(tile) __asm__ volatile("tilezero %%tmm" #tile ::)
/// sum += a · b
#define TILE_DOT(sum, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #sum ::)

/// All tiles at their full size. Release them at the end: threads with tiles in use are slower to switch.
static inline void configure_tiles() {
  alignas(64) uint8_t config[64] = {1};
  for (int i = 0; i < 8; i++) {
    config[16 + 2 * i] = 64;
    config[48 + i] = 16;
  }
  __asm__ volatile("ldtilecfg %0" ::"m"(config));
}
static inline void release_tiles() { __asm__ volatile("tilerelease" ::); }

static inline __mmask16 lanes(size_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }

/// 16 x 16 elements of 32 bits.
static inline void transpose(__m512i v[16]) {
  __m512i t[16], u[16];
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    t[i + 2] = _mm512_unpacklo_epi32(v[i + 2], v[i + 3]);
    t[i + 3] = _mm512_unpackhi_epi32(v[i + 2], v[i + 3]);
  }
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
    const __m512i c = _mm512_shuffle_i32x4(u[i + 8], u[i + 12], 0x88);
    const __m512i d = _mm512_shuffle_i32x4(u[i + 8], u[i + 12], 0xdd);
    v[i] = _mm512_shuffle_i32x4(a, c, 0x88);
    v[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
    v[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
    v[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
}

}  // namespace
}  // namespace gptoss
