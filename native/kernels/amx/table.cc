#include "../generic/attention.h"
#include "../generic/elementwise.h"
#include "../generic/matvec_dense.h"
#include "../avx512vnni/mxfp4_blocks_matvec.h"
#include "../avx512vnni/quantize.h"
#include "../avx512vnni/tables.h"
#include "tables.h"

namespace gptoss {

Kernels amx_kernels() {
  Kernels k = {};
  k.matvec_mxfp4 = kMatvecMxfp4;
  k.matvec_mxfp4_blocks = run<RowsOfBlocks>;
  k.matvec_dense8 = kAvx512VnniMatvecDense8;
  k.matvec_bf16 = kMatvecBf16;
  k.matvec_f32 = kMatvecF32;
  k.gemm_mxfp4 = kAmxGemmMxfp4;
  k.gemm_mxfp4_blocks = amx_gemm_mxfp4_blocks;
  k.gemm_dense8 = kAmxGemmDense8;
  k.gemm_bf16 = kAmxGemmBf16;
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
