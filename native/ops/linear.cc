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
  machine.count_read(weight.bytes_read());
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

void quantize(const Machine& machine, Matrix& matrix, size_t panels) {
  const size_t padded = matrix.dense8().padded_cols(), start = matrix.quantized;
  const size_t count = std::min(panels, matrix.panel_count() - start);
  float* widened = nullptr;
  if (matrix.is_q8_0) {
    machine.scratch.reset();
    widened = machine.scratch.take_array<float>(kPanelRows * matrix.cols * machine.pool.size());
  }
  Ranges ranges(count, 1, 4, machine.pool.size());
  machine.pool.run([&](size_t thread) {
    for (size_t first, last; ranges.next(&first, &last);) {
      for (size_t p = start + first; p < start + last; p++) {
        uint8_t* values = matrix.panels.as<uint8_t>() + p * kPanelRows * padded;
        uint16_t* scales = matrix.scales.as<uint16_t>() + p * kPanelRows * (padded / kBlockCols);
        if (matrix.is_q8_0) {
          float* rows = widened + thread * kPanelRows * matrix.cols;
          const size_t first_row = p * kPanelRows, here = std::min(kPanelRows, matrix.rows - first_row);
          for (size_t i = 0; i < here; i++)
            widen_q8_0(matrix.values.data() + (first_row + i) * q8_0_bytes(matrix.cols), matrix.cols, rows + i * matrix.cols);
          const DenseF32 panel = {reinterpret_cast<const uint8_t*>(rows), here, matrix.cols};
          machine.kernels.quantize_panel_f32(panel, 0, values, scales);
        } else if (matrix.is_f32) {
          machine.kernels.quantize_panel_f32(matrix.f32(), p, values, scales);
        } else {
          machine.kernels.quantize_panel_bf16(matrix.bf16(), p, values, scales);
        }
      }
    }
  });
  matrix.quantized += count;
}

}  // namespace gptoss
