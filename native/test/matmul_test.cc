// Matrix-vector and matrix-matrix kernels of one table against f64 sums, on buffers that end at a guard page.

#include "tests.h"
#include "weights.h"

namespace gptoss::testing {

namespace {

size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

struct Subject {
  const char* what;
  Kind kind;
  Report& report;
};

template <typename Weights>
void test_matvec(Random& random, const Subject& subject, const Matvec<Weights>& kernel, const Weights& weights,
                 const Values& exact, Precision precision) {
  const size_t cols = weights.cols, vectors = random.between(1, kMaxVectors);
  std::vector<Guarded<float>> x, out;
  std::vector<Guarded<uint8_t>> prepared;
  const void* activations[kMaxVectors];
  float* outs[kMaxVectors];
  for (size_t v = 0; v < vectors; v++) {
    x.emplace_back(cols);
    random_activations(random, x[v].data(), cols, subject.kind);
    prepared.emplace_back(aligned_bytes(kernel.activation_bytes(cols)));
    // In pieces, as threads that share the work would, the last piece first.
    const size_t middle = cols / 2 / kernel.col_tile * kernel.col_tile;
    kernel.prepare(x[v].data(), middle, cols, cols, prepared[v].data());
    if (middle > 0) kernel.prepare(x[v].data(), 0, middle, cols, prepared[v].data());
    activations[v] = prepared[v].data();
    out.emplace_back(weights.rows);
    outs[v] = out[v].data();
  }
  Guarded<float> bias(weights.rows);
  for (size_t n = 0; n < weights.rows; n++) bias[n] = random.uniform();
  const bool has_bias = random.bits() % 2;
  const size_t middle = weights.rows / 2 / kernel.row_tile * kernel.row_tile;
  const float* biases = has_bias ? bias.data() : nullptr;
  kernel.run(weights, middle, weights.rows, activations, vectors, biases, outs);
  if (middle > 0) kernel.run(weights, 0, middle, activations, vectors, biases, outs);
  for (size_t v = 0; v < vectors; v++) {
    for (size_t n = 0; n < weights.rows; n++) {
      const Dot dot = exact_dot(exact, n, x[v].data(), precision);
      subject.report.close(out[v][n], dot.value + (has_bias ? bias[n] : 0), dot.bound + 1e-6, [&] {
        return text("%s matvec [%zu, %zu], vector %zu of %zu, row %zu", subject.what, weights.rows, cols, v, vectors, n);
      });
    }
  }
}

template <typename Weights>
void test_gemm(Random& random, const Subject& subject, const Gemm<Weights>& kernel, const Weights& weights,
               const Values& exact, Precision precision, size_t tokens) {
  const size_t cols = weights.cols, stride = cols + random.between(0, 3), out_stride = weights.rows + random.between(0, 5);
  const size_t source_rows = tokens + 3;
  Guarded<float> x((source_rows - 1) * stride + cols), out((tokens - 1) * out_stride + weights.rows), bias(weights.rows);
  for (size_t m = 0; m < source_rows; m++) random_activations(random, x.data() + m * stride, cols, subject.kind);
  Guarded<int32_t> rows(tokens);
  for (size_t m = 0; m < tokens; m++) rows[m] = static_cast<int32_t>(random.between(0, source_rows - 1));
  for (size_t n = 0; n < weights.rows; n++) bias[n] = random.uniform();
  const bool is_gathered = random.bits() % 2, has_bias = random.bits() % 2;

  Guarded<uint8_t> packed(lines(kernel.packed_bytes(tokens, cols))), scratch(lines(kernel.scratch_bytes(tokens, cols)));
  const GemmInput input = {x.data(), stride, is_gathered ? rows.data() : nullptr, tokens, cols};
  const size_t token_step = kernel.token_tile * random.between(1, 3);
  for (size_t m = 0; m < tokens; m += token_step)
    kernel.pack(input, m, m + token_step < tokens ? m + token_step : tokens, packed.data());
  const size_t row_step = kernel.row_tile * random.between(1, 4);
  const GemmOutput output = {out.data(), out_stride, has_bias ? bias.data() : nullptr};
  for (size_t n = 0; n < weights.rows; n += row_step)
    kernel.run(weights, n, n + row_step < weights.rows ? n + row_step : weights.rows, packed.data(), tokens, output,
               scratch.data());
  for (size_t m = 0; m < tokens; m++) {
    const float* row = x.data() + (is_gathered ? static_cast<size_t>(rows[m]) : m) * stride;
    for (size_t n = 0; n < weights.rows; n++) {
      const Dot dot = exact_dot(exact, n, row, precision);
      subject.report.close(out[m * out_stride + n], dot.value + (has_bias ? bias[n] : 0), dot.bound + 1e-6, [&] {
        return text("%s gemm [%zu, %zu] times %zu tokens, token %zu, row %zu", subject.what, weights.rows, cols, tokens, m,
                    n);
      });
    }
  }
}

/// A row of activations that is not a number may not reach the others.
template <typename Weights>
void test_poison(Random& random, const Subject& subject, const Gemm<Weights>& kernel, const Weights& weights) {
  constexpr size_t kTokens = 19, kPoisoned = 6;
  const size_t cols = weights.cols;
  Guarded<float> x(kTokens * cols), out(kTokens * weights.rows);
  for (size_t i = 0; i < x.size(); i++) x[i] = random.normal();
  for (size_t k = 0; k < cols; k++) x[kPoisoned * cols + k] = random.one_of({NAN, INFINITY, -INFINITY});
  Guarded<uint8_t> packed(lines(kernel.packed_bytes(kTokens, cols))), scratch(lines(kernel.scratch_bytes(kTokens, cols)));
  kernel.pack({x.data(), cols, nullptr, kTokens, cols}, 0, kTokens, packed.data());
  kernel.run(weights, 0, weights.rows, packed.data(), kTokens, {out.data(), weights.rows, nullptr}, scratch.data());
  for (size_t m = 0; m < kTokens; m++) {
    for (size_t n = 0; n < weights.rows && m != kPoisoned; n++)
      subject.report.expect(std::isfinite(out[m * weights.rows + n]), text("%s gemm: NaN reached another row", subject.what));
  }
}

template <typename Weights, typename Make>
void test_weights(const char* what, const Matvec<Weights>& matvec, const Gemm<Weights>* gemm, size_t col_step,
                  Precision matvec_precision, Precision gemm_precision, Report& report, const Make& make) {
  Random random(1);
  for (size_t round = 0; round < 60; round++) {
    const Kind kind = round % 3 == 2 ? Kind::kExtreme : Kind::kRandom;
    const size_t rows = round < 4 ? 1 + round : random.between(1, 70);
    const size_t cols = col_step * (round < 4 ? 1 + round : random.between(1, 320 / col_step));
    const auto made = make(random, rows, cols, kind);
    const Subject subject = {what, kind, report};
    test_matvec(random, subject, matvec, made.weights(), made.exact, matvec_precision);
    if (gemm == nullptr || gemm->run == nullptr) continue;
    const size_t tokens = round % 5 == 0 ? 1 : random.between(1, 70);
    test_gemm(random, subject, *gemm, made.weights(), made.exact, gemm_precision, tokens);
  }
  // The published widths, and enough rows for several tiles and a ragged end.
  const auto wide = make(random, 69, 2880, Kind::kRandom);
  const Subject subject = {what, Kind::kRandom, report};
  test_matvec(random, subject, matvec, wide.weights(), wide.exact, matvec_precision);
  if (gemm == nullptr || gemm->run == nullptr) return;
  test_gemm(random, subject, *gemm, wide.weights(), wide.exact, gemm_precision, 67);
  test_poison(random, subject, *gemm, wide.weights());
}

/// Where a kernel reads the blocks of a GGUF file itself, it multiplies the same numbers in the same order: the same bits.
void test_gemm_blocks(const Kernels& kernels, Report& report) {
  if (kernels.gemm_mxfp4_blocks == nullptr) return;
  const Gemm<Mxfp4>& kernel = kernels.gemm_mxfp4;
  Random random(2);
  for (size_t round = 0; round < 40; round++) {
    const size_t parts = 1 + round % 2, rows = parts * random.between(1, 70), cols = 32 * random.between(1, 11);
    const size_t tokens = random.between(1, 100);
    const RandomMxfp4 apart = random_mxfp4(random, rows, cols, Kind::kRandom);
    const GgufBlocks together = gguf_blocks(apart, parts, false);
    Guarded<float> x(tokens * cols), want(tokens * rows), got(tokens * rows), bias(rows);
    for (size_t m = 0; m < tokens; m++) random_activations(random, x.data() + m * cols, cols, Kind::kRandom);
    for (size_t n = 0; n < rows; n++) bias[n] = random.uniform();
    Guarded<uint8_t> packed(lines(kernel.packed_bytes(tokens, cols))), scratch(lines(kernel.scratch_bytes(tokens, cols)));
    kernel.pack({x.data(), cols, nullptr, tokens, cols}, 0, tokens, packed.data());
    kernel.run(apart.weights(), 0, rows, packed.data(), tokens, {want.data(), rows, bias.data()}, scratch.data());
    const size_t step = kernel.row_tile * random.between(1, 4);
    for (size_t n = 0; n < rows; n += step)
      kernels.gemm_mxfp4_blocks(together.weights, n, n + step < rows ? n + step : rows, packed.data(), tokens,
                                {got.data(), rows, bias.data()}, scratch.data());
    report.expect(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)) == 0,
                  text("mxfp4 gemm in %zu parts of blocks, [%zu, %zu] times %zu tokens", parts, rows, cols, tokens));
  }
}

}  // namespace

void test_matmul(const Kernels& kernels, Report& report) {
  test_weights("mxfp4", kernels.matvec_mxfp4, &kernels.gemm_mxfp4, 32, Precision::kInt8, Precision::kInt8OrBf16, report,
               [](Random& random, size_t rows, size_t cols, Kind kind) { return random_mxfp4(random, rows, cols, kind); });
  test_gemm_blocks(kernels, report);
  test_weights("dense8", kernels.matvec_dense8, &kernels.gemm_dense8, 1, Precision::kInt8, Precision::kInt8OrBf16, report,
               random_dense8);
  test_weights("bf16", kernels.matvec_bf16, &kernels.gemm_bf16, 1, Precision::kFloat, Precision::kInt8OrBf16, report,
               random_bf16);
  test_weights<DenseF32>("f32", kernels.matvec_f32, nullptr, 1, Precision::kFloat, Precision::kFloat, report, random_f32);
}

}  // namespace gptoss::testing
