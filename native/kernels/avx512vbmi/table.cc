// AVX-512 VNNI with byte permutes (VBMI, from Ice Lake and Zen 4 on): MXFP4 needs two instructions less.

#include "../avx512vnni/mxfp4_blocks_matvec.h"

namespace gptoss {

Kernels avx512vnni_kernels();

Kernels avx512vbmi_kernels() {
  Kernels k = avx512vnni_kernels();
  k.matvec_mxfp4 = kMatvecMxfp4;
  k.matvec_mxfp4_blocks = run<RowsOfBlocks>;
  return k;
}

}  // namespace gptoss
