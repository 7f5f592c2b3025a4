// BF16 rows times float vectors. Exact products: routers and `dense: "bf16"` come here.

#pragma once

#include "vector.h"

namespace gptoss {
namespace {

static size_t bf16_activation_bytes(size_t cols) { return (cols * sizeof(float) + 63) / 64 * 64; }

static void bf16_prepare(const float* x, size_t first, size_t last, size_t cols, void* activation) {
  (void)cols;
  memcpy((float*)activation + first, x + first, (last - first) * sizeof(float));
}

template <size_t V>
static void bf16_rows(const DenseBf16& weights, size_t first, size_t last, const void* const* activations,
                      const float* bias, float* const* out) {
  const size_t cols = weights.cols;
  for (size_t row = first; row < last; row++) {
    const uint16_t* w = weights.values + row * cols;
    F32 acc[V] = {};
    size_t k = 0;
    for (; k + kLanes <= cols; k += kLanes) {
      __builtin_prefetch((const char*)(w + k) + 2048);
      const F32 value = load_bf16(w + k);
      for (size_t v = 0; v < V; v++) acc[v] += value * load((const float*)activations[v] + k);
    }
    if (k < cols) {
      const F32 value = load_bf16_some(w + k, cols - k);
      for (size_t v = 0; v < V; v++) acc[v] += value * load_some((const float*)activations[v] + k, cols - k);
    }
    for (size_t v = 0; v < V; v++) out[v][row] = sum(acc[v]) + (bias ? bias[row] : 0.0f);
  }
}

static void bf16_run(const DenseBf16& weights, size_t first, size_t last, const void* const* activations,
                     size_t vectors, const float* bias, float* const* out) {
  while (vectors > 0) {
    const size_t n = vectors >= 4 ? 4 : vectors >= 2 ? 2 : 1;
    if (n == 4) bf16_rows<4>(weights, first, last, activations, bias, out);
    if (n == 2) bf16_rows<2>(weights, first, last, activations, bias, out);
    if (n == 1) bf16_rows<1>(weights, first, last, activations, bias, out);
    activations += n;
    out += n;
    vectors -= n;
  }
}

static constexpr Matvec<DenseBf16> kMatvecBf16 = {1, bf16_activation_bytes, kBlockCols, bf16_prepare, bf16_run};

}  // namespace
}  // namespace gptoss
