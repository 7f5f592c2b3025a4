// One weight times some rows, on all threads: chooses between matrix-vector and matrix-matrix kernels.

#pragma once

#include <algorithm>
#include <type_traits>

#include "ops.h"

namespace gptoss {

struct MatmulInput {
  const float* x;
  size_t stride;
  size_t rows;
  size_t cols;
};

/// In whichever storage the matrix has.
void multiply(const Machine& machine, const Matrix& weight, const MatmulInput& input, const GemmOutput& output);

/// Bytes that a thread reads before it asks for more: enough to stream, few enough that all end together.
constexpr size_t kBytesPerRange = 64 << 10;

template <typename Weights>
size_t bytes_per_row(const Weights& weights) {
  if constexpr (std::is_same_v<Weights, Dense8>) return weights.cols;
  if constexpr (std::is_same_v<Weights, DenseBf16>) return weights.cols * 2;
  if constexpr (std::is_same_v<Weights, DenseF32>) return weights.cols * 4;
  return weights.cols / 2;
}

/// At most kMaxVectors rows: each weight is read once.
template <typename Weights>
void multiply_vectors(const Machine& machine, const Matvec<Weights>& kernel, const Weights& weights,
                      const MatmulInput& input, const GemmOutput& output) {
  const size_t bytes = kernel.activation_bytes(input.cols);
  char* memory = machine.scratch.take_array<char>(bytes * input.rows);
  const void* activations[kMaxVectors];
  float* out[kMaxVectors];
  for (size_t v = 0; v < input.rows; v++) {
    kernel.prepare(input.x + v * input.stride, 0, input.cols, input.cols, memory + v * bytes);
    activations[v] = memory + v * bytes;
    out[v] = output.out + v * output.stride;
  }
  const size_t row_bytes = bytes_per_row(weights);
  if (weights.rows * row_bytes < kBytesPerRange) {
    kernel.run(weights, 0, weights.rows, activations, input.rows, output.bias, out);
    return;
  }
  Ranges ranges(weights.rows, kernel.row_tile, kBytesPerRange / row_bytes, machine.pool.size());
  machine.pool.run([&](size_t) {
    for (size_t first, last; ranges.next(&first, &last);)
      kernel.run(weights, first, last, activations, input.rows, output.bias, out);
  });
}

template <typename Weights>
void multiply_matrix(const Machine& machine, const Gemm<Weights>& kernel, const Weights& weights,
                     const MatmulInput& input, const GemmOutput& output) {
  const size_t threads = machine.pool.size();
  void* packed = machine.scratch.take(kernel.packed_bytes(input.rows, input.cols));
  const size_t scratch_bytes = round_up(kernel.scratch_bytes(input.rows, input.cols), 64);
  char* scratch = machine.scratch.take_array<char>(scratch_bytes * threads);
  const GemmInput gemm_input = {input.x, input.stride, nullptr, input.rows, input.cols};
  Ranges tokens(input.rows, kernel.token_tile, kernel.token_tile, threads);
  Ranges rows(weights.rows, kernel.row_tile, kernel.row_tile, threads);
  machine.pool.run([&](size_t thread) {
    for (size_t first, last; tokens.next(&first, &last);) kernel.pack(gemm_input, first, last, packed);
    machine.pool.barrier();
    for (size_t first, last; rows.next(&first, &last);) {
      for (size_t row = first; row < last; row += kernel.rows_per_task) {
        kernel.run(weights, row, std::min(row + kernel.rows_per_task, last), packed, input.rows, output,
                   scratch + thread * scratch_bytes);
      }
    }
  });
}

template <typename Weights>
void multiply(const Machine& machine, const Matvec<Weights>& matvec, const Gemm<Weights>& gemm, const Weights& weights,
              const MatmulInput& input, const GemmOutput& output) {
  if (gemm.run != nullptr && input.rows >= gemm.min_tokens) {
    return multiply_matrix(machine, gemm, weights, input, output);
  }
  for (size_t row = 0; row < input.rows; row += kMaxVectors) {
    const MatmulInput part = {input.x + row * input.stride, input.stride, std::min(input.rows - row, kMaxVectors),
                              input.cols};
    multiply_vectors(machine, matvec, weights, part, {output.out + row * output.stride, output.stride, output.bias});
  }
}

}  // namespace gptoss
