#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace gptoss {

namespace {

#if defined(__x86_64__)

/// Which register state the operating system saves: bits of XCR0.
uint64_t saved_state() {
  uint32_t low, high;
  __asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

/// Linux gives tiles to a process that asks (ARCH_REQ_XCOMP_PERM for XTILEDATA); threads started later inherit it.
bool request_tiles() {
#if defined(__linux__)
  return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
  return false;
#endif
}

/// Intel's take two cycles where a multiply-add takes half a one.
bool has_fast_bf16() {
  uint32_t a, b, c, d;
  return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx && c == signature_AMD_ecx && d == signature_AMD_edx;
}

uint32_t detect() {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  const bool has_xsave = c & (1u << 27), has_fma = c & (1u << 12), has_f16c = c & (1u << 29);
  if (!has_xsave) return 0;
  const uint64_t state = saved_state();
  const bool saves_avx = (state & 0x6) == 0x6, saves_avx512 = (state & 0xe6) == 0xe6;
  const bool saves_tiles = (state & 0x60000) == 0x60000;

  uint32_t features = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  const uint32_t leaves = a;
  if (saves_avx && has_fma && has_f16c && (b & (1u << 5))) features |= kAvx2;
  const uint32_t foundation = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
  if (saves_avx512 && (b & foundation) == foundation) {
    features |= kAvx512;
    if (c & (1u << 11)) features |= kAvx512Vnni;
    if (c & (1u << 1)) features |= kAvx512Vbmi;
  }
  const bool amx_tile = d & (1u << 24), amx_int8 = d & (1u << 25), amx_bf16 = d & (1u << 22);
  if (amx_tile && saves_tiles && request_tiles()) {
    if (amx_int8) features |= kAmxInt8;
    if (amx_bf16) features |= kAmxBf16;
  }
  if (leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) {
    if ((features & kAvx2) && (a & (1u << 4))) features |= kAvxVnni;
    if ((features & kAvx512) && (a & (1u << 5))) features |= kAvx512Bf16 | (has_fast_bf16() ? uint32_t{kFastBf16} : 0);
  }
  return features;
}

#elif defined(__aarch64__)

uint32_t detect() {
#if defined(__linux__)
  return kNeon | ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0 ? uint32_t{kNeonDot} : 0);
#else
  return kNeon | kNeonDot;  // every Apple machine
#endif
}

#else
uint32_t detect() { return 0; }
#endif

}  // namespace

uint32_t cpu_features() {
  static const uint32_t features = detect();
  return features;
}

std::string feature_names(uint32_t features) {
  static const struct {
    Feature feature;
    const char* name;
  } names[] = {
      {kAvx2, "AVX2"},
      {kAvxVnni, "AVX-VNNI"},
      {kAvx512, "AVX-512"},
      {kAvx512Vnni, "AVX-512 VNNI"},
      {kAvx512Vbmi, "AVX-512 VBMI"},
      {kAvx512Bf16, "AVX-512 BF16"},
      {kFastBf16, "AVX-512 BF16 at full speed"},
      {kAmxInt8, "AMX INT8"},
      {kAmxBf16, "AMX BF16"},
      {kNeon, "NEON"},
      {kNeonDot, "NEON dot product"},
  };
  std::string text;
  for (const auto& [feature, name] : names) {
    if (features & feature) text += (text.empty() ? "" : ", ") + std::string(name);
  }
  return text.empty() ? "none" : text;
}

}  // namespace gptoss
