// Mixture of experts: router, choice, experts, weighted sum.

#include "moe.h"

#include <algorithm>
#include <cmath>

#include "matmul.h"

namespace gptoss {

void choose_experts(const float* logits, size_t experts, size_t k, int32_t* chosen, float* weights) {
  for (size_t i = 0; i < k; i++) {
    size_t best = experts;
    for (size_t e = 0; e < experts; e++) {
      const bool is_taken = std::find(chosen, chosen + i, static_cast<int32_t>(e)) != chosen + i;
      if (!is_taken && (best == experts || logits[e] > logits[best])) best = e;
    }
    chosen[i] = static_cast<int32_t>(best);
  }
  float sum = 0;
  for (size_t i = 0; i < k; i++) sum += weights[i] = std::exp(logits[chosen[i]] - logits[chosen[0]]);
  for (size_t i = 0; i < k; i++) weights[i] /= sum;
}

Routes route(const float* logits, size_t tokens, size_t experts, size_t k) {
  std::vector<int32_t> chosen(tokens * k);
  std::vector<float> weights(tokens * k);
  Routes routes;
  routes.starts.assign(experts + 1, 0);
  for (size_t t = 0; t < tokens; t++) {
    choose_experts(logits + t * experts, experts, k, &chosen[t * k], &weights[t * k]);
    for (size_t i = 0; i < k; i++) routes.starts[static_cast<size_t>(chosen[t * k + i]) + 1]++;
  }
  for (size_t e = 0; e < experts; e++) routes.starts[e + 1] += routes.starts[e];
  std::vector<size_t> next(routes.starts.begin(), routes.starts.end() - 1);
  routes.pairs.resize(tokens * k);
  for (size_t i = 0; i < tokens * k; i++)
    routes.pairs[next[static_cast<size_t>(chosen[i])]++] = {static_cast<int32_t>(i / k), weights[i]};
  return routes;
}

namespace {

/// Each thread scores some tokens, kMaxVectors at a time. Never in less than floats, as a matrix product might be:
/// rounding would change which experts are chosen.
template <typename Weights>
void score_many(const Machine& machine, const Matvec<Weights>& kernel, const Weights& router, const float* bias,
                const Tensor& x, float* logits) {
  const size_t bytes = kernel.activation_bytes(x.cols), groups = (x.rows + kMaxVectors - 1) / kMaxVectors;
  char* memory = machine.scratch.take_array<char>(bytes * kMaxVectors * machine.pool.size());
  Ranges ranges = Ranges::single(groups);
  machine.pool.run([&](size_t thread) {
    const void* activations[kMaxVectors];
    float* out[kMaxVectors];
    for (size_t group, end; ranges.next(&group, &end);) {
      const size_t first = group * kMaxVectors, count = std::min(x.rows - first, kMaxVectors);
      for (size_t i = 0; i < count; i++) {
        char* activation = memory + (thread * kMaxVectors + i) * bytes;
        kernel.prepare(x.row(first + i), 0, x.cols, x.cols, activation);
        activations[i] = activation;
        out[i] = logits + (first + i) * router.rows;
      }
      kernel.run(router, 0, router.rows, activations, count, bias, out);
    }
  });
}

void score(const Machine& machine, const Matrix& router, const float* bias, const Tensor& x, float* logits) {
  if (x.rows <= kMaxVectors) return multiply(machine, router, {x.row(0), x.cols, x.rows, x.cols}, {logits, router.rows, bias});
  const Kernels& kernels = machine.kernels;
  if (router.is_8_bit()) return score_many(machine, kernels.matvec_dense8, router.dense8(), bias, x, logits);
  if (router.is_f32) return score_many(machine, kernels.matvec_f32, router.f32(), bias, x, logits);
  score_many(machine, kernels.matvec_bf16, router.bf16(), bias, x, logits);
}

}  // namespace

void moe(const Machine& machine, const Tensor& x, const Matrix& router, const Vector& router_bias,
         const Experts& experts, const MoeShape& shape, Tensor& out) {
  if (x.rows == 0) return;
  float* logits = machine.scratch.take_array<float>(x.rows * experts.experts);
  score(machine, router, router_bias.data(), x, logits);
  const Routes routes = route(logits, x.rows, experts.experts, shape.experts_per_token);
  const MoeCall call = {machine, x, experts, shape, out};
  for (size_t e = 0; e < experts.experts; e++)
    if (routes.count(e) > 0) machine.count_read(experts.bytes_of_one());
  if (x.rows <= kMaxVectors) return mix_vectors(call, routes);
  mix_matrices(call, routes);
}

}  // namespace gptoss
