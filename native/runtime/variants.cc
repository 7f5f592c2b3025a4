#include "variants.h"

#include "cpu.h"

namespace gptoss {

#if defined(__x86_64__)
Kernels amx_kernels();
Kernels avx512bf16_kernels();
Kernels avx512vbmi_kernels();
Kernels avx512vnni_kernels();
Kernels avx2vnni_kernels();
Kernels avx2_kernels();
#elif defined(__aarch64__)
Kernels neon_kernels();
#endif
Kernels portable_kernels();

namespace {

/// A set's table is made by code that was compiled for its processor, and so may use what others lack: where the set does
/// not run, that code must not either.
Variant variant(const char* name, const char* description, uint32_t needs, Kernels (*table)()) {
  Kernels kernels = {};
  if ((needs & ~cpu_features()) == 0) kernels = table();
  kernels.name = name;
  kernels.description = description;
  return {kernels, needs};
}

}  // namespace

const std::vector<Variant>& variants() {
  static const std::vector<Variant> all = {
#if defined(__x86_64__)
      variant("amx", "AMX tiles in bfloat16 for prompts, AVX-512 with VNNI for decoding",
              kAvx512 | kAvx512Vnni | kAvx512Bf16 | kAvx512Vbmi | kAmxBf16, amx_kernels),
      variant("avx512bf16", "AVX-512 with VNNI, VBMI and BF16",
              kAvx512 | kAvx512Vnni | kAvx512Vbmi | kAvx512Bf16 | kFastBf16, avx512bf16_kernels),
      variant("avx512vbmi", "AVX-512 with VNNI and VBMI", kAvx512 | kAvx512Vnni | kAvx512Vbmi, avx512vbmi_kernels),
      variant("avx512vnni", "AVX-512 with VNNI", kAvx512 | kAvx512Vnni, avx512vnni_kernels),
      variant("avx2vnni", "AVX2 with VNNI", kAvx2 | kAvxVnni, avx2vnni_kernels),
      variant("avx2", "AVX2", kAvx2, avx2_kernels),
#elif defined(__aarch64__)
      variant("neon", "NEON with dot product", kNeon | kNeonDot, neon_kernels),
#endif
      variant("portable", "portable C++", 0, portable_kernels),
  };
  return all;
}

namespace {

std::string missing(const Variant& variant) { return feature_names(variant.needs & ~cpu_features()); }

bool runs_here(const Variant& variant) { return (variant.needs & ~cpu_features()) == 0; }

}  // namespace

Choice choose_kernels(const std::string& name) {
  if (name.empty()) {
    std::string passed_over;
    for (const Variant& variant : variants()) {
      if (runs_here(variant)) return {&variant.kernels, passed_over.empty() ? "the best this binary has" : passed_over};
      passed_over += (passed_over.empty() ? "" : "; ") + std::string(variant.kernels.name) + " needs " + missing(variant);
    }
    return {nullptr, passed_over};
  }
  std::string known;
  for (const Variant& variant : variants()) {
    known += (known.empty() ? "" : ", ") + std::string(variant.kernels.name);
    if (name != variant.kernels.name) continue;
    if (runs_here(variant)) return {&variant.kernels, "asked for"};
    return {nullptr, "kernels \"" + name + "\" need " + missing(variant) + ", which this machine lacks"};
  }
  return {nullptr, "no kernels \"" + name + "\" in this binary, which has " + known};
}

}  // namespace gptoss
