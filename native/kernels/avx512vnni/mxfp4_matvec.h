// MXFP4 rows times 8-bit vectors, on the file's own bytes.
//
// 64 bytes of a row are 128 values, 4 blocks. A byte shuffle turns each nibble into (value * 2 + 12), unsigned as
// vpdpbusd wants its first factor; the sum starts at -12 * (sum of activations), so the offset vanishes.

#include <immintrin.h>

#include "tables.h"

namespace gptoss {
namespace {

constexpr size_t kGroup = 128;

constexpr size_t kScaleRowsAhead = 4;

/// 128 activations. Lane i of `start` and `scale` belongs to block i / 4.
struct alignas(64) Group {
  int8_t even[64];  // 16 of each block
  int8_t odd[64];
  int32_t start[16];  // -12 * (the 4 even and the 4 odd activations that the lane sums)
  float scale[16];    // of the block, halved because the weights' values are doubled
};

size_t activation_bytes(size_t cols) { return (cols + kGroup - 1) / kGroup * sizeof(Group); }

void prepare_block(const float* x, Group* group, size_t block) {
  const __m512 a = _mm512_loadu_ps(x), b = _mm512_loadu_ps(x + 16);
  const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
  const float scale = largest / 127.0f;
  const __m512 inverse = _mm512_set1_ps(scale > kSmallestScale ? 1.0f / scale : 0.0f);
  const __m128i qa = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(a, inverse)));
  const __m128i qb = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(b, inverse)));
  const __m128i split = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
  const __m128i sa = _mm_shuffle_epi8(qa, split), sb = _mm_shuffle_epi8(qb, split);
  const __m128i even = _mm_unpacklo_epi64(sa, sb), odd = _mm_unpackhi_epi64(sa, sb);
  _mm_store_si128((__m128i*)(group->even + 16 * block), even);
  _mm_store_si128((__m128i*)(group->odd + 16 * block), odd);
  const __m128i twelve = _mm_set1_epi8(12);
  const __m128i sums = _mm_dpbusd_epi32(_mm_dpbusd_epi32(_mm_setzero_si128(), twelve, even), twelve, odd);
  _mm_store_si128((__m128i*)(group->start + 4 * block), _mm_sub_epi32(_mm_setzero_si128(), sums));
  _mm_store_ps(group->scale + 4 * block, _mm_set1_ps(0.5f * scale));
}

void prepare(const float* x, size_t first, size_t last, size_t cols, void* activation) {
  Group* groups = (Group*)activation;
  for (size_t k = first; k < last; k += kBlockCols) prepare_block(x + k, groups + k / kGroup, k % kGroup / kBlockCols);
  if (last == cols && cols % kGroup != 0) {
    // The blocks after the last: weights masked to zero bytes still mean value 0, but not against stale activations.
    Group* group = groups + cols / kGroup;
    const size_t blocks = cols % kGroup / kBlockCols;
    memset(group->even + 16 * blocks, 0, 64 - 16 * blocks);
    memset(group->odd + 16 * blocks, 0, 64 - 16 * blocks);
    memset(group->start + 4 * blocks, 0, (16 - 4 * blocks) * sizeof(int32_t));
    memset(group->scale + 4 * blocks, 0, (16 - 4 * blocks) * sizeof(float));
  }
}

/// 2^(e - 127) for 4 blocks, each in 4 lanes.
inline __m512 block_scales(uint32_t exponents) {
  const __m512i spread = _mm512_shuffle_epi8(_mm512_set1_epi32((int)exponents), kScaleSpread());
  return _mm512_castsi512_ps(_mm512_slli_epi32(spread, 23));
}

inline __m512 block_scales(const uint8_t* exponents) {
  uint32_t four;
  memcpy(&four, exponents, 4);
  return block_scales(four);
}

/// The values of the low nibble of each byte.
inline __m512i nibble_values(__m512i bytes) {
#ifdef __AVX512VBMI__
  // vpermb looks at 6 bits; the table repeats, so that the 2 above the nibble do not matter.
  return _mm512_permutexvar_epi8(bytes, kNibbleValues());
#else
  return _mm512_shuffle_epi8(kNibbleValues(), _mm512_and_si512(bytes, _mm512_set1_epi8(15)));
#endif
}

/// One group of R rows times V activations.
template <size_t R, size_t V>
inline void multiply(const __m512i* bytes, const __m512* scales, const Group* const* groups, size_t g, __m512* acc) {
  __m512i even[R], odd[R];
  for (size_t r = 0; r < R; r++) {
    even[r] = nibble_values(bytes[r]);
    odd[r] = nibble_values(_mm512_srli_epi16(bytes[r], 4));
  }
  for (size_t v = 0; v < V; v++) {
    const Group& x = groups[v][g];
    const __m512 x_scale = _mm512_load_ps(x.scale);
    for (size_t r = 0; r < R; r++) {
      __m512i sum = _mm512_load_si512(x.start);
      sum = _mm512_dpbusd_epi32(sum, even[r], _mm512_load_si512(x.even));
      sum = _mm512_dpbusd_epi32(sum, odd[r], _mm512_load_si512(x.odd));
      acc[v * R + r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(scales[r], x_scale), acc[v * R + r]);
    }
  }
}

