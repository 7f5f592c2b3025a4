// Kernels that work on one row, and the rounding of weights to 8 bits, against f64.

#include "tests.h"
#include "weights.h"

namespace gptoss::testing {

namespace {

Guarded<float> random_row(Random& random, size_t n, float size) {
  Guarded<float> row(n);
  for (size_t i = 0; i < n; i++) row[i] = random.normal() * size;
  return row;
}

void test_rms_norm(const Kernels& kernels, Random& random, size_t n, Report& report) {
  const float size = random.one_of({1.0f, 1e4f, 1e-3f, 0.0f});
  const Guarded<float> x = random_row(random, n, size), scale = random_row(random, n, 1);
  Guarded<float> out(n);
  kernels.rms_norm(x.data(), scale.data(), 1e-5f, n, out.data());
  double squares = 0;
  for (size_t i = 0; i < n; i++) squares += static_cast<double>(x[i]) * x[i];
  const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
  for (size_t i = 0; i < n; i++) {
    const double want = x[i] * factor * scale[i];
    report.close(out[i], want, 2e-6 * std::fabs(want), [&] { return text("rms_norm of %zu", n); });
  }
}

void test_rope(const Kernels& kernels, Random& random, size_t heads, size_t head_dim, Report& report) {
  const size_t half = head_dim / 2;
  const Guarded<float> x = random_row(random, heads * head_dim, 1), cos = random_row(random, half, 1),
                       sin = random_row(random, half, 1);
  Guarded<float> out(heads * head_dim);
  kernels.rope(x.data(), heads, head_dim, cos.data(), sin.data(), out.data());
  for (size_t h = 0; h < heads; h++) {
    for (size_t i = 0; i < half; i++) {
      const double a = x[h * head_dim + i], b = x[h * head_dim + i + half], c = cos[i], s = sin[i];
      const double bound = 3e-7 * (std::fabs(a) + std::fabs(b)) * (std::fabs(c) + std::fabs(s)) + 1e-12;
      const auto where = [&] { return text("rope of %zu heads of %zu", heads, head_dim); };
      report.close(out[h * head_dim + i], a * c - b * s, bound, where);
      report.close(out[h * head_dim + i + half], b * c + a * s, bound, where);
    }
  }
}

void test_swiglu(const Kernels& kernels, Random& random, size_t n, Report& report) {
  const float limit = 7, size = random.one_of({1.0f, 6.0f, 100.0f});
  Guarded<float> u = random_row(random, 2 * n, size);
  std::vector<double> want(n);
  for (size_t i = 0; i < n; i++) {
    const double gate = std::fmin(u[2 * i], limit), linear = std::fmax(std::fmin(u[2 * i + 1], limit), -limit);
    want[i] = gate / (1 + std::exp(-1.702 * gate)) * (linear + 1);
  }
  Guarded<float> out(n);
  kernels.swiglu(u.data(), n, limit, out.data());
  kernels.swiglu(u.data(), n, limit, u.data());
  for (size_t i = 0; i < n; i++) {
    // Near linear = -1 the factor cancels.
    const double bound = 2e-5 * std::fabs(want[i]) + 1e-5;
    report.close(out[i], want[i], bound, [&] { return text("swiglu of %zu", n); });
    report.expect(out[i] == u[i], "swiglu in place gives the same");
  }
}

void test_sums(const Kernels& kernels, Random& random, size_t n, Report& report) {
  const Guarded<float> a = random_row(random, n, 100), b = random_row(random, n, 1);
  Guarded<float> out(n);
  kernels.add(a.data(), b.data(), n, out.data());
  for (size_t i = 0; i < n; i++) report.expect(out[i] == a[i] + b[i], "add is exact");
  kernels.add_scaled(b.data(), 0.3f, n, out.data());
  for (size_t i = 0; i < n; i++) {
    const double want = static_cast<double>(a[i] + b[i]) + 0.3f * static_cast<double>(b[i]);
    report.close(out[i], want, 3e-7 * (std::fabs(a[i]) + std::fabs(b[i])), [&] { return text("add_scaled of %zu", n); });
  }
  const RandomBf16 row = random_bf16(random, 1, n, Kind::kRandom);
  kernels.widen_bf16(row.values.data(), n, out.data());
  for (size_t i = 0; i < n; i++) report.expect(out[i] == row.exact.values[i], "widen_bf16 is exact");
}

/// The panel layout, and values within half a step of what they were.
template <typename Made, typename Quantize, typename WeightsOf>
void test_panels(const Made& made, const Quantize& quantize, const WeightsOf& weights_of, Report& report) {
  const auto weights = weights_of(made);
  const size_t padded = (weights.cols + 63) / 64 * 64, blocks = padded / 32;
  for (size_t panel = 0; panel * 16 < weights.rows; panel++) {
    Guarded<uint8_t> values = aligned_bytes(16 * padded), scale_bytes = aligned_bytes(16 * blocks * 2);
    auto* scales = reinterpret_cast<uint16_t*>(scale_bytes.data());
    quantize(weights, panel, values.data(), scales);
    for (size_t r = 0; r < 16; r++) {
      for (size_t k = 0; k < padded; k++) {
        const size_t row = panel * 16 + r;
        const double scale = from_bf16(scales[k / 32 * 16 + r]);
        const int value = values[k / 4 * 64 + r * 4 + k % 4] - 128;
        const bool is_there = row < weights.rows && k < weights.cols;
        const double want = is_there ? made.exact.at(row, k) : 0;
        report.expect(value >= -127 && value <= 127, "quantize: |value| is at most 127");
        report.expect(is_there || value == 0, "quantize: what is padded is 0");
        report.expect(row < weights.rows || scale == 0, "quantize: rows that are padded have scale 0");
        report.close(value * scale, want, 0.5001 * scale + 1e-38,
                     [&] { return text("quantize [%zu, %zu], row %zu, column %zu", weights.rows, weights.cols, row, k); });
      }
    }
  }
}

}  // namespace

void test_rows(const Kernels& kernels, Report& report) {
  Random random(2);
  for (size_t n : {1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 128, 1000, 2880}) {
    test_rms_norm(kernels, random, n, report);
    test_swiglu(kernels, random, n, report);
    test_sums(kernels, random, n, report);
  }
  for (size_t head_dim : {2, 6, 16, 32, 40, 64, 80, 128}) test_rope(kernels, random, random.between(1, 9), head_dim, report);
}

void test_quantize(const Kernels& kernels, Report& report) {
  Random random(3);
  for (size_t round = 0; round < 24; round++) {
    const size_t rows = random.between(1, 40), cols = random.between(1, 200);
    const Kind kind = round % 4 == 3 ? Kind::kExtreme : Kind::kRandom;
    test_panels(random_bf16(random, rows, cols, kind), kernels.quantize_panel_bf16,
                [](const RandomBf16& made) { return made.weights(); }, report);
    test_panels(random_f32(random, rows, cols, kind), kernels.quantize_panel_f32,
                [](const RandomF32& made) { return made.weights(); }, report);
  }
}

}  // namespace gptoss::testing
