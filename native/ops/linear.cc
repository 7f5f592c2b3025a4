// x · weightᵀ + bias: a few rows at the speed of memory, many as a matrix product.

#include "matmul.h"
#include "ops.h"

namespace gptoss {

void multiply(const Machine& machine, const Matrix& weight, const MatmulInput& input, const GemmOutput& output) {
  if (input.rows == 0) return;
  if (weight.is_8_bit()) {
    multiply(machine, machine.kernels.matvec_dense8, machine.kernels.gemm_dense8, weight.dense8(), input, output);
  } else if (weight.is_f32) {
    multiply(machine, machine.kernels.matvec_f32, Gemm<DenseF32>{}, weight.f32(), input, output);
  } else {
    multiply(machine, machine.kernels.matvec_bf16, machine.kernels.gemm_bf16, weight.bf16(), input, output);
  }
}

void linear(const Machine& machine, const Tensor& x, const Matrix& weight, const float* bias, Tensor& out) {
  multiply(machine, weight, {x.row(0), x.cols, x.rows, x.cols}, {out.row(0), out.cols, bias});
}

void quantize(const Machine& machine, const Matrix& source, Matrix& target) {
  const size_t panels = (target.rows + kPanelRows - 1) / kPanelRows, padded = target.dense8().padded_cols();
  Ranges ranges(panels, 1, 4, machine.pool.size());
  machine.pool.run([&](size_t) {
    for (size_t first, last; ranges.next(&first, &last);) {
      for (size_t p = first; p < last; p++) {
        uint8_t* values = target.panels.as<uint8_t>() + p * kPanelRows * padded;
        uint16_t* scales = target.scales.as<uint16_t>() + p * kPanelRows * (padded / kBlockCols);
        if (source.is_f32) {
          machine.kernels.quantize_panel_f32(source.f32(), p, values, scales);
        } else {
          machine.kernels.quantize_panel_bf16(source.bf16(), p, values, scales);
        }
      }
    }
  });
}

}  // namespace gptoss
