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

void moe(const Machine& machine, const Tensor& x, const Matrix& router, const Vector& router_bias,
         const Experts& experts, const MoeShape& shape, Tensor& out) {
  if (x.rows == 0) return;
  float* logits = machine.scratch.take_array<float>(x.rows * experts.experts);
  multiply(machine, router, {x.row(0), x.cols, x.rows, x.cols}, {logits, experts.experts, router_bias.data()});
  const Routes routes = route(logits, x.rows, experts.experts, shape.experts_per_token);
  const MoeCall call = {machine, x, experts, shape, out};
  if (x.rows <= kMaxVectors) return mix_vectors(call, routes);
  mix_matrices(call, routes);
}

}  // namespace gptoss
