// Rows as the file holds them times float vectors. Exact products: routers and `dense: "bf16"` come here.

#pragma once

#include "vector.h"

namespace gptoss {
namespace {

static size_t float_activation_bytes(size_t cols) { return (cols * sizeof(float) + 63) / 64 * 64; }

static void float_prepare(const float* x, size_t first, size_t last, size_t, void* activation) {
  memcpy((float*)activation + first, x + first, (last - first) * sizeof(float));
}

template <size_t V, typename Weights>
static void multiply_rows(const Weights& weights, size_t first, size_t last, const void* const* activations,
                          const float* bias, float* const* out) {
  const size_t cols = weights.cols, row_bytes = bytes_per_value(weights) * cols;
  for (size_t row = first; row < last; row++) {
    const uint8_t* ahead = weights.values + row * row_bytes + 2048;
    F32 acc[V] = {};
    size_t k = 0;
    for (; k + kLanes <= cols; k += kLanes) {
      __builtin_prefetch(ahead + k * bytes_per_value(weights));
      const F32 value = load_weights(weights, row, k, kLanes);
      for (size_t v = 0; v < V; v++) acc[v] += value * load((const float*)activations[v] + k);
    }
    if (k < cols) {
      const F32 value = load_weights(weights, row, k, cols - k);
      for (size_t v = 0; v < V; v++) acc[v] += value * load_some((const float*)activations[v] + k, cols - k);
    }
    for (size_t v = 0; v < V; v++) out[v][row] = sum(acc[v]) + (bias ? bias[row] : 0.0f);
  }
}

template <typename Weights>
static void float_run(const Weights& weights, size_t first, size_t last, const void* const* activations,
                      size_t vectors, const float* bias, float* const* out) {
  while (vectors > 0) {
    const size_t n = vectors >= 4 ? 4 : vectors >= 2 ? 2 : 1;
    if (n == 4) multiply_rows<4>(weights, first, last, activations, bias, out);
    if (n == 2) multiply_rows<2>(weights, first, last, activations, bias, out);
    if (n == 1) multiply_rows<1>(weights, first, last, activations, bias, out);
    activations += n;
    out += n;
    vectors -= n;
  }
}

static constexpr Matvec<DenseBf16> kMatvecBf16 = {1, float_activation_bytes, kBlockCols, float_prepare, float_run};
static constexpr Matvec<DenseF32> kMatvecF32 = {1, float_activation_bytes, kBlockCols, float_prepare, float_run};

}  // namespace
}  // namespace gptoss
