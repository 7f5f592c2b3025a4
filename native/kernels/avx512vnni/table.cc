#include "../generic/attention.h"
#include "../generic/bf16_gemm.h"
#include "../generic/elementwise.h"
#include "../generic/matvec_dense.h"
#include "mxfp4_blocks_matvec.h"
#include "quantize.h"
#include "tables.h"

namespace gptoss {

Kernels avx512vnni_kernels() {
  Kernels k = {};
  k.matvec_mxfp4 = kMatvecMxfp4;
  k.matvec_mxfp4_blocks = run<RowsOfBlocks>;
  k.matvec_dense8 = kAvx512VnniMatvecDense8;
  k.matvec_bf16 = kMatvecBf16;
  k.matvec_f32 = kMatvecF32;
  k.gemm_mxfp4 = kAvx512VnniGemmMxfp4;
  k.gemm_mxfp4_blocks = avx512vnni_gemm_mxfp4_blocks;
  k.gemm_dense8 = kAvx512VnniGemmDense8;
  k.gemm_bf16 = kGemmBf16;
  k.attend = attend;
  k.quantize_panel_bf16 = quantize_panel_bf16;
  k.quantize_panel_f32 = quantize_panel;
  k.rms_norm = rms_norm;
  k.rope = rope;
  k.swiglu = swiglu;
  k.add = add;
  k.add_scaled = add_scaled;
  k.widen_bf16 = widen_bf16;
  return k;
}

}  // namespace gptoss
