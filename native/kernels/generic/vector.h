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

// 16 lanes: one AVX-512 register, two AVX ones, four NEON or SSE ones. GCC keeps a vector that is wider than a register
// in memory, so those are made of halves.
constexpr size_t kLanes = 16;

#if defined(__AVX512F__)
constexpr size_t kRegisterBytes = 64;
#elif defined(__AVX2__)
constexpr size_t kRegisterBytes = 32;
#else
constexpr size_t kRegisterBytes = 16;
#endif
/// Registers of one vector of 16 floats.
constexpr size_t kParts = kLanes * sizeof(float) / kRegisterBytes;

template <typename T>
struct Pair {
  T low, high;
  template <typename U>
  explicit inline operator Pair<U>() const {
    return {(U)low, (U)high};
  }
};

template <size_t parts, typename Register>
struct Wide {
  typedef Pair<typename Wide<parts / 2, Register>::Type> Type;
};
template <typename Register>
struct Wide<1, Register> {
  typedef Register Type;
};

typedef float RegisterF32 __attribute__((vector_size(kRegisterBytes)));
typedef int32_t RegisterI32 __attribute__((vector_size(kRegisterBytes)));
typedef uint32_t RegisterU32 __attribute__((vector_size(kRegisterBytes)));
typedef uint16_t HalfU16 __attribute__((vector_size(kRegisterBytes / 2)));
typedef Wide<kParts, RegisterF32>::Type F32;
typedef Wide<kParts, RegisterI32>::Type I32;
typedef Wide<kParts, RegisterU32>::Type U32;

#define GPTOSS_LANEWISE(op)                                  \
  template <typename T>                                      \
  static inline Pair<T> operator op(Pair<T> a, Pair<T> b) {  \
    return {a.low op b.low, a.high op b.high};               \
  }
GPTOSS_LANEWISE(+)
GPTOSS_LANEWISE(-)
GPTOSS_LANEWISE(*)
GPTOSS_LANEWISE(/)
GPTOSS_LANEWISE(&)
GPTOSS_LANEWISE(|)
#undef GPTOSS_LANEWISE

template <typename T>
static inline Pair<T> operator~(Pair<T> a) {
  return {~a.low, ~a.high};
}
template <typename T>
static inline Pair<T> operator<<(Pair<T> a, int bits) {
  return {a.low << bits, a.high << bits};
}
template <typename T>
static inline auto operator>(Pair<T> a, Pair<T> b) -> Pair<decltype(a.low > b.low)> {
  return {a.low > b.low, a.high > b.high};
}
template <typename T>
static inline auto operator<(Pair<T> a, Pair<T> b) -> Pair<decltype(a.low < b.low)> {
  return {a.low < b.low, a.high < b.high};
}
template <typename T>
static inline Pair<T>& operator+=(Pair<T>& a, Pair<T> b) {
  return a = a + b;
}

static inline void fill(RegisterF32& v, float x) { v = x - RegisterF32{}; }
static inline void fill(RegisterI32& v, int32_t x) { v = x - RegisterI32{}; }
template <typename T, typename Scalar>
static inline void fill(Pair<T>& v, Scalar x) {
  fill(v.low, x);
  fill(v.high, x);
}
static inline F32 splat(float x) {
  F32 v;
  fill(v, x);
  return v;
}
static inline I32 splat_int(int32_t x) {
  I32 v;
  fill(v, x);
  return v;
}

/// From and to anywhere, lane by lane.
template <typename Register>
static inline void read(Register& v, const void* p) {
  memcpy(&v, p, sizeof v);
}
template <typename T>
static inline void read(Pair<T>& v, const void* p) {
  read(v.low, p);
  read(v.high, (const char*)p + sizeof(T));
}
template <typename Register>
static inline void write(void* p, const Register& v) {
  memcpy(p, &v, sizeof v);
}
template <typename T>
static inline void write(void* p, const Pair<T>& v) {
  write(p, v.low);
  write((char*)p + sizeof(T), v.high);
}

static inline F32 load(const float* p) {
  F32 v;
  read(v, p);
  return v;
}
static inline void store(float* p, F32 v) { write(p, v); }

/// The first n lanes; the others are 0.
static inline F32 load_some(const float* p, size_t n) {
  float lanes[kLanes] = {};
  memcpy(lanes, p, n * sizeof(float));
  return load(lanes);
}
static inline void store_some(float* p, F32 v, size_t n) {
  float lanes[kLanes];
  store(lanes, v);
  memcpy(p, lanes, n * sizeof(float));
}

/// 16 bfloat16 values, anywhere.
static inline void read_bf16(RegisterF32& v, const uint8_t* p) {
  HalfU16 bits;
  memcpy(&bits, p, sizeof bits);
  v = (RegisterF32)(__builtin_convertvector(bits, RegisterU32) << 16);
}
template <typename T>
static inline void read_bf16(Pair<T>& v, const uint8_t* p) {
  read_bf16(v.low, p);
  read_bf16(v.high, p + sizeof(T) / 2);
}

constexpr size_t bytes_per_value(const DenseBf16&) { return 2; }
constexpr size_t bytes_per_value(const DenseF32&) { return 4; }

/// Up to 16 weights from column k of a row, wherever it lies in a mapped file.
static inline F32 load_weights(const DenseBf16& weights, size_t row, size_t k, size_t count) {
  const uint8_t* p = weights.values + (row * weights.cols + k) * sizeof(uint16_t);
  uint16_t some[kLanes] = {};
  if (count < kLanes) p = (const uint8_t*)memcpy(some, p, count * sizeof(uint16_t));
  F32 v;
  read_bf16(v, p);
  return v;
}
static inline F32 load_weights(const DenseF32& weights, size_t row, size_t k, size_t count) {
  const uint8_t* p = weights.values + (row * weights.cols + k) * sizeof(float);
  float some[kLanes] = {};
  if (count < kLanes) p = (const uint8_t*)memcpy(some, p, count * sizeof(float));
  F32 v;
  read(v, p);
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
