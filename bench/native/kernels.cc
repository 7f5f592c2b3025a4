// Every variant's kernels on the shapes of gpt-oss-20b, on one thread, in alternation: what one instruction set is worth.
// Matrix-vector products walk over more experts than caches hold; matrix products have their weights and tokens in reach.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "../../native/runtime/cpu.h"
#include "../../native/runtime/variants.h"

using namespace gptoss;

namespace {

constexpr size_t kHidden = 2880, kGateUp = 5760, kExperts = 24, kTokens = 64, kDense = 4096, kPrompt = 256;
constexpr size_t kRounds = 9;

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Zero pages are one page; these are not.
template <typename T>
T* filled(size_t count, uint32_t seed) {
  T* memory = static_cast<T*>(std::aligned_alloc(64, (count * sizeof(T) + 63) / 64 * 64));
  for (size_t i = 0; i < count; i++) memory[i] = static_cast<T>((seed = seed * 69069 + 1) >> 24);
  return memory;
}

struct Subject {
  std::string what;
  double work;  // bytes, or multiplications
  /// On `variant`; null where it has none.
  std::function<std::function<void()>(const Kernels&)> make;
};

template <typename Weights>
std::function<void()> matvec(const Matvec<Weights>& kernel, const std::vector<Weights>& weights, const float* x,
                             size_t vectors) {
  const size_t cols = weights[0].cols, bytes = kernel.activation_bytes(cols);
  char* prepared = filled<char>(bytes * vectors, 1);
  std::vector<const void*> activations;
  std::vector<float*> out;
  for (size_t v = 0; v < vectors; v++) {
    kernel.prepare(x + v * cols, 0, cols, cols, prepared + v * bytes);
    activations.push_back(prepared + v * bytes);
    out.push_back(filled<float>(weights[0].rows, 1));
  }
  return [=] {
    for (const Weights& w : weights) kernel.run(w, 0, w.rows, activations.data(), vectors, nullptr, out.data());
  };
}

template <typename Kernel, typename Run, typename Weights>
std::function<void()> gemm(const Kernel& kernel, Run* run, const Weights& weights, const float* x, size_t tokens) {
  if (run == nullptr) return nullptr;
  char* packed = filled<char>(kernel.packed_bytes(tokens, weights.cols), 1);
  char* scratch = filled<char>(kernel.scratch_bytes(tokens, weights.cols), 1);
  float* out = filled<float>(tokens * weights.rows, 1);
  return [=] {
    kernel.pack({x, weights.cols, nullptr, tokens, weights.cols}, 0, tokens, packed);
    for (size_t row = 0; row < weights.rows; row += kernel.rows_per_task)
      run(weights, row, std::min(row + kernel.rows_per_task, weights.rows), packed, tokens, {out, weights.rows, nullptr},
          scratch);
  };
}

template <typename Weights>
std::function<void()> gemm(const Gemm<Weights>& kernel, const Weights& weights, const float* x, size_t tokens) {
  return gemm(kernel, kernel.run, weights, x, tokens);
}

/// 8 heads over 4096 positions: one token in tiles of 256, as in a long context, or the tokens of a prompt, which share
/// tiles of 64.
std::function<void()> attend(const Kernels& kernels, size_t tokens) {
  static const KvLayout layout = {64, 64};
  std::vector<const void*> blocks;
  for (size_t b = 0; b < 64; b++) {
    uint16_t* block = filled<uint16_t>(2 * layout.half(), static_cast<uint32_t>(b));
    for (size_t i = 0; i < 2 * layout.half(); i++) block[i] += 0x3c00;
    blocks.push_back(block);
  }
  float* q = filled<float>(8 * 64, 7);
  float* scores = filled<float>(8 * kTileSlots, 8);
  constexpr size_t kState = 8 * 66;
  float* states = filled<float>(tokens * kState, 9);
  const size_t step = tokens == 1 ? 4 : 1;
  return [=] {
    for (size_t t = 0; t < tokens; t++) std::fill(states + t * kState, states + t * kState + 8, -1e30f);
    for (size_t block = 0; block < 64; block += step)
      for (float* state = states; state < states + tokens * kState; state += kState)
        kernels.attend(q, 8, layout, {blocks.data() + block, 0, step * 64}, scores, {state, state + 8, state + 16});
  };
}

}  // namespace

