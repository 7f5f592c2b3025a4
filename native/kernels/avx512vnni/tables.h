// Constants that several kernels of this folder load, and the tables that they fill.

#pragma once

#include <immintrin.h>

#include "../kernels.h"

namespace gptoss {
namespace {

/// How far ahead of its loads each stream of a matrix-vector kernel prefetches: measured in bench/ladder/matvec.
constexpr size_t kPrefetchBytes = 2048;

/// E2M1 value * 2 + 12 of each nibble: 0 .5 1 1.5 2 3 4 6 and their negatives.
static inline __m512i kNibbleValues() {
  return _mm512_broadcast_i32x4(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
}

/// Byte i of a 32-bit word to the lowest byte of lanes 4i … 4i+3.
static inline __m512i kScaleSpread() {
  const int z = 0x80808000;
  return _mm512_setr_epi32(z, z, z, z, z | 1, z | 1, z | 1, z | 1, z | 2, z | 2, z | 2, z | 2, z | 3, z | 3, z | 3,
                           z | 3);
}

}  // namespace

extern const Matvec<Dense8> kAvx512VnniMatvecDense8;
extern const Gemm<Mxfp4> kAvx512VnniGemmMxfp4;
void avx512vnni_gemm_mxfp4_blocks(const Mxfp4Blocks& weights, size_t first, size_t last, const void* packed,
                                  size_t tokens, const GemmOutput& output, void* scratch);
extern const Gemm<Dense8> kAvx512VnniGemmDense8;

}  // namespace gptoss
