// Scalar helpers that several kernels of this folder use, and the tables that they fill together.

#pragma once

#include <math.h>
#include <string.h>

#include "../kernels.h"

namespace gptoss {
namespace {

/// Rounds up to 32 values to 8 bits (the rest become 0); returns their scale.
static inline float quantize_activations(const float* x, size_t count, int8_t* values) {
  float largest = 0;
  for (size_t i = 0; i < count; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
  const float scale = largest / 127.0f;
  const float inverse = scale > kSmallestScale ? 1.0f / scale : 0.0f;
  for (size_t i = 0; i < kBlockCols; i++) {
    const float value = i < count ? x[i] * inverse : 0.0f;
    values[i] = (int8_t)lrintf(value < -127.0f ? -127.0f : value > 127.0f ? 127.0f : value);
  }
  return scale;
}

static inline float bf16_value(uint16_t bits) {
  const uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

/// 2^(exponent - 127); 0 stands for the smallest, which is as good as none.
static inline float exponent_scale(uint8_t exponent) {
  const uint32_t bits = (uint32_t)exponent << 23;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

}  // namespace

extern const Matvec<Mxfp4> kPortableMatvecMxfp4;
extern const Matvec<Dense8> kPortableMatvecDense8;

}  // namespace gptoss