int main(int count, char** names) {
  std::vector<const Kernels*> chosen;
  for (const Variant& variant : variants()) {
    const bool is_named = count == 1 || std::find_if(names + 1, names + count, [&](const char* name) {
                                           return std::string(name) == variant.kernels.name;
                                         }) != names + count;
    if (is_named && (variant.needs & ~cpu_features()) == 0) chosen.push_back(&variant.kernels);
  }

  const size_t expert_values = kGateUp * kHidden;
  uint8_t* blocks = filled<uint8_t>(kExperts * expert_values / 2, 1);
  uint8_t* scales = filled<uint8_t>(kExperts * expert_values / 32, 2);
  for (size_t i = 0; i < kExperts * expert_values / 32; i++) scales[i] = 120 + scales[i] % 8;
  std::vector<Mxfp4> experts;
  for (size_t e = 0; e < kExperts; e++)
    experts.push_back({blocks + e * expert_values / 2, scales + e * expert_values / 32, kGateUp, kHidden});
  uint8_t* gguf = filled<uint8_t>(expert_values / 32 * 17, 7);
  for (size_t i = 0; i < expert_values / 32; i++) gguf[17 * i] = 120 + gguf[17 * i] % 8;
  const Mxfp4Blocks gguf_expert = {{gguf, nullptr}, 1, kGateUp, kHidden};
  const size_t dense_values = kDense * kHidden;
  uint16_t* dense_scales = filled<uint16_t>(dense_values / 32, 4);
  for (size_t i = 0; i < dense_values / 32; i++) dense_scales[i] = 0x3c00 + dense_scales[i];
  const Dense8 dense8 = {filled<uint8_t>(dense_values, 3), dense_scales, kDense, kHidden};
  uint16_t* bf16_values = filled<uint16_t>(dense_values, 5);
  for (size_t i = 0; i < dense_values; i++) bf16_values[i] = 0x3c00 + bf16_values[i];
  const DenseBf16 bf16 = {(const uint8_t*)bf16_values, kDense, kHidden};
  float* x = filled<float>(kPrompt * kHidden, 6);
  std::vector<Dense8> dense8_matrices;
  for (size_t i = 0; i < 12; i++) {
    uint8_t* values = filled<uint8_t>(dense_values, 3);
    dense8_matrices.push_back({values, dense8.scales, kDense, kHidden});
  }

  const double expert_bytes = kExperts * expert_values * 17.0 / 32, expert_macs = 1.0 * expert_values * kTokens;
  const std::vector<Subject> subjects = {
      {"mxfp4 matvec, 1 vector (GB/s)", expert_bytes,
       [&](const Kernels& k) { return matvec(k.matvec_mxfp4, experts, x, 1); }},
      {"mxfp4 matvec, 8 vectors (GMAC/s)", 8.0 * kExperts * expert_values,
       [&](const Kernels& k) { return matvec(k.matvec_mxfp4, experts, x, 8); }},
      {"dense8 matvec, 1 vector (GB/s)", 12 * dense_values * 34.0 / 32,
       [&](const Kernels& k) { return matvec(k.matvec_dense8, dense8_matrices, x, 1); }},
      {"mxfp4 gemm, 64 tokens (GMAC/s)", expert_macs, [&](const Kernels& k) { return gemm(k.gemm_mxfp4, experts[0], x, kTokens); }},
      {"mxfp4 gemm, blocks of GGUF, 64 tokens (GMAC/s)", expert_macs,
       [&](const Kernels& k) { return gemm(k.gemm_mxfp4, k.gemm_mxfp4_blocks, gguf_expert, x, kTokens); }},
      {"mxfp4 gemm, 8 tokens (GMAC/s)", expert_macs / 8, [&](const Kernels& k) { return gemm(k.gemm_mxfp4, experts[0], x, 8); }},
      {"mxfp4 matvec in cache, 1 vector (GMAC/s)", 1.0 * expert_values,
       [&](const Kernels& k) { return matvec(k.matvec_mxfp4, std::vector<Mxfp4>{experts[0]}, x, 1); }},
      {"dense8 gemm, 256 tokens (GMAC/s)", 1.0 * dense_values * kPrompt,
       [&](const Kernels& k) { return gemm(k.gemm_dense8, dense8, x, kPrompt); }},
      {"dense8 gemm, 8 tokens (GMAC/s)", 1.0 * dense_values * 8, [&](const Kernels& k) { return gemm(k.gemm_dense8, dense8, x, 8); }},
      {"dense8 matvec, 8 vectors (GMAC/s)", 8.0 * dense_values,
       [&](const Kernels& k) { return matvec(k.matvec_dense8, std::vector<Dense8>{dense8}, x, 8); }},
      {"bf16 gemm, 256 tokens (GMAC/s)", 1.0 * dense_values * kPrompt,
       [&](const Kernels& k) { return gemm(k.gemm_bf16, bf16, x, kPrompt); }},
      {"bf16 matvec, 8 vectors (GMAC/s)", 8.0 * dense_values,
       [&](const Kernels& k) { return matvec(k.matvec_bf16, std::vector<DenseBf16>{bf16}, x, 8); }},
      {"attend, 8 heads, 4096 positions (GMAC/s)", 2.0 * 8 * 64 * 4096, [&](const Kernels& k) { return attend(k, 1); }},
      {"attend, 8 heads of 32 tokens, the same (GMAC/s)", 32 * 2.0 * 8 * 64 * 4096,
       [&](const Kernels& k) { return attend(k, 32); }},
  };
  const std::string only = std::getenv("ONLY") ? std::getenv("ONLY") : "";
  for (const Subject& subject : subjects) {
    if (subject.what.find(only) == std::string::npos) continue;
    std::vector<std::function<void()>> works;
    for (const Kernels* kernels : chosen) works.push_back(subject.make(*kernels));
    std::vector<std::vector<double>> times(chosen.size());
    for (size_t round = 0; round < kRounds; round++)
      for (size_t i = 0; i < works.size(); i++)
        if (works[i]) times[i].push_back(seconds(works[i]));
    std::printf("%-46s", subject.what.c_str());
    for (size_t i = 0; i < works.size(); i++) {
      if (!works[i]) continue;
      std::printf("  %s %.1f", chosen[i]->name, subject.work / median(times[i]) / 1e9);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}
