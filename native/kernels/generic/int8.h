// Activations in 8 bits, 32 to a scale, for variants that have no better way to make them.

#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../kernels.h"

namespace gptoss {
namespace {

/// Rounds up to 32 values to 8 bits (the rest become 0); returns their scale, which is NaN when one of them is.
static inline float quantize_activations(const float* x, size_t count, int8_t* values) {
  float in[kBlockCols] = {};
  memcpy(in, x, count * sizeof(float));
  // Of floats without their sign the bits are in the same order, and compilers vectorise the largest of integers.
  int32_t bits[kBlockCols], largest = 0;
  memcpy(bits, in, sizeof bits);
  for (size_t i = 0; i < kBlockCols; i++) {
    const int32_t magnitude = bits[i] & 0x7fffffff;
    largest = magnitude > largest ? magnitude : largest;
  }
  float scale;
  memcpy(&scale, &largest, sizeof scale);
  scale /= 127.0f;
  const float inverse = scale > kSmallestScale ? 1.0f / scale : 0.0f;
  // Adding 1.5 * 2^23 leaves the rounded integer in the low bits.
  for (size_t i = 0; i < kBlockCols; i++) in[i] = in[i] * inverse + 12582912.0f;
  memcpy(bits, in, sizeof bits);
  for (size_t i = 0; i < kBlockCols; i++) values[i] = (int8_t)(bits[i] & 0xff);
  return scale;
}

/// The order of nibbles in MXFP4: the low ones (even columns), then the high ones.
static inline void split_columns(const int8_t* values, int8_t* split) {
  for (size_t i = 0; i < kBlockCols / 2; i++) {
    split[i] = values[2 * i];
    split[i + kBlockCols / 2] = values[2 * i + 1];
  }
}

static inline int32_t sum_of(const int8_t* values) {
  int32_t sum = 0;
  for (size_t i = 0; i < kBlockCols; i++) sum += values[i];
  return sum;
}

/// 2^(exponent - 127); 0 stands for the smallest, which is as good as none.
static inline float exponent_scale(uint8_t exponent) {
  const uint32_t bits = (uint32_t)exponent << 23;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// One activation as the matrix-vector kernels of Dense8 want it: `start` makes up for the 128 that its values carry.
struct Dense8Block {
  int8_t values[kBlockCols];
  int32_t start;
  float scale;
};

static inline size_t dense8_blocks(size_t cols) { return (cols + 63) / 64 * 2; }

static inline size_t dense8_activation_bytes(size_t cols) { return (dense8_blocks(cols) * sizeof(Dense8Block) + 63) / 64 * 64; }

static inline void dense8_prepare(const float* x, size_t first, size_t last, size_t cols, void* activation) {
  Dense8Block* blocks = (Dense8Block*)activation;
  for (size_t k = first; k < last; k += kBlockCols) {
    Dense8Block* block = blocks + k / kBlockCols;
    block->scale = quantize_activations(x + k, last - k < kBlockCols ? last - k : kBlockCols, block->values);
    block->start = -128 * sum_of(block->values);
  }
  if (last == cols) {
    const size_t used = (cols + kBlockCols - 1) / kBlockCols;
    memset((void*)(blocks + used), 0, (dense8_blocks(cols) - used) * sizeof(Dense8Block));
  }
}

}  // namespace
}  // namespace gptoss
