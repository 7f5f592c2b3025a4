// Tile registers: eight of 16 rows x 64 bytes. A product takes a tile of 16 x 32 bfloat16 and one of 16 pairs x 16, and
// adds to 16 x 16 floats, in the time of 16 cycles.
//
// The compiler's own intrinsics do not say that they touch memory, so stores could move across them: hence these.

#pragma once

#include <immintrin.h>

#include "../avx512vnni/transpose.h"
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

}  // namespace
}  // namespace gptoss