/// The exponents of a row's last blocks, fewer than 4, without a look past them.
inline uint32_t last_exponents(const uint8_t* scales, size_t whole, size_t rest) {
  uint32_t exponents = 0;
  if (whole > 0) {
    memcpy(&exponents, scales + 4 * whole + rest - 4, 4);
    return exponents >> (32 - 8 * rest);
  }
  for (size_t i = 0; i < rest; i++) exponents |= (uint32_t)scales[i] << (8 * i);
  return exponents;
}

/// Rows of nibbles, and their scales in a tensor of their own. `rows` and `run` serve other layouts too.
struct RowsOfSafetensors {
  using Weights = Mxfp4;

  /// R rows, `apart` rows from one another.
  template <size_t R, size_t V>
  static void row_group(const Mxfp4& weights, size_t row, size_t apart, const Group* const* groups, const float* bias,
                 float* const* out) {
    const size_t cols = weights.cols, whole = cols / kGroup, rest = cols % kGroup / kBlockCols;
    const size_t row_bytes = cols / 2, row_scales = cols / kBlockCols;
    const uint8_t* blocks = weights.blocks + row * row_bytes;
    const uint8_t* scales = weights.scales + row * row_scales;
    __m512i bytes[R];
    __m512 weight_scales[R], acc[R * V];
    for (size_t i = 0; i < R * V; i++) acc[i] = _mm512_setzero_ps();
    for (size_t r = 0; r < R; r++)
      for (size_t i = 0; i < row_scales; i += 64)
        _mm_prefetch((const char*)scales + (r * apart + kScaleRowsAhead) * row_scales + i, _MM_HINT_T0);
    for (size_t g = 0; g < whole; g++) {
      for (size_t r = 0; r < R; r++) {
        const uint8_t* line = blocks + r * apart * row_bytes + g * 64;
        _mm_prefetch((const char*)line + kPrefetchBytes, _MM_HINT_T0);
        bytes[r] = _mm512_loadu_si512(line);
        weight_scales[r] = block_scales(scales + r * apart * row_scales + 4 * g);
      }
      multiply<R, V>(bytes, weight_scales, groups, g, acc);
    }
    if (rest > 0) {
      const __mmask64 present = ((__mmask64)1 << (16 * rest)) - 1;
      for (size_t r = 0; r < R; r++) {
        bytes[r] = _mm512_maskz_loadu_epi8(present, blocks + r * apart * row_bytes + whole * 64);
        weight_scales[r] = block_scales(last_exponents(scales + r * apart * row_scales, whole, rest));
      }
      multiply<R, V>(bytes, weight_scales, groups, whole, acc);
    }
    for (size_t v = 0; v < V; v++)
      for (size_t r = 0; r < R; r++)
        out[v][row + r * apart] = _mm512_reduce_add_ps(acc[v * R + r]) + (bias ? bias[row + r * apart] : 0.0f);
  }
};

/// R rows at a time share the loads of activations and hide each other's latencies. They come from R parts of the range,
/// each of which is read from front to back: such streams the hardware prefetcher follows, rows side by side it does not.
template <class Layout, size_t R, size_t V>
void rows(const typename Layout::Weights& weights, size_t first, size_t last, const void* const* activations,
          const float* bias, float* const* out) {
  const Group* groups[V];
  for (size_t v = 0; v < V; v++) groups[v] = (const Group*)activations[v];
  const size_t apart = (last - first) / R;
  for (size_t row = first; row < first + apart; row++)
    Layout::template row_group<R, V>(weights, row, apart, groups, bias, out);
  for (size_t row = first + R * apart; row < last; row++)
    Layout::template row_group<1, V>(weights, row, 1, groups, bias, out);
}

template <class Layout>
void run(const typename Layout::Weights& weights, size_t first, size_t last, const void* const* activations,
         size_t vectors, const float* bias, float* const* out) {
  switch (vectors) {
    case 1: return rows<Layout, 4, 1>(weights, first, last, activations, bias, out);
    case 2: return rows<Layout, 4, 2>(weights, first, last, activations, bias, out);
    case 3: return rows<Layout, 4, 3>(weights, first, last, activations, bias, out);
    case 4: return rows<Layout, 4, 4>(weights, first, last, activations, bias, out);
    case 5: return rows<Layout, 2, 5>(weights, first, last, activations, bias, out);
    case 6: return rows<Layout, 2, 6>(weights, first, last, activations, bias, out);
    case 7: return rows<Layout, 2, 7>(weights, first, last, activations, bias, out);
    default: return rows<Layout, 2, 8>(weights, first, last, activations, bias, out);
  }
}

constexpr Matvec<Mxfp4> kMatvecMxfp4 = {1, activation_bytes, kBlockCols, prepare, run<RowsOfSafetensors>};

}  // namespace
}  // namespace gptoss
