// linear: every storage, few rows and many, against f64.

#include "ops_bench.h"
#include "tests.h"

namespace gptoss::testing {

namespace {

void test_matrix(Bench& bench, Random& random, const Matrix& matrix, const Values& exact, double tolerance, const char* what,
                 Report& report) {
  for (size_t rows : {size_t{1}, size_t{3}, size_t{8}, size_t{9}, random.between(10, 70)}) {
    const Tensor x = bench.random_tensor(random, rows, matrix.cols);
    const Vector bias = bench.random_vector(random, matrix.rows);
    Tensor out = bench.tensor(rows, matrix.rows);
    const bool has_bias = random.bits() % 2;
    bench.scratch.reset();
    linear(bench.machine, x, matrix, has_bias ? bias.data() : nullptr, out);
    for (size_t m = 0; m < rows; m++) {
      std::vector<double> want(matrix.rows);
      for (size_t n = 0; n < matrix.rows; n++) {
        want[n] = has_bias ? bias.data()[n] : 0;
        for (size_t k = 0; k < matrix.cols; k++) want[n] += static_cast<double>(exact.at(n, k)) * x.row(m)[k];
      }
      expect_row(report, out.row(m), want, tolerance,
                 text("linear %s [%zu, %zu], row %zu of %zu", what, matrix.rows, matrix.cols, m, rows));
    }
  }
}

/// The values that 8-bit panels stand for.
Values panel_values(const Matrix& matrix) {
  const Dense8 w = matrix.dense8();
  const size_t padded = w.padded_cols();
  Values values = {w.rows, w.cols, std::vector<float>(w.rows * w.cols)};
  for (size_t n = 0; n < w.rows; n++) {
    for (size_t k = 0; k < w.cols; k++) {
      const int value = w.values[n / 16 * 16 * padded + k / 4 * 64 + n % 16 * 4 + k % 4] - 128;
      const uint16_t scale = w.scales[n / 16 * 16 * (padded / 32) + k / 32 * 16 + n % 16];
      values.values[n * w.cols + k] = static_cast<float>(value) * from_bf16(scale);
    }
  }
  return values;
}

}  // namespace

void test_linear(const Kernels& kernels, size_t threads, Report& report) {
  Random random(5);
  Bench bench(kernels, threads);
  for (size_t round = 0; round < 6; round++) {
    // The last is large enough for several ranges a thread.
    const size_t rows = round == 5 ? 700 : random.between(1, 90), cols = round == 5 ? 416 : random.between(1, 12) * 32;
    const RandomBf16 bf16 = random_bf16(random, rows, cols, Kind::kRandom);
    const Matrix stored = bench.bf16_matrix(bf16);
    test_matrix(bench, random, stored, bf16.exact, 1e-2, "bf16", report);  // a tile product rounds both factors to bf16
    const RandomF32 f32 = random_f32(random, rows, cols, Kind::kRandom);
    test_matrix(bench, random, bench.f32_matrix(f32), f32.exact, 1e-5, "f32", report);

    Matrix panels = bench.bf16_matrix(bf16);
    panels.panels = Buffer(round_up(rows, kPanelRows) * round_up(cols, 64), &bench.bytes);
    panels.scales = Buffer(round_up(rows, kPanelRows) * round_up(cols, 64) / 32 * sizeof(uint16_t), &bench.bytes);
    quantize(bench.machine, panels, 1);
    quantize(bench.machine, panels, panels.panel_count());
    test_matrix(bench, random, panels, panel_values(panels), 2e-2, "dense8", report);  // activations in 8 bits
  }
}

}  // namespace gptoss::testing
