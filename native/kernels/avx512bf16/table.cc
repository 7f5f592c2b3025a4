// AVX-512 with dot products of bfloat16 pairs at the speed of multiply-adds: AMD's, from Zen 5 on surely. Intel's take
// twice as long, where AMX is better anyway.

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
