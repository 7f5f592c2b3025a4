// v2: int8 dot products. 16 rows x 32 columns are unpacked once into registers as [4 columns][16 rows] bytes; then each
// token costs 8 broadcast dot products, a conversion and a multiply-add. Unpacking gathers.
#include "vnni.h"

namespace {

size_t scratch_bytes(size_t tokens, size_t) { return tokens * 64; }

void run(const gptoss::Mxfp4& w, size_t first, size_t last, const void* packed, size_t tokens,
         const gptoss::GemmOutput& output, void* scratch) {
  const size_t row_bytes = w.cols / 2, row_blocks = w.cols / 32;
  float* sums = (float*)scratch;
  const __m512i table = vnni::table();
  for (size_t n = first; n < last; n += 16) {
    const int here = (int)(last - n < 16 ? last - n : 16);
    alignas(64) int32_t rows[16];
    for (int i = 0; i < 16; i++) rows[i] = i < here ? i : here - 1;
    const __m512i row = _mm512_load_si512(rows);
    const __m512i nibble_index = _mm512_mullo_epi32(row, _mm512_set1_epi32((int)row_bytes));
    for (size_t m = 0; m < tokens; m++) _mm512_store_ps(sums + m * 16, _mm512_setzero_ps());
    for (size_t b = 0; b < row_blocks; b++) {
      const char* block = (const char*)packed + b * vnni::block_bytes(tokens);
      __m512i weights[8];
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) {
        const __m512i nibbles = _mm512_i32gather_epi32(nibble_index, w.blocks + n * row_bytes + b * 16 + i * 4, 1);
        weights[2 * i] = vnni::low(nibbles, table);
        weights[2 * i + 1] = vnni::low(_mm512_srli_epi16(nibbles, 4), table);
      }
      alignas(64) int32_t exponents[16];
      for (int i = 0; i < 16; i++) exponents[i] = w.scales[(n + (size_t)rows[i]) * row_blocks + b];
      const __m512 scale = vnni::half_scale(_mm512_load_si512(exponents));
      const float* x_scale = (const float*)(block + tokens * 32);
      const int32_t* correction = (const int32_t*)(block + tokens * 36);
      for (size_t m = 0; m < tokens; m++) {
        const int32_t* x = (const int32_t*)(block + m * 32);
        __m512i dot = _mm512_set1_epi32(correction[m]);
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) dot = _mm512_dpbusd_epi32(dot, weights[i], _mm512_set1_epi32(x[i]));
        const __m512 s = _mm512_mul_ps(scale, _mm512_set1_ps(x_scale[m]));
        _mm512_store_ps(sums + m * 16, _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), s, _mm512_load_ps(sums + m * 16)));
      }
    }
    const __mmask16 mask = (__mmask16)((1u << here) - 1);
    const __m512 bias = output.bias ? _mm512_maskz_loadu_ps(mask, output.bias + n) : _mm512_setzero_ps();
    for (size_t m = 0; m < tokens; m++)
      _mm512_mask_storeu_ps(output.out + m * output.stride + n, mask, _mm512_add_ps(_mm512_load_ps(sums + m * 16), bias));
  }
}

}  // namespace

const ladder::Kernel ladder::v2 = {1, 1, 16, 480, vnni::packed_bytes, scratch_bytes, vnni::pack, run};
