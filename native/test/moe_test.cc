// The mixture of experts, whole, against f64: few tokens and many, all experts and one.

#include <algorithm>

#include "ops_bench.h"
#include "tests.h"

namespace gptoss::testing {

namespace {

struct Layer {
  size_t count, hidden, width;
  RandomBf16 router;
  RandomMxfp4 gate_up, down;  // experts one below the other
  Experts experts;
  Vector router_bias;
};

ExpertMatrix matrix_of(const RandomMxfp4& from, size_t rows) {
  ExpertMatrix matrix;
  matrix.rows = rows;
  matrix.cols = from.exact.cols;
  matrix.blocks.mapped.data = from.blocks.data();
  matrix.scales.mapped.data = from.scales.data();
  return matrix;
}

/// The same experts as a GGUF file has them.
struct GgufExperts {
  GgufBlocks blocks;
  ExpertMatrix matrix;
};

GgufExperts gguf_of(const RandomMxfp4& from, size_t rows, size_t parts, bool pairs_halves) {
  GgufExperts made = {gguf_blocks(from, parts, pairs_halves), {}};
  made.matrix.rows = rows;
  made.matrix.cols = from.exact.cols;
  made.matrix.pairs_halves = pairs_halves;
  for (const Guarded<uint8_t>& part : made.blocks.parts)
    made.matrix.parts.push_back({{nullptr, part.data(), part.size()}, part.size() / (from.exact.rows / rows)});
  return made;
}

Layer random_layer(Bench& bench, Random& random, size_t count, size_t hidden, size_t width) {
  const Exponents exponents = {121, 123};  // both factors of swiglu meet their limit now and then
  Layer layer = {count,
                 hidden,
                 width,
                 random_bf16(random, count, hidden, Kind::kRandom),
                 random_mxfp4(random, count * 2 * width, hidden, Kind::kRandom, exponents),
                 random_mxfp4(random, count * hidden, width, Kind::kRandom, exponents),
                 {},
                 bench.random_vector(random, count)};
  Experts& experts = layer.experts;
  experts.experts = count;
  experts.hidden = hidden;
  experts.intermediate = width;
  experts.gate_up = matrix_of(layer.gate_up, 2 * width);
  experts.down = matrix_of(layer.down, hidden);
  experts.gate_up_bias = std::move(bench.random_vector(random, count * 2 * width).values);
  experts.down_bias = std::move(bench.random_vector(random, count * hidden).values);
  return layer;
}

constexpr double kLimit = 7;

/// What the layer gives for one token; empty where two experts are too close to say which is chosen.
std::vector<double> expected(const Layer& layer, const float* x, size_t chosen) {
  std::vector<std::pair<double, size_t>> logits;
  for (size_t e = 0; e < layer.count; e++) {
    double logit = layer.router_bias.data()[e];
    for (size_t k = 0; k < layer.hidden; k++) logit += static_cast<double>(layer.router.exact.at(e, k)) * x[k];
    logits.emplace_back(-logit, e);
  }
  std::sort(logits.begin(), logits.end());
  if (chosen < layer.count && logits[chosen].first - logits[chosen - 1].first < 1e-3) return {};
  double total = 0;
  for (size_t i = 0; i < chosen; i++) total += std::exp(logits[0].first - logits[i].first);
  std::vector<double> out(layer.hidden);
  for (size_t i = 0; i < chosen; i++) {
    const size_t e = logits[i].second;
    const double weight = std::exp(logits[0].first - logits[i].first) / total;
    std::vector<double> u(2 * layer.width), h(layer.width);
    for (size_t n = 0; n < 2 * layer.width; n++) {
      u[n] = layer.experts.gate_up_bias.as<const float>()[e * 2 * layer.width + n];
      for (size_t k = 0; k < layer.hidden; k++)
        u[n] += static_cast<double>(layer.gate_up.exact.at(e * 2 * layer.width + n, k)) * x[k];
    }
    for (size_t n = 0; n < layer.width; n++) {
      const double gate = std::fmin(u[2 * n], kLimit), linear = std::fmax(std::fmin(u[2 * n + 1], kLimit), -kLimit);
      h[n] = gate / (1 + std::exp(-1.702 * gate)) * (linear + 1);
    }
    for (size_t n = 0; n < layer.hidden; n++) {
      double y = layer.experts.down_bias.as<const float>()[e * layer.hidden + n];
      for (size_t k = 0; k < layer.width; k++)
        y += static_cast<double>(layer.down.exact.at(e * layer.hidden + n, k)) * h[k];
      out[n] += weight * y;
    }
  }
  return out;
}

}  // namespace

void test_moe(const Kernels& kernels, size_t threads, Report& report) {
  struct Shape {
    size_t experts, chosen, hidden, width;
  };
  Random random(6);
  Bench bench(kernels, threads);
  for (const Shape& shape : {Shape{8, 2, 96, 64}, Shape{4, 4, 32, 96}, Shape{32, 4, 64, 32}, Shape{1, 1, 64, 64}}) {
    const Layer layer = random_layer(bench, random, shape.experts, shape.hidden, shape.width);
    const Matrix router = bench.bf16_matrix(layer.router);
    for (size_t rows : {size_t{1}, size_t{2}, size_t{8}, size_t{9}, size_t{33}, size_t{90}}) {
      const Tensor x = bench.random_tensor(random, rows, shape.hidden, 0.5f);
      Tensor out = bench.tensor(rows, shape.hidden);
      bench.scratch.reset();
      moe(bench.machine, x, router, layer.router_bias, layer.experts, {shape.chosen, kLimit}, out);
      for (size_t m = 0; m < rows; m++) {
        const std::vector<double> want = expected(layer, x.row(m), shape.chosen);
        // Activations are rounded to 8 bits twice, and the second time after a swiglu that magnifies.
        if (!want.empty()) {
          expect_row(report, out.row(m), want, 4e-2,
                     text("moe of %zu experts, %zu chosen, row %zu of %zu", shape.experts, shape.chosen, m, rows));
        }
      }
    }
  }
}

/// Experts where they lie in a GGUF file give what the same experts give in the safetensors layout: gate and up in one
/// tensor or in two, either order of the nibbles.
void test_gguf_experts(const Kernels& kernels, size_t threads, Report& report) {
  Random random(7);
  Bench bench(kernels, threads);
  const size_t count = 4, hidden = 160, width = 96, chosen = 2;
  Layer layer = random_layer(bench, random, count, hidden, width);
  const Matrix router = bench.bf16_matrix(layer.router);
  for (size_t rows : {size_t{1}, size_t{8}, size_t{9}, size_t{90}}) {
    const Tensor x = bench.random_tensor(random, rows, hidden, 0.5f);
    const auto run = [&](ExpertMatrix gate_up, ExpertMatrix down) {
      layer.experts.gate_up = std::move(gate_up);
      layer.experts.down = std::move(down);
      Tensor out = bench.tensor(rows, hidden);
      bench.scratch.reset();
      moe(bench.machine, x, router, layer.router_bias, layer.experts, {chosen, kLimit}, out);
      return out;
    };
    const Tensor want = run(matrix_of(layer.gate_up, 2 * width), matrix_of(layer.down, hidden));
    for (const bool pairs_halves : {true, false}) {
      for (const size_t parts : {size_t{1}, size_t{2}}) {
        GgufExperts gate_up = gguf_of(layer.gate_up, 2 * width, parts, pairs_halves);
        GgufExperts down = gguf_of(layer.down, hidden, 1, pairs_halves);
        const Tensor out = run(std::move(gate_up.matrix), std::move(down.matrix));
        for (size_t m = 0; m < rows; m++) {
          const std::vector<double> wanted(want.row(m), want.row(m) + hidden);
          // Sums of a block are taken in another order, which only tiles of bfloat16 round; then 8 bits may round anew.
          expect_row(report, out.row(m), wanted, 1e-2, text("moe in place, %zu parts, row %zu of %zu", parts, m, rows));
        }
      }
    }
  }
}

}  // namespace gptoss::testing
