// v3: as v2, with two panels of 16 rows sharing each broadcast, and unpacking by transposition instead of gathers:
// 64 bytes of each row (128 columns) at a time, a whole cache line.
#include "vnni.h"

namespace {

constexpr size_t kRows = 32;

size_t scratch_bytes(size_t tokens, size_t) { return tokens * kRows * 4; }

void transpose(__m512i v[16]) {
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

/// Blocks [0, blocks) of 16 rows: nibbles as [8 columns][16 rows], exponents as [blocks] of 16 rows.
void load_panel(const uint8_t* nibbles, size_t row_bytes, const uint8_t* scales, size_t row_blocks, int rows, int blocks,
                __m512i columns[16], __m512 scale[4]) {
  const __mmask16 mask = (__mmask16)((1u << (4 * blocks)) - 1);
  alignas(64) uint32_t exponents[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) {
    const size_t r = (size_t)(i < rows ? i : rows - 1);
    columns[i] = _mm512_maskz_loadu_epi32(mask, nibbles + r * row_bytes);
    uint32_t e = 0;
    memcpy(&e, scales + r * row_blocks, (size_t)blocks);
    exponents[i] = e;
  }
  transpose(columns);
  const __m512i e = _mm512_load_si512(exponents);
  for (int b = 0; b < 4; b++) scale[b] = vnni::half_scale(_mm512_and_si512(_mm512_srli_epi32(e, 8 * (unsigned)b), _mm512_set1_epi32(255)));
}

void run(const gptoss::Mxfp4& w, size_t first, size_t last, const void* packed, size_t tokens,
         const gptoss::GemmOutput& output, void* scratch) {
  const size_t row_bytes = w.cols / 2, row_blocks = w.cols / 32;
  float* sums = (float*)scratch;
  const __m512i table = vnni::table();
  for (size_t n = first; n < last; n += kRows) {
    const int here = (int)(last - n < kRows ? last - n : kRows);
    const int upper = here < 16 ? here : 16, lower = here > 16 ? here - 16 : 1;
    const size_t second = here > 16 ? n + 16 : n;
    for (size_t m = 0; m < tokens * kRows; m += 16) _mm512_store_ps(sums + m, _mm512_setzero_ps());
    for (size_t b = 0; b < row_blocks; b += 4) {
      const int blocks = (int)(row_blocks - b < 4 ? row_blocks - b : 4);
      __m512i panel0[16], panel1[16];
      __m512 scale0[4], scale1[4];
      load_panel(w.blocks + n * row_bytes + b * 16, row_bytes, w.scales + n * row_blocks + b, row_blocks, upper, blocks, panel0, scale0);
      load_panel(w.blocks + second * row_bytes + b * 16, row_bytes, w.scales + second * row_blocks + b, row_blocks, lower, blocks, panel1, scale1);
      for (int j = 0; j < blocks; j++) {
        const char* block = (const char*)packed + (b + (size_t)j) * vnni::block_bytes(tokens);
        const float* x_scale = (const float*)(block + tokens * 32);
        const int32_t* correction = (const int32_t*)(block + tokens * 36);
        __m512i w0[8], w1[8];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
          w0[2 * i] = vnni::low(panel0[4 * j + i], table);
          w0[2 * i + 1] = vnni::low(_mm512_srli_epi16(panel0[4 * j + i], 4), table);
          w1[2 * i] = vnni::low(panel1[4 * j + i], table);
          w1[2 * i + 1] = vnni::low(_mm512_srli_epi16(panel1[4 * j + i], 4), table);
        }
        const __m512 s0 = scale0[j], s1 = scale1[j];
        for (size_t m = 0; m < tokens; m++) {
          const int32_t* x = (const int32_t*)(block + m * 32);
          __m512i d0 = _mm512_set1_epi32(correction[m]), d1 = d0;
#pragma GCC unroll 8
          for (int i = 0; i < 8; i++) {
            const __m512i a = _mm512_set1_epi32(x[i]);
            d0 = _mm512_dpbusd_epi32(d0, w0[i], a);
            d1 = _mm512_dpbusd_epi32(d1, w1[i], a);
          }
          const __m512 xs = _mm512_set1_ps(x_scale[m]);
          float* sum = sums + m * kRows;
          _mm512_store_ps(sum, _mm512_fmadd_ps(_mm512_cvtepi32_ps(d0), _mm512_mul_ps(s0, xs), _mm512_load_ps(sum)));
          _mm512_store_ps(sum + 16, _mm512_fmadd_ps(_mm512_cvtepi32_ps(d1), _mm512_mul_ps(s1, xs), _mm512_load_ps(sum + 16)));
        }
      }
    }
    const __mmask16 m0 = (__mmask16)((1u << upper) - 1), m1 = here > 16 ? (__mmask16)((1u << lower) - 1) : 0;
    const __m512 b0 = output.bias ? _mm512_maskz_loadu_ps(m0, output.bias + n) : _mm512_setzero_ps();
    const __m512 b1 = output.bias ? _mm512_maskz_loadu_ps(m1, output.bias + n + 16) : _mm512_setzero_ps();
    for (size_t m = 0; m < tokens; m++) {
      float* out = output.out + m * output.stride + n;
      _mm512_mask_storeu_ps(out, m0, _mm512_add_ps(_mm512_load_ps(sums + m * kRows), b0));
      _mm512_mask_storeu_ps(out + 16, m1, _mm512_add_ps(_mm512_load_ps(sums + m * kRows + 16), b1));
    }
  }
}

}  // namespace

const ladder::Kernel ladder::v3 = {1, 1, 32, 480, vnni::packed_bytes, scratch_bytes, vnni::pack, run};
