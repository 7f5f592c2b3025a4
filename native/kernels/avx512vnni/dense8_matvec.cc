// 8-bit panels of 16 rows times 8-bit vectors: a lane is a row, so nothing is summed across lanes.
//
// Weights carry 128 so that they are unsigned, as vpdpbusd wants its first factor; the sum of a block starts at
// -128 * (sum of its activations).

#include <immintrin.h>

#include "../kernels.h"
#include "tables.h"

namespace gptoss {
namespace {

/// One block of activations.
struct Block {
  int8_t values[kBlockCols];
  int32_t start;
  float scale;
};

size_t blocks_of(size_t cols) { return (cols + 63) / 64 * 2; }

size_t activation_bytes(size_t cols) { return (blocks_of(cols) * sizeof(Block) + 63) / 64 * 64; }

void prepare_block(const float* x, size_t count, Block* block) {
  const __mmask16 low = count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1);
  const __mmask16 high = count >= 32 ? 0xffff : count > 16 ? (__mmask16)((1u << (count - 16)) - 1) : 0;
  const __m512 a = _mm512_maskz_loadu_ps(low, x), b = _mm512_maskz_loadu_ps(high, x + 16);
  const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
  const float scale = largest / 127.0f;
  const __m512 inverse = _mm512_set1_ps(scale > kSmallestScale ? 1.0f / scale : 0.0f);
  const __m512i qa = _mm512_cvtps_epi32(_mm512_mul_ps(a, inverse)), qb = _mm512_cvtps_epi32(_mm512_mul_ps(b, inverse));
  _mm_storeu_si128((__m128i*)block->values, _mm512_cvtsepi32_epi8(qa));
  _mm_storeu_si128((__m128i*)(block->values + 16), _mm512_cvtsepi32_epi8(qb));
  block->start = -128 * _mm512_reduce_add_epi32(_mm512_add_epi32(qa, qb));
  block->scale = scale;
}

void prepare(const float* x, size_t first, size_t last, size_t cols, void* activation) {
  Block* blocks = (Block*)activation;
  for (size_t k = first; k < last; k += kBlockCols)
    prepare_block(x + k, last - k < kBlockCols ? last - k : kBlockCols, blocks + k / kBlockCols);
  if (last == cols) {
    const size_t used = (cols + kBlockCols - 1) / kBlockCols;
    memset(blocks + used, 0, (blocks_of(cols) - used) * sizeof(Block));
  }
}

inline __m512i broadcast4(const int8_t* p) {
  int32_t word;
  memcpy(&word, p, 4);
  return _mm512_set1_epi32(word);
}

/// P panels, `apart` rows from one another: each is a stream that the hardware prefetcher follows.
template <size_t P, size_t V>
void panel_group(const Dense8& weights, size_t row, size_t apart, const void* const* activations, const float* bias,
                 float* const* out) {
  const size_t blocks = weights.padded_cols() / kBlockCols;
  __m512 acc[P * V];
  for (size_t i = 0; i < P * V; i++) acc[i] = _mm512_setzero_ps();
  for (size_t b = 0; b < blocks; b++) {
    for (size_t p = 0; p < P; p++) {
      const size_t block = (row + p * apart) * blocks + b * kPanelRows;
      const uint8_t* w = weights.values + block * kBlockCols;
      __m512i columns[8];
      for (size_t j = 0; j < 8; j++) {
        _mm_prefetch((const char*)w + j * 64 + kPrefetchBytes, _MM_HINT_T0);
        columns[j] = _mm512_load_si512(w + j * 64);
      }
      _mm_prefetch((const char*)(weights.scales + block) + kPrefetchBytes / 8, _MM_HINT_T0);
      const __m256i half = _mm256_load_si256((const __m256i*)(weights.scales + block));
      const __m512 scale = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
      for (size_t v = 0; v < V; v++) {
        const Block& x = ((const Block*)activations[v])[b];
        __m512i sum = _mm512_set1_epi32(x.start);
        for (size_t j = 0; j < 8; j++) sum = _mm512_dpbusd_epi32(sum, columns[j], broadcast4(x.values + 4 * j));
        const __m512 both = _mm512_mul_ps(scale, _mm512_set1_ps(x.scale));
        acc[p * V + v] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), both, acc[p * V + v]);
      }
    }
  }
  for (size_t p = 0; p < P; p++) {
    const size_t at = row + p * apart, count = weights.rows - at < kPanelRows ? weights.rows - at : kPanelRows;
    const __mmask16 present = (__mmask16)((1u << count) - 1);
    const __m512 start = bias ? _mm512_maskz_loadu_ps(present, bias + at) : _mm512_setzero_ps();
    for (size_t v = 0; v < V; v++) _mm512_mask_storeu_ps(out[v] + at, present, _mm512_add_ps(acc[p * V + v], start));
  }
}

template <size_t V>
void panels(const Dense8& weights, size_t first, size_t last, const void* const* activations, const float* bias,
            float* const* out) {
  const size_t apart = (last - first) / kPanelRows / 2 * kPanelRows;
  for (size_t row = first; row < first + apart; row += kPanelRows)
    panel_group<2, V>(weights, row, apart, activations, bias, out);
  for (size_t row = first + 2 * apart; row < last; row += kPanelRows)
    panel_group<1, V>(weights, row, 0, activations, bias, out);
}

void run(const Dense8& weights, size_t first, size_t last, const void* const* activations, size_t vectors,
         const float* bias, float* const* out) {
  switch (vectors) {
    case 1: return panels<1>(weights, first, last, activations, bias, out);
    case 2: return panels<2>(weights, first, last, activations, bias, out);
    case 3: return panels<3>(weights, first, last, activations, bias, out);
    case 4: return panels<4>(weights, first, last, activations, bias, out);
    case 5: return panels<5>(weights, first, last, activations, bias, out);
    case 6: return panels<6>(weights, first, last, activations, bias, out);
    case 7: return panels<7>(weights, first, last, activations, bias, out);
    default: return panels<8>(weights, first, last, activations, bias, out);
  }
}

}  // namespace

extern const Matvec<Dense8> kAvx512VnniMatvecDense8 = {kPanelRows, activation_bytes, kBlockCols, prepare, run};

}  // namespace gptoss
