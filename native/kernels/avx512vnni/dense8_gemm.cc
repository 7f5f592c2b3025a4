// 8-bit dense weights times many tokens: they lie as the dot products take them.

#include "int8_gemm.h"
#include "tables.h"

namespace gptoss {

namespace {

struct Format {
  static constexpr int kOffset = 128;
  static constexpr float kActivationScale = 1.0f;

  static __m256i order(__m256i q) { return q; }

  static inline void load(const Dense8& w, size_t row, size_t, size_t block, PanelGroup& group) {
    const size_t padded = w.padded_cols(), panel = row / kPanelRows;
    const uint8_t* values = w.values + panel * kPanelRows * padded + block * kBlockCols * kPanelRows;
    const uint16_t* scales = w.scales + (panel * (padded / kBlockCols) + block) * kPanelRows;
    for (size_t b = 0; b < 4 && block + b < padded / kBlockCols; b++) {
#pragma GCC unroll 8
      for (size_t i = 0; i < 8; i++) group.values[b][i] = _mm512_load_si512(values + (b * 8 + i) * 64);
      const __m256i half = _mm256_load_si256((const __m256i*)(scales + b * kPanelRows));
      group.scale[b] = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
    }
  }
};

}  // namespace

const Gemm<Dense8> kAvx512VnniGemmDense8 = {kMaxVectors + 1,   1,        kGemmRows, 256, gemm_packed_bytes, gemm_scratch_bytes,
                                            gemm_pack<Format>, gemm_run<Dense8, Format>};

}  // namespace gptoss
