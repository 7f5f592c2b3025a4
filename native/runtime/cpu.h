// What this machine's processor and operating system let a program use.

#pragma once

#include <cstdint>
#include <string>

namespace gptoss {

enum Feature : uint32_t {
  kAvx2 = 1u << 0,  // with FMA and F16C, which every processor with AVX2 has
  kAvxVnni = 1u << 1,
  kAvx512 = 1u << 2,  // F, BW, DQ, VL
  kAvx512Vnni = 1u << 3,
  kAvx512Vbmi = 1u << 4,
  kAvx512Bf16 = 1u << 5,
  kAmxInt8 = 1u << 6,
  kAmxBf16 = 1u << 7,
  kNeon = 1u << 8,
  kNeonDot = 1u << 9,
  kFastBf16 = 1u << 10,  // AVX-512 BF16 whose dot products are as fast as multiply-adds
};

/// The features that can be used now; asks the kernel for AMX tiles where the processor has them.
uint32_t cpu_features();

/// "AVX-512 VNNI, AMX BF16"
std::string feature_names(uint32_t features);

}  // namespace gptoss
