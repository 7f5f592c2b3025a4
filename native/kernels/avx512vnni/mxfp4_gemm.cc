// MXFP4 weights times many tokens: 64 bytes of 16 rows (128 columns) are transposed, so that a vector holds 8 columns of
// 16 rows as nibbles; a byte shuffle makes (value · 2 + 12), even columns before odd ones.

#include "int8_gemm.h"
#include "tables.h"
#include "transpose.h"

namespace gptoss {

namespace {

struct Format {
  static constexpr int kOffset = 12;
  static constexpr float kActivationScale = 0.5f;  // weights are doubled

  /// 0 2 4 6 1 3 5 7 of every 8 columns.
  static __m256i order(__m256i q) {
    return _mm256_shuffle_epi8(q, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15)));
  }

  static inline void load(const Mxfp4& w, size_t row, size_t last, size_t block, PanelGroup& group) {
    const size_t blocks = w.cols / kBlockCols, left = blocks - block, rows = last - row;
    const __mmask16 mask = left >= 4 ? 0xffff : (__mmask16)((1u << (4 * left)) - 1);
    const uint8_t* nibbles = w.blocks + (row * blocks + block) * 16;
    const uint8_t* scales = w.scales + row * blocks + block;
    const bool has_next = rows >= 3 * kPanelRows && left >= 4;  // of the panel after next, to be fetched meanwhile
    __m512i v[16];
    alignas(64) uint32_t exponents[16];
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++) {
      const size_t r = i < rows ? i : rows - 1;
      v[i] = _mm512_maskz_loadu_epi32(mask, nibbles + r * blocks * 16);
      if (has_next) _mm_prefetch((const char*)nibbles + (r + kGemmRows) * blocks * 16, _MM_HINT_T1);
      exponents[i] = 0;
      memcpy(&exponents[i], scales + r * blocks, left >= 4 ? 4 : left);
    }
    transpose(v);
    const __m512i table = kNibbleValues(), low = _mm512_set1_epi8(15), e = _mm512_load_si512(exponents);
#pragma GCC unroll 4
    for (unsigned b = 0; b < 4; b++) {
      const __m512i exponent = _mm512_and_si512(_mm512_srli_epi32(e, 8 * b), _mm512_set1_epi32(255));
      group.scale[b] = _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
#pragma GCC unroll 4
      for (unsigned i = 0; i < 4; i++) {
        const __m512i x = v[4 * b + i];
        group.values[b][2 * i] = _mm512_shuffle_epi8(table, _mm512_and_si512(x, low));
        group.values[b][2 * i + 1] = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(x, 4), low));
      }
    }
  }
};

}  // namespace

const Gemm<Mxfp4> kAvx512VnniGemmMxfp4 = {kMaxVectors + 1,   1,        kGemmRows, 480, gemm_packed_bytes, gemm_scratch_bytes,
                                          gemm_pack<Format>, gemm_run<Mxfp4, Format>};

}  // namespace gptoss
