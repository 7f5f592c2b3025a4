// The steps of a mixture of experts that moe.cc puts together.

#pragma once

#include <vector>

#include "ops.h"

namespace gptoss {

/// One token at one of the experts that it chose.
struct Pair {
  int32_t token;
  float weight;
};

/// The pairs of all tokens, expert by expert, tokens in order.
struct Routes {
  std::vector<Pair> pairs;
  std::vector<size_t> starts;  // [E + 1]: the pairs of expert e are [starts[e], starts[e + 1])
  size_t count(size_t expert) const { return starts[expert + 1] - starts[expert]; }
};

/// Softmax over the largest `k` of `logits` (the first of equals wins), largest first.
void choose_experts(const float* logits, size_t experts, size_t k, int32_t* chosen, float* weights);

Routes route(const float* logits, size_t tokens, size_t experts, size_t k);

struct MoeCall {
  const Machine& machine;
  const Tensor& x;
  const Experts& experts;
  const MoeShape& shape;
  Tensor& out;
};

/// Few tokens: each chosen expert is read once, for all tokens that chose it.
void mix_vectors(const MoeCall& call, const Routes& routes);

/// Many tokens: a matrix product per expert.
void mix_matrices(const MoeCall& call, const Routes& routes);

}  // namespace gptoss
