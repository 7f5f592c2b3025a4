// AVX-512 with dot products of bfloat16 pairs at the speed of multiply-adds: AMD's, as measured on Zen 5. Intel's take
// four times as long, and AMX is there instead.

#include "attention.h"
#include "bf16_gemm.h"

namespace gptoss {

Kernels avx512vbmi_kernels();

Kernels avx512bf16_kernels() {
  Kernels k = avx512vbmi_kernels();
  k.gemm_bf16 = kPairsGemmBf16;
  k.attend = attend_pairs;
  k.attend_rounds = true;
  return k;
}

}  // namespace gptoss
