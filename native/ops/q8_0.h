// Q8_0, as GGUF files hold dense weights: blocks of 32 columns, a half-precision scale and 32 signed bytes.

#pragma once

#include <cstdint>
#include <cstring>

#include "../runtime/half.h"

namespace gptoss {

constexpr size_t kQ8BlockCols = 32;
constexpr size_t kQ8BlockBytes = 34;

inline size_t q8_0_bytes(size_t cols) { return cols / kQ8BlockCols * kQ8BlockBytes; }

inline void widen_q8_0(const uint8_t* from, size_t cols, float* out) {
  for (size_t k = 0; k < cols; k += kQ8BlockCols, from += kQ8BlockBytes) {
    uint16_t bits;
    std::memcpy(&bits, from, sizeof bits);
    const float scale = half_to_float(bits);
    for (size_t i = 0; i < kQ8BlockCols; i++) out[k + i] = scale * static_cast<float>(static_cast<int8_t>(from[2 + i]));
  }
}

}  // namespace gptoss
