// IEEE half precision → float, on any processor.

#pragma once

#include <cstdint>
#include <cstring>

namespace gptoss {

inline float half_to_float(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, magnitude = bits & 0x7fff;
  float value;
  if (magnitude < 0x400) {
    value = static_cast<float>(magnitude) * 0x1p-24f;
    return sign ? -value : value;
  }
  const uint32_t wide = sign | (magnitude >= 0x7c00 ? 0x7f800000 | (magnitude & 0x3ff) << 13 : (magnitude << 13) + 0x38000000);
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

}  // namespace gptoss
