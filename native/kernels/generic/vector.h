// Vectors of floats that every compiler target understands (GCC and Clang vector extensions), for kernels whose speed
// does not hang on one special instruction. Each variant compiles these headers with its own flags; everything is
// static, so that no copy made for one instruction set can be linked into another.

#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../kernels.h"

namespace gptoss {
namespace {

// 16 lanes: one AVX-512 register, two AVX ones, four NEON or SSE ones.
constexpr size_t kLanes = 16;
typedef float F32 __attribute__((vector_size(64)));
typedef int32_t I32 __attribute__((vector_size(64)));
typedef uint32_t U32 __attribute__((vector_size(64)));
typedef uint16_t U16 __attribute__((vector_size(32)));

static inline F32 splat(float x) { return x - F32{}; }
static inline I32 splat_int(int32_t x) { return x - I32{}; }

static inline F32 load(const float* p) {
  F32 v;
  memcpy(&v, p, sizeof v);
  return v;
}
static inline void store(float* p, F32 v) { memcpy(p, &v, sizeof v); }

/// The first n lanes; the others are 0.
static inline F32 load_some(const float* p, size_t n) {
  F32 v = {};
  memcpy(&v, p, n * sizeof(float));
  return v;
}
static inline void store_some(float* p, F32 v, size_t n) { memcpy(p, &v, n * sizeof(float)); }

static inline F32 widen(U16 v) { return (F32)(__builtin_convertvector(v, U32) << 16); }

constexpr size_t bytes_per_value(const DenseBf16&) { return 2; }
constexpr size_t bytes_per_value(const DenseF32&) { return 4; }

/// Up to 16 weights from column k of a row, wherever it lies in a mapped file.
static inline F32 load_weights(const DenseBf16& weights, size_t row, size_t k, size_t count) {
  const uint8_t* p = weights.values + (row * weights.cols + k) * sizeof(uint16_t);
  U16 v = {};
  memcpy(&v, p, count == kLanes ? sizeof v : count * sizeof(uint16_t));
  return widen(v);
}
static inline F32 load_weights(const DenseF32& weights, size_t row, size_t k, size_t count) {
  const uint8_t* p = weights.values + (row * weights.cols + k) * sizeof(float);
  F32 v = {};
  memcpy(&v, p, count == kLanes ? sizeof v : count * sizeof(float));
  return v;
}

static inline F32 choose(I32 mask, F32 yes, F32 no) { return (F32)((mask & (I32)yes) | (~mask & (I32)no)); }
static inline F32 max(F32 a, F32 b) { return choose(a > b, a, b); }
static inline F32 min(F32 a, F32 b) { return choose(a < b, a, b); }

static inline float sum(F32 v) {
  float lanes[kLanes];
  store(lanes, v);
  for (size_t width = kLanes / 2; width > 0; width /= 2)
    for (size_t i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}
static inline float max_lane(F32 v) {
  float lanes[kLanes];
  store(lanes, v);
  for (size_t width = kLanes / 2; width > 0; width /= 2)
    for (size_t i = 0; i < width; i++) lanes[i] = lanes[i] > lanes[i + width] ? lanes[i] : lanes[i + width];
  return lanes[0];
}

/// e^x within 2 units in the last place; 0 below -87.3, clamped at 88.3 (softmax and the sigmoid need no more).
/// Cody and Waite's reduction, then the polynomial of Cephes' expf.
static inline F32 exp(F32 x) {
  const I32 underflow = x < splat(-87.3f);
  x = min(x, splat(88.3f));
  x = max(x, splat(-87.3f));
  const F32 shifter = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const F32 n = x * splat(1.44269504088896341f) + shifter;
  const F32 whole = n - shifter;
  F32 r = x - whole * splat(0.693359375f);
  r = r - whole * splat(-2.12194440e-4f);
  F32 p = splat(1.9875691500e-4f);
  p = p * r + splat(1.3981999507e-3f);
  p = p * r + splat(8.3334519073e-3f);
  p = p * r + splat(4.1665795894e-2f);
  p = p * r + splat(1.6666665459e-1f);
  p = p * r + splat(5.0000001201e-1f);
  p = p * r * r + r + splat(1.0f);
  const F32 power = (F32)(((I32)n + splat_int(127 - 0x4b400000)) << 23);
  return choose(underflow, F32{}, p * power);
}

}  // namespace
}  // namespace gptoss
