// The table of the variants with 256-bit vectors, which differ in one instruction (dot.h) and so are compiled twice.

#pragma once

#include "../generic/attention.h"
#include "../generic/bf16_gemm.h"
#include "../generic/elementwise.h"
#include "../generic/matvec_dense.h"
#include "../generic/quantize.h"
#include "dense8_gemm.h"
#include "dense8_matvec.h"
#include "mxfp4_gemm.h"
#include "mxfp4_matvec.h"

namespace gptoss {
namespace {

static Kernels table() {
  Kernels k = {};
  k.matvec_mxfp4 = kMatvecMxfp4;
  k.matvec_dense8 = kMatvecDense8;
  k.matvec_bf16 = kMatvecBf16;
  k.matvec_f32 = kMatvecF32;
  k.gemm_mxfp4 = kGemmMxfp4;
  k.gemm_dense8 = kGemmDense8;
  k.gemm_bf16 = kGemmBf16;
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

}  // namespace
}  // namespace gptoss
