// Four blocks of a GGUF file's row: 68 bytes, the exponent of each before its 16 bytes of nibbles.

#pragma once

#include <immintrin.h>

#include "../kernels.h"

namespace gptoss {
namespace {

constexpr size_t kFourBlocks = 4 * Mxfp4Blocks::kBlockBytes;

static inline __m512i four_values(const uint8_t* p) {
  const auto at = [p](size_t block) { return _mm_loadu_si128((const __m128i*)(p + block * Mxfp4Blocks::kBlockBytes + 1)); };
  __m512i v = _mm512_castsi128_si512(at(0));
  v = _mm512_inserti32x4(v, at(1), 1);
  v = _mm512_inserti32x4(v, at(2), 2);
  return _mm512_inserti32x4(v, at(3), 3);
}

/// A byte each, the first lowest.
static inline uint32_t four_exponents(const uint8_t* p) {
  constexpr size_t kBytes = Mxfp4Blocks::kBlockBytes;
  return (uint32_t)p[0] | (uint32_t)p[kBytes] << 8 | (uint32_t)p[2 * kBytes] << 16 | (uint32_t)p[3 * kBytes] << 24;
}

}  // namespace
}  // namespace gptoss
