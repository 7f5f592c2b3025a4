// Bfloat16 dense weights, as the file holds them.

#include "dense_gemm.h"
#include "tables.h"

namespace gptoss {

namespace {

void unpack(const DenseBf16& weights, size_t row, size_t last, char* out, size_t apart) {
  const size_t steps = dense_steps(weights.cols), rows = last - row < kTileRows ? last - row : kTileRows;
  const uint8_t* from = weights.values + row * weights.cols * 2;
  for (size_t k = 0; k < steps; k++, out += apart) {
    const size_t left = weights.cols - k * 32;
    const __mmask32 mask = left >= 32 ? 0xffffffffu : (1u << left) - 1;
    __m512i v[16];
#pragma GCC unroll 16
    for (size_t r = 0; r < kTileRows; r++)
      v[r] = r < rows ? _mm512_maskz_loadu_epi16(mask, from + (r * weights.cols + k * 32) * 2) : _mm512_setzero_si512();
    transpose(v);
#pragma GCC unroll 16
    for (size_t p = 0; p < 16; p++) _mm512_store_si512(out + p * 64, v[p]);
  }
}

}  // namespace

const Gemm<DenseBf16> kAmxGemmBf16 = {kMaxVectors + 1, kTileTokens, kDensePanel, kDenseRows, dense_packed_bytes,
                                      dense_scratch_bytes, dense_pack, dense_run<DenseBf16, unpack>};

}  // namespace gptoss
