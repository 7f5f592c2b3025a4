// The tables that this folder's files fill together. Matrix-vector kernels are those of ../avx512vnni/.

#pragma once

#include "../kernels.h"

namespace gptoss {

extern const Gemm<Mxfp4> kAmxGemmMxfp4;
extern const Gemm<Dense8> kAmxGemmDense8;
extern const Gemm<DenseBf16> kAmxGemmBf16;

}  // namespace gptoss
