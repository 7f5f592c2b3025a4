// x · weightᵀ + bias: a few rows at the speed of memory, many as a matrix product.

#include "matmul.h"
#include "ops.h"
#include "q8_0.h"

namespace gptoss {

namespace {

/// Weights that are meant to be looked up, or to become panels; so not in a hurry.
void multiply_q8_0(const Machine& machine, const Matrix& weight, const MatmulInput& input, const GemmOutput& output) {
  constexpr size_t kRows = 256;
  float* rows = machine.scratch.take_array<float>(kRows * weight.cols);
  const uint8_t* values = weight.values.data();
  for (size_t first = 0; first < weight.rows; first += kRows) {
    const size_t count = std::min(kRows, weight.rows - first);
    for_rows(machine, count, weight.cols, [&](size_t from, size_t to) {
      for (size_t i = from; i < to; i++)
        widen_q8_0(values + (first + i) * q8_0_bytes(weight.cols), weight.cols, rows + i * weight.cols);
    });
    const DenseF32 part = {reinterpret_cast<const uint8_t*>(rows), count, weight.cols};
    multiply(machine, machine.kernels.matvec_f32, Gemm<DenseF32>{}, part, input,
             {output.out + first, output.stride, output.bias == nullptr ? nullptr : output.bias + first});
  }
}

}  // namespace

void multiply(const Machine& machine, const Matrix& weight, const MatmulInput& input, const GemmOutput& output) {
  if (input.rows == 0) return;
  if (weight.is_8_bit()) {
    multiply(machine, machine.kernels.matvec_dense8, machine.kernels.gemm_dense8, weight.dense8(), input, output);
  } else if (weight.is_q8_0) {
    multiply_q8_0(machine, weight, input, output);
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
  float* widened = nullptr;  // a panel for each thread
  if (source.is_q8_0) {
    machine.scratch.reset();
    widened = machine.scratch.take_array<float>(kPanelRows * source.cols * machine.pool.size());
  }
  Ranges ranges(panels, 1, 4, machine.pool.size());
  machine.pool.run([&](size_t thread) {
    for (size_t first, last; ranges.next(&first, &last);) {
      for (size_t p = first; p < last; p++) {
        uint8_t* values = target.panels.as<uint8_t>() + p * kPanelRows * padded;
        uint16_t* scales = target.scales.as<uint16_t>() + p * kPanelRows * (padded / kBlockCols);
        if (source.is_q8_0) {
          float* rows = widened + thread * kPanelRows * source.cols;
          const size_t first_row = p * kPanelRows, count = std::min(kPanelRows, source.rows - first_row);
          for (size_t i = 0; i < count; i++)
            widen_q8_0(source.values.data() + (first_row + i) * q8_0_bytes(source.cols), source.cols, rows + i * source.cols);
          const DenseF32 panel = {reinterpret_cast<const uint8_t*>(rows), count, source.cols};
          machine.kernels.quantize_panel_f32(panel, 0, values, scales);
        } else if (source.is_f32) {
          machine.kernels.quantize_panel_f32(source.f32(), p, values, scales);
        } else {
          machine.kernels.quantize_panel_bf16(source.bf16(), p, values, scales);
        }
      }
    }
  });
}

}  // namespace gptoss
