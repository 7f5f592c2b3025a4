// MXFP4 weights times many tokens: 64 bytes of 16 rows (128 columns) are transposed, so that a vector holds 8 columns of
// 16 rows as nibbles; a byte shuffle makes (value · 2 + 12), even columns before odd ones.

#include "int8_gemm.h"
#include "mxfp4_blocks.h"
#include "tables.h"
#include "transpose.h"

namespace gptoss {

namespace {

/// The nibbles of up to 4 blocks of 16 rows, and their exponents, a byte each. Whoever gathers them fetches those of the
/// panel after next meanwhile.
struct Nibbles {
  __m512i rows[16];
  alignas(64) uint32_t exponents[16];
};

/// As safetensors files hold them.
struct RowsOfSafetensors {
  using Weights = Mxfp4;

  static inline void gather(const Mxfp4& w, size_t row, size_t rows, size_t block, Nibbles& out) {
    const size_t blocks = w.cols / kBlockCols, left = blocks - block;
    const __mmask16 mask = left >= 4 ? 0xffff : (__mmask16)((1u << (4 * left)) - 1);
    const uint8_t* nibbles = w.blocks + (row * blocks + block) * 16;
    const uint8_t* scales = w.scales + row * blocks + block;
    const bool has_next = rows >= 3 * kPanelRows && left >= 4;
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++) {
      const size_t r = i < rows ? i : rows - 1;
      out.rows[i] = _mm512_maskz_loadu_epi32(mask, nibbles + r * blocks * 16);
      if (has_next) _mm_prefetch((const char*)nibbles + (r + kGemmRows) * blocks * 16, _MM_HINT_T1);
      out.exponents[i] = 0;
      memcpy(&out.exponents[i], scales + r * blocks, left >= 4 ? 4 : left);
    }
  }
};

/// As GGUF files hold them.
struct RowsOfBlocks {
  using Weights = Mxfp4Blocks;

  static inline void gather(const Mxfp4Blocks& w, size_t row, size_t rows, size_t block, Nibbles& out) {
    const size_t left = w.cols / kBlockCols - block, offset = block * Mxfp4Blocks::kBlockBytes;
    const bool has_next = rows >= 3 * kPanelRows && left >= 4;
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++) {
      const uint8_t* p = w.row(row + (i < rows ? i : rows - 1)) + offset;
      if (has_next) _mm_prefetch((const char*)w.row(row + i + kGemmRows) + offset, _MM_HINT_T1);
      uint8_t last[kFourBlocks];
      if (left < 4) {
        memset(last, 0, sizeof last);
        p = (const uint8_t*)memcpy(last, p, left * Mxfp4Blocks::kBlockBytes);
      }
      out.rows[i] = four_values(p);
      out.exponents[i] = four_exponents(p);
    }
  }
};

template <typename Rows>
struct Format {
  static constexpr int kOffset = 12;
  static constexpr float kActivationScale = 0.5f;  // weights are doubled

  /// 0 2 4 6 1 3 5 7 of every 8 columns.
  static __m256i order(__m256i q) {
    return _mm256_shuffle_epi8(q, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15)));
  }

  static inline void load(const typename Rows::Weights& w, size_t row, size_t last, size_t block, PanelGroup& group) {
    Nibbles nibbles;
    Rows::gather(w, row, last - row, block, nibbles);
    __m512i* const v = nibbles.rows;
    transpose(v);
    const __m512i table = kNibbleValues(), low = _mm512_set1_epi8(15), e = _mm512_load_si512(nibbles.exponents);
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

using OfSafetensors = Format<RowsOfSafetensors>;

}  // namespace

const Gemm<Mxfp4> kAvx512VnniGemmMxfp4 = {
    kMaxVectors + 1,    1, kGemmRows, 480, gemm_packed_bytes, gemm_scratch_bytes, gemm_pack<OfSafetensors>,
    gemm_run<Mxfp4, OfSafetensors>};

void avx512vnni_gemm_mxfp4_blocks(const Mxfp4Blocks& weights, size_t first, size_t last, const void* packed,
                                  size_t tokens, const GemmOutput& output, void* scratch) {
  gemm_run<Mxfp4Blocks, Format<RowsOfBlocks>>(weights, first, last, packed, tokens, output, scratch);
}

}  // namespace gptoss
