// MXFP4 rows times 8-bit vectors, on the file's own bytes: 32 bytes of a row are 64 values, 2 blocks. Four rows go
// together: four streams keep more of memory's latency in flight than one.

#pragma once

#include "dot.h"

namespace gptoss {
namespace {

constexpr size_t kGroupCols = 64;

/// 64 activations. Lane i of `start` and `scale` belongs to block i / 4.
struct alignas(32) Mxfp4Group {
  int8_t even[32];  // 16 of each block
  int8_t odd[32];
  int32_t start[8];  // -12 * (the 4 even and the 4 odd activations that the lane sums)
  float scale[8];    // of the block, halved because the weights' values are doubled
};

static size_t mxfp4_activation_bytes(size_t cols) {
  return ((cols + kGroupCols - 1) / kGroupCols * sizeof(Mxfp4Group) + 63) / 64 * 64;
}

static void mxfp4_prepare(const float* x, size_t first, size_t last, size_t cols, void* activation) {
  Mxfp4Group* groups = (Mxfp4Group*)activation;
  for (size_t k = first; k < last; k += kBlockCols) {
    Mxfp4Group* group = groups + k / kGroupCols;
    const size_t block = k % kGroupCols / kBlockCols;
    int8_t values[kBlockCols], split[kBlockCols];
    const float scale = 0.5f * quantize_activations(x + k, kBlockCols, values);
    split_columns(values, split);
    memcpy(group->even + 16 * block, split, 16);
    memcpy(group->odd + 16 * block, split + 16, 16);
    for (size_t lane = 4 * block; lane < 4 * block + 4; lane++) {
      int32_t sum = 0;
      for (size_t i = 4 * lane; i < 4 * lane + 4; i++) sum += group->even[i] + group->odd[i];
      group->start[lane] = -kNibbleOffset * sum;
      group->scale[lane] = scale;
    }
  }
  if (last == cols && cols % kGroupCols != 0) {
    // Half a group: the bytes that are not there are read as 0, which means value 0, but not against stale activations.
    Mxfp4Group* group = groups + cols / kGroupCols;
    memset(group->even + 16, 0, 16);
    memset(group->odd + 16, 0, 16);
    memset(group->start + 4, 0, 16);
    memset(group->scale + 4, 0, 16);
  }
}

/// 2^(e - 127) for 2 blocks, each in 4 lanes.
static inline __m256 block_scales(uint16_t exponents) {
  const int z = (int)0x80808000;
  const __m256i spread = _mm256_setr_epi32(z, z, z, z, z | 1, z | 1, z | 1, z | 1);
  const __m256i low = _mm256_shuffle_epi8(_mm256_set1_epi16((int16_t)exponents), spread);
  return _mm256_castsi256_ps(_mm256_slli_epi32(low, 23));
}

template <size_t V>
static inline void multiply_group(__m256i bytes, __m256 scale, const Mxfp4Group* const* groups, size_t g, __m256* acc) {
  const __m256i even = low_nibbles(bytes), odd = high_nibbles(bytes);
  for (size_t v = 0; v < V; v++) {
    const Mxfp4Group& x = groups[v][g];
    __m256i sum = load256(x.start);
    if (kHasVnni) {
      sum = dot(dot(sum, even, load256(x.even)), odd, load256(x.odd));
    } else {
      const __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(even, load256(x.even)),
                                             _mm256_maddubs_epi16(odd, load256(x.odd)));  // 4 * 24 * 127 fits
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    acc[v] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(scale, _mm256_load_ps(x.scale)), acc[v]);
  }
}

static inline float sum_lanes(__m256 v) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

/// Rows [row, row + R) for V vectors.
template <size_t R, size_t V>
static void multiply_rows(const Mxfp4& weights, size_t row, const void* const* activations, const float* bias,
                          float* const* out) {
  const size_t cols = weights.cols, whole = cols / kGroupCols, row_bytes = cols / 2, row_scales = cols / 32;
  const uint8_t* blocks = weights.blocks + row * row_bytes;
  const uint8_t* scales = weights.scales + row * row_scales;
  const Mxfp4Group* groups[V];
  for (size_t v = 0; v < V; v++) groups[v] = (const Mxfp4Group*)activations[v];
  __m256 acc[R][V];
  for (size_t r = 0; r < R; r++)
    for (size_t v = 0; v < V; v++) acc[r][v] = _mm256_setzero_ps();
  for (size_t g = 0; g < whole; g++) {
    for (size_t r = 0; r < R; r++) {
      const uint8_t* bytes = blocks + r * row_bytes + 32 * g;
      if (g % 2 == 0) _mm_prefetch((const char*)bytes + R * row_bytes, _MM_HINT_T0);
      uint16_t exponents;
      memcpy(&exponents, scales + r * row_scales + 2 * g, 2);
      multiply_group<V>(load256(bytes), block_scales(exponents), groups, g, acc[r]);
    }
  }
  if (cols % kGroupCols != 0) {
    for (size_t r = 0; r < R; r++) {
      const __m128i half = _mm_loadu_si128((const __m128i*)(blocks + r * row_bytes + 32 * whole));
      const uint16_t exponents = scales[r * row_scales + 2 * whole];
      multiply_group<V>(_mm256_zextsi128_si256(half), block_scales(exponents), groups, whole, acc[r]);
    }
  }
  for (size_t r = 0; r < R; r++)
    for (size_t v = 0; v < V; v++) out[v][row + r] = sum_lanes(acc[r][v]) + (bias ? bias[row + r] : 0.0f);
}

template <size_t V>
static void mxfp4_rows(const Mxfp4& weights, size_t first, size_t last, const void* const* activations,
                       const float* bias, float* const* out) {
  constexpr size_t kTogether = V == 1 ? 4 : V == 2 ? 2 : 1;  // what 16 registers hold
  size_t row = first;
  for (; row + kTogether <= last; row += kTogether)
    multiply_rows<kTogether, V>(weights, row, activations, bias, out);
  for (; row < last; row++) multiply_rows<1, V>(weights, row, activations, bias, out);
}

static void mxfp4_run(const Mxfp4& weights, size_t first, size_t last, const void* const* activations, size_t vectors,
                      const float* bias, float* const* out) {
  switch (vectors) {
    case 1: return mxfp4_rows<1>(weights, first, last, activations, bias, out);
    case 2: return mxfp4_rows<2>(weights, first, last, activations, bias, out);
    case 3: return mxfp4_rows<3>(weights, first, last, activations, bias, out);
    case 4: return mxfp4_rows<4>(weights, first, last, activations, bias, out);
    case 5: return mxfp4_rows<5>(weights, first, last, activations, bias, out);
    case 6: return mxfp4_rows<6>(weights, first, last, activations, bias, out);
    case 7: return mxfp4_rows<7>(weights, first, last, activations, bias, out);
    default: return mxfp4_rows<8>(weights, first, last, activations, bias, out);
  }
}

static constexpr Matvec<Mxfp4> kMatvecMxfp4 = {1, mxfp4_activation_bytes, kBlockCols, mxfp4_prepare, mxfp4_run};

}  // namespace
}  // namespace gptoss
