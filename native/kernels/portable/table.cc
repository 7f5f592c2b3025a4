#include "../generic/attention.h"
#include "../generic/elementwise.h"
#include "../generic/matvec_dense.h"
#include "../generic/quantize.h"
#include "tables.h"

namespace gptoss {

Kernels portable_kernels() {
  Kernels k = {};
  k.matvec_mxfp4 = kPortableMatvecMxfp4;
  k.matvec_dense8 = kPortableMatvecDense8;
  k.matvec_bf16 = kMatvecBf16;
  k.matvec_f32 = kMatvecF32;
  k.attend = attend;
  k.quantize_panel_bf16 = quantize_panel;
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
