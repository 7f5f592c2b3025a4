// A machine to run operations on, and tensors with the values of both sides.

#pragma once

#include <atomic>
#include <utility>

#include "../ops/ops.h"
#include "weights.h"

namespace gptoss::testing {

struct Bench {
  Bench(const Kernels& kernels, size_t threads) : pool(threads), machine{kernels, pool, scratch} {}
  std::atomic<int64_t> bytes{0};
  Pool pool;
  Arena scratch{&bytes};
  Machine machine;

  Tensor tensor(size_t rows, size_t cols) { return {Buffer(rows * cols * sizeof(float), &bytes), rows, cols}; }
  Tensor random_tensor(Random& random, size_t rows, size_t cols, float size = 1) {
    Tensor made = tensor(rows, cols);
    for (size_t i = 0; i < rows * cols; i++) made.row(0)[i] = random.normal() * size;
    return made;
  }
  Vector random_vector(Random& random, size_t length, float size = 1) {
    Vector made = {Buffer(length * sizeof(float), &bytes), length};
    for (size_t i = 0; i < length; i++) made.values.as<float>()[i] = random.normal() * size;
    return made;
  }
  Buffer copy(const void* data, size_t size) {
    Buffer made(size, &bytes);
    std::memcpy(made.data(), data, size);
    return made;
  }
  Matrix bf16_matrix(const RandomBf16& from) {
    Matrix made;
    made.rows = from.exact.rows;
    made.cols = from.exact.cols;
    made.values.mapped.data = from.values.data();
    return made;
  }
  Matrix f32_matrix(const RandomF32& from) {
    Matrix made;
    made.rows = from.exact.rows;
    made.cols = from.exact.cols;
    made.values.mapped.data = from.values.data();
    made.is_f32 = true;
    return made;
  }
};

/// The largest difference of a row, relative to the row's largest value, within `tolerance`.
inline void expect_row(Report& report, const float* got, const std::vector<double>& want, double tolerance,
                       const std::string& what) {
  double largest = 1e-30, error = 0;
  for (size_t i = 0; i < want.size(); i++) {
    largest = std::fmax(largest, std::fabs(want[i]));
    error = std::isfinite(got[i]) ? std::fmax(error, std::fabs(got[i] - want[i])) : INFINITY;
  }
  report.close(error / largest, 0, tolerance, [&] { return what; });
}

}  // namespace gptoss::testing
