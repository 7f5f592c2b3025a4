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

const std::vector<Variant>& variants() {
  static const std::vector<Variant> all = {
#if defined(__x86_64__)
      {amx_kernels(), kAvx512 | kAvx512Vnni | kAvx512Bf16 | kAvx512Vbmi | kAmxBf16},
      {avx512bf16_kernels(), kAvx512 | kAvx512Vnni | kAvx512Vbmi | kAvx512Bf16 | kFastBf16},
      {avx512vbmi_kernels(), kAvx512 | kAvx512Vnni | kAvx512Vbmi},
      {avx512vnni_kernels(), kAvx512 | kAvx512Vnni},
      {avx2vnni_kernels(), kAvx2 | kAvxVnni},
      {avx2_kernels(), kAvx2},
#elif defined(__aarch64__)
      {neon_kernels(), kNeon | kNeonDot},
#endif
      {portable_kernels(), 0},
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
