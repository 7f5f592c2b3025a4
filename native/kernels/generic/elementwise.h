// Norm, rotation, activation and sums, of one row each.

#pragma once

#include "vector.h"

namespace gptoss {
namespace {

static void rms_norm(const float* x, const float* scale, float epsilon, size_t n, float* out) {
  F32 squares[2] = {};
  size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const F32 a = load(x + i), b = load(x + i + kLanes);
    squares[0] += a * a;
    squares[1] += b * b;
  }
  for (; i < n; i += kLanes) {
    const F32 a = load_some(x + i, n - i < kLanes ? n - i : kLanes);
    squares[0] += a * a;
  }
  const float factor = 1.0f / sqrtf(sum(squares[0] + squares[1]) / (float)n + epsilon);
  for (i = 0; i < n; i++) out[i] = x[i] * factor * scale[i];
}

static void rope(const float* x, size_t heads, size_t head_dim, const float* cos, const float* sin, float* out) {
  const size_t half = head_dim / 2;
  for (size_t h = 0; h < heads; h++, x += head_dim, out += head_dim) {
    for (size_t i = 0; i < half; i++) {
      const float a = x[i], b = x[i + half];
      out[i] = a * cos[i] - b * sin[i];
      out[i + half] = b * cos[i] + a * sin[i];
    }
  }
}

static void swiglu(const float* u, size_t n, float limit, float* out) {
  const F32 alpha = splat(-1.702f), one = splat(1.0f);  // gpt_oss/torch/model.py swiglu
  for (size_t i = 0; i < n; i += kLanes) {
    const size_t count = n - i < kLanes ? n - i : kLanes;
    float gates[kLanes] = {}, linears[kLanes] = {};
    for (size_t j = 0; j < count; j++) {
      gates[j] = u[2 * (i + j)];
      linears[j] = u[2 * (i + j) + 1];
    }
    const F32 gate = min(load(gates), splat(limit));
    const F32 linear = max(min(load(linears), splat(limit)), splat(-limit));
    store_some(out + i, gate / (one + exp(alpha * gate)) * (linear + one), count);
  }
}

static void add(const float* a, const float* b, size_t n, float* out) {
  for (size_t i = 0; i < n; i++) out[i] = a[i] + b[i];
}

static void add_scaled(const float* y, float weight, size_t n, float* out) {
  for (size_t i = 0; i < n; i++) out[i] += weight * y[i];
}

static void widen_bf16(const uint8_t* x, size_t n, float* out) {
  const DenseBf16 row = {x, 1, n};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, load_weights(row, 0, i, kLanes));
  if (i < n) store_some(out + i, load_weights(row, 0, i, n - i), n - i);
}

}  // namespace
}  // namespace gptoss
