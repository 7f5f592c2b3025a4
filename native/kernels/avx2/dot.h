// Sums of products of bytes with 256-bit vectors. With AVX-VNNI one instruction multiplies unsigned by signed bytes and
// adds four products to each 32-bit lane; without, vpmaddubsw adds two to 16 bits, where they must fit.

#pragma once

#include <immintrin.h>

#include "../generic/int8.h"

namespace gptoss {
namespace {

static inline __m256i load256(const void* p) { return _mm256_loadu_si256((const __m256i*)p); }
static inline __m256i broadcast4(const void* p) {
  int32_t word;
  memcpy(&word, p, 4);
  return _mm256_set1_epi32(word);
}

/// Integer sums may be reordered, and compilers make trees of them that need more registers than there are: not past this.
static inline __m256i in_order(__m256i sum) {
  __asm__("" : "+x"(sum));
  return sum;
}

#ifdef __AVXVNNI__
constexpr bool kHasVnni = true;
static inline __m256i dot(__m256i sum, __m256i unsigned_bytes, __m256i bytes) {
  return _mm256_dpbusd_avx_epi32(sum, unsigned_bytes, bytes);
}
#else
constexpr bool kHasVnni = false;
/// No four neighbouring products may add up to more than 32767.
static inline __m256i dot(__m256i sum, __m256i unsigned_bytes, __m256i bytes) {
  const __m256i pairs = _mm256_maddubs_epi16(unsigned_bytes, bytes);
  return in_order(_mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))));
}
#endif

/// E2M1 value * 2 + 12 of each nibble, unsigned: 0 .5 1 1.5 2 3 4 6 and their negatives.
static inline __m256i nibble_values() {
  return _mm256_broadcastsi128_si256(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
}
static inline __m256i low_nibbles(__m256i bytes) {
  return _mm256_shuffle_epi8(nibble_values(), _mm256_and_si256(bytes, _mm256_set1_epi8(15)));
}
static inline __m256i high_nibbles(__m256i bytes) { return low_nibbles(_mm256_srli_epi16(bytes, 4)); }
constexpr int32_t kNibbleOffset = 12;

}  // namespace
}  // namespace gptoss
