// The tables that this folder's files fill together. Matrix-vector kernels are those of ../avx512vnni/.

#pragma once

#include "../kernels.h"

namespace gptoss {

extern const Gemm<Mxfp4> kAmxGemmMxfp4;
extern const Gemm<Dense8> kAmxGemmDense8;
extern const Gemm<DenseBf16> kAmxGemmBf16;

void amx_gemm_mxfp4_blocks(const Mxfp4Blocks& w, size_t first, size_t last, const void* packed, size_t tokens,
                           const GemmOutput& output, void* scratch);

}  // namespace gptoss
