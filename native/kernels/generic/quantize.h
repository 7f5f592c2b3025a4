// Dense weights to 8 bits, 32 values a scale.

#pragma once

#include "vector.h"

namespace gptoss {
namespace {

/// The scale is rounded up to bfloat16 before the values are divided by it: so its rounding costs no accuracy beyond a
/// step that is up to 0.8% coarser, it needs 2 bytes, and it has float's range, which half precision has not.
static inline uint16_t scale_bits(float largest) {
  const float scale = largest / 127.0f;
  uint32_t bits;
  memcpy(&bits, &scale, 4);
  return (uint16_t)((bits + 0xffff) >> 16);
}

static inline float scale_value(uint16_t bits) {
  const uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

static inline void quantize_block(F32 a, F32 b, uint8_t* values, uint16_t* scale) {
  const F32 magnitude_a = (F32)((I32)a & splat_int(0x7fffffff));
  const F32 magnitude_b = (F32)((I32)b & splat_int(0x7fffffff));
  *scale = scale_bits(max_lane(max(magnitude_a, magnitude_b)));
  const float inverse = *scale == 0 ? 0.0f : 1.0f / scale_value(*scale);
  // Adding 1.5 * 2^23 leaves the rounded integer in the low bits; 128 more makes it the stored byte.
  const F32 shifter = splat(12582912.0f + 128.0f);
  int32_t bits[2 * kLanes];
  write(bits, (I32)(a * splat(inverse) + shifter));
  write(bits + kLanes, (I32)(b * splat(inverse) + shifter));
  for (size_t i = 0; i < 2 * kLanes; i++) values[i] = (uint8_t)(bits[i] & 0xff);
}

template <typename Weights>
static void quantize_panel(const Weights& weights, size_t panel, uint8_t* values, uint16_t* scales) {
  const size_t padded = (weights.cols + 63) / 64 * 64;
  for (size_t block = 0; block < padded / kBlockCols; block++) {
    const size_t col = block * kBlockCols;
    const size_t left = col < weights.cols ? weights.cols - col : 0;
    uint8_t* out = values + block * kBlockCols * kPanelRows;
    for (size_t r = 0; r < kPanelRows; r++) {
      const size_t row = panel * kPanelRows + r;
      uint8_t bytes[kBlockCols];
      uint16_t scale = 0;
      if (row < weights.rows && left >= kBlockCols) {
        quantize_block(load_weights(weights, row, col, kLanes), load_weights(weights, row, col + kLanes, kLanes), bytes,
                       &scale);
      } else if (row < weights.rows && left > 0) {
        const size_t low = left < kLanes ? left : kLanes;
        quantize_block(load_weights(weights, row, col, low), load_weights(weights, row, col + low, left - low), bytes,
                       &scale);
      } else {
        memset(bytes, 128, sizeof bytes);
      }
      scales[block * kPanelRows + r] = scale;
      for (size_t j = 0; j < kBlockCols / 4; j++) memcpy(out + (j * kPanelRows + r) * 4, bytes + 4 * j, 4);
    }
  }
}

}  // namespace
}  // namespace gptoss
