// Checks every step of the ladder against f64 and times it in ratio to the step before and to the machine's peaks.
//
//   harness [--tokens 64,256] [--versions 4,5] [--threads 2] [--samples 5]
//
// The weights are many matrices of the 20b's gate_up shape, walked in turn, so that they come from memory as in a
// real prompt. Versions are timed in alternation; the median of paired ratios is printed.
#include <immintrin.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "ladder.h"

using gptoss::GemmInput;
using gptoss::GemmOutput;
using gptoss::Mxfp4;

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

char* allocate(size_t bytes) {
  const size_t rounded = (bytes + (2 << 20)) >> 21 << 21;
  char* p = (char*)aligned_alloc(2 << 20, rounded);
  madvise(p, rounded, MADV_HUGEPAGE);
  memset(p, 0, rounded);
  return p;
}

void on_threads(int threads, const std::function<void(int)>& work) {
  std::vector<std::thread> pool;
  for (int t = 0; t < threads; t++)
    pool.emplace_back([&, t] {
      cpu_set_t set;
      CPU_ZERO(&set);
      CPU_SET(t, &set);
      sched_setaffinity(0, sizeof set, &set);
      work(t);
    });
  for (auto& t : pool) t.join();
}

struct Weights {
  size_t rows, cols, count;
  std::vector<uint8_t> blocks, scales;
  Mxfp4 at(size_t i) const {
    i %= count;
    return {blocks.data() + i * rows * cols / 2, scales.data() + i * rows * (cols / 32), rows, cols};
  }
};

Weights random_weights(size_t rows, size_t cols, size_t count, uint64_t seed) {
  Weights w{rows, cols, count, std::vector<uint8_t>(rows * cols / 2 * count), std::vector<uint8_t>(rows * cols / 32 * count)};
  std::mt19937_64 random(seed);
  for (size_t i = 0; i + 8 <= w.blocks.size(); i += 8) {
    const uint64_t r = random();
    memcpy(&w.blocks[i], &r, 8);
  }
  for (auto& s : w.scales) s = 116 + random() % 8;
  return w;
}

std::vector<float> random_activations(size_t tokens, size_t cols, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(tokens * cols);
  for (auto& v : x) v = normal(random) * (random() % 64 == 0 ? 8.f : 1.f);  // a few outliers, as models have
  return x;
}

/// Error of a kernel relative to the root mean square of the exact result, as (rms, worst).
struct Error {
  double rms, worst;
};

Error error_of(const ladder::Kernel& kernel, size_t rows, size_t cols, size_t tokens) {
  const float values[16] = {0, .5, 1, 1.5, 2, 3, 4, 6, 0, -.5, -1, -1.5, -2, -3, -4, -6};
  Weights weights = random_weights(rows, cols, 1, 7);
  const Mxfp4 w = weights.at(0);
  const auto x = random_activations(tokens, cols, 8);
  const auto bias = random_activations(1, rows, 9);
  std::vector<int32_t> order(tokens);
  for (size_t i = 0; i < tokens; i++) order[i] = (int32_t)((i * 7) % tokens);
  if (tokens % 7 == 0)
    for (size_t i = 0; i < tokens; i++) order[i] = (int32_t)i;
  const size_t stride = rows + 3;
  std::vector<float> out(tokens * stride, -12345.f);
  char* packed = allocate(kernel.packed_bytes(tokens, cols));
  char* scratch = allocate(kernel.scratch_bytes(tokens, cols));
  const GemmInput in{x.data(), cols, order.data(), tokens, cols};
  for (size_t first = 0; first < tokens; first += kernel.token_tile)
    kernel.pack(in, first, std::min(tokens, first + kernel.token_tile), packed);
  const GemmOutput output{out.data(), stride, bias.data()};
  const size_t half = rows / 2 / kernel.row_tile * kernel.row_tile;
  if (half) kernel.run(w, 0, half, packed, tokens, output, scratch);
  kernel.run(w, half, rows, packed, tokens, output, scratch);
  double square = 0, error_square = 0, worst = 0;
  for (size_t m = 0; m < tokens; m++) {
    for (size_t n = 0; n < rows; n++) {
      double exact = bias[n];
      for (size_t k = 0; k < cols; k++) {
        const uint8_t byte = w.blocks[(n * cols + k) / 2];
        exact += (double)values[k % 2 ? byte >> 4 : byte & 15] * ldexp(1, w.scales[n * (cols / 32) + k / 32] - 127) *
                 x[(size_t)order[m] * cols + k];
      }
      const double e = exact - out[m * stride + n];
      square += exact * exact;
      error_square += e * e;
      worst = std::max(worst, fabs(e));
    }
    for (size_t n = rows; n < stride; n++)
      if (out[m * stride + n] != -12345.f) worst = 1e30;
  }
  free(packed);
  free(scratch);
  const double norm = sqrt(square / (double)(tokens * rows));
  return {sqrt(error_square / (double)(tokens * rows)) / norm, worst / norm};
}

/// Seconds for `count` matrices, and for packing once.
struct Timing {
  double run, pack;
};

Timing time_of(const ladder::Kernel& kernel, const Weights& weights, size_t count, size_t tokens, int threads, size_t& cursor) {
  static std::vector<float> x, out;
  if (x.size() != tokens * weights.cols) x = random_activations(tokens, weights.cols, 3);
  out.resize(tokens * weights.rows);
  char* packed = allocate(kernel.packed_bytes(tokens, weights.cols));
  std::vector<char*> scratch;
  for (int t = 0; t < threads; t++) scratch.push_back(allocate(kernel.scratch_bytes(tokens, weights.cols)));
  const GemmInput in{x.data(), weights.cols, nullptr, tokens, weights.cols};
  kernel.pack(in, 0, tokens, packed);
  double start = now();
  kernel.pack(in, 0, tokens, packed);
  const double pack = now() - start;
  const GemmOutput output{out.data(), weights.rows, nullptr};
  const size_t tasks = (weights.rows + kernel.rows_per_task - 1) / kernel.rows_per_task;
  std::atomic<size_t> next{0};
  start = now();
  on_threads(threads, [&](int t) {
    for (size_t task; (task = next++) < count * tasks;) {
      const size_t first = task % tasks * kernel.rows_per_task;
      kernel.run(weights.at(cursor + task / tasks), first, std::min(weights.rows, first + kernel.rows_per_task), packed, tokens,
                 output, scratch[t]);
    }
  });
  const double seconds = now() - start;
  cursor += count;
  free(packed);
  for (char* s : scratch) free(s);
  return {seconds / (double)count, pack};
}

// Peaks, in multiply-adds a second, and streaming reads, in bytes a second: what the ratios are taken of.

void configure_tiles() {
  alignas(64) uint8_t config[64] = {1};
  for (int i = 0; i < 8; i++) config[16 + 2 * i] = 64, config[48 + i] = 16;
  asm volatile("ldtilecfg %0" ::"m"(config));
}

/// Products of random numbers from the first-level cache: with constant ones the processor runs at a higher clock.
double peak_amx(int threads) {
  const long n = 2000000;
  static char* data = nullptr;
  if (!data) {
    data = allocate(16 << 10);
    std::mt19937 random(5);
    for (size_t i = 0; i < (16 << 10) / 2; i++) ((uint16_t*)data)[i] = (uint16_t)((random() & 0x807f) | (120 + random() % 8) << 7);
  }
  const double start = now();
  on_threads(threads, [&](int) {
    configure_tiles();
    asm volatile("tilezero %tmm0\ntilezero %tmm1\ntilezero %tmm2\ntilezero %tmm3");
    for (long i = 0; i < n; i++) {
      const char* p = data + i % 4 * 4096;
      asm volatile(
          "tileloadd (%0,%1,1),%%tmm4\ntileloadd 1024(%0,%1,1),%%tmm5\ntileloadd 2048(%0,%1,1),%%tmm6\ntileloadd 3072(%0,%1,1),%%tmm7\n"
          "tdpbf16ps %%tmm6,%%tmm4,%%tmm0\ntdpbf16ps %%tmm7,%%tmm4,%%tmm1\ntdpbf16ps %%tmm6,%%tmm5,%%tmm2\ntdpbf16ps %%tmm7,%%tmm5,%%tmm3"
          ::"r"(p), "r"(64L) : "memory");
    }
    asm volatile("tilerelease");
  });
  return threads * (double)n * 4 * 8192 / (now() - start);
}

double peak_vnni(int threads) {
  const long n = 40000000;
  const double start = now();
  on_threads(threads, [&](int) {
    for (long i = 0; i < n; i++)
      asm volatile(
          "vpdpbusd %%zmm30,%%zmm31,%%zmm0\nvpdpbusd %%zmm30,%%zmm31,%%zmm1\nvpdpbusd %%zmm30,%%zmm31,%%zmm2\nvpdpbusd %%zmm30,%%zmm31,%%zmm3\n"
          "vpdpbusd %%zmm30,%%zmm31,%%zmm4\nvpdpbusd %%zmm30,%%zmm31,%%zmm5\nvpdpbusd %%zmm30,%%zmm31,%%zmm6\nvpdpbusd %%zmm30,%%zmm31,%%zmm7\n"
          "vpdpbusd %%zmm30,%%zmm31,%%zmm8\nvpdpbusd %%zmm30,%%zmm31,%%zmm9\nvpdpbusd %%zmm30,%%zmm31,%%zmm10\nvpdpbusd %%zmm30,%%zmm31,%%zmm11"
          ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11");
  });
  return threads * (double)n * 12 * 64 / (now() - start);
}

double peak_memory(int threads, const Weights& w) {
  const double start = now();
  std::atomic<uint64_t> sink{0};
  on_threads(threads, [&](int t) {
    const size_t streams = 4, part = w.blocks.size() / (size_t)threads / streams / 256 * 256;
    const uint8_t* p = w.blocks.data() + (size_t)t * streams * part;
    __m512i sum = _mm512_setzero_si512();
    for (size_t i = 0; i < part; i += 256)
      for (size_t s = 0; s < streams; s++)
        for (size_t j = 0; j < 256; j += 64) sum = _mm512_add_epi64(sum, _mm512_loadu_si512(p + s * part + i + j));
    sink += (uint64_t)_mm512_reduce_add_epi64(sum);
  });
  return (double)w.blocks.size() / (now() - start);
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

std::vector<int> list(const char* text) {
  std::vector<int> v;
  for (const char* p = text; *p; p += strcspn(p, ","), p += *p == ',') v.push_back(atoi(p));
  return v;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<int> tokens_list = {4, 16, 32, 64, 128, 256}, versions = {1, 2, 3, 4, 5, 6, 7, 8};
  int threads = 2, samples = 5;
  size_t rows = 5760, matrices = 128;
  bool check = true;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string a = argv[i];
    if (a == "--tokens") tokens_list = list(argv[i + 1]);
    if (a == "--versions") versions = list(argv[i + 1]);
    if (a == "--threads") threads = atoi(argv[i + 1]);
    if (a == "--samples") samples = atoi(argv[i + 1]);
    if (a == "--rows") rows = (size_t)atoi(argv[i + 1]);
    if (a == "--matrices") matrices = (size_t)atoi(argv[i + 1]);
    if (a == "--check") check = atoi(argv[i + 1]) != 0;
  }
  if (syscall(SYS_arch_prctl, 0x1023, 18)) puts("no AMX here");
  const ladder::Kernel* kernels[] = {nullptr, &ladder::v1, &ladder::v2, &ladder::v3, &ladder::v4, &ladder::v5, &ladder::v6, &ladder::v7, &ladder::v8};

  bool good = true;
  if (check)
    for (int v : versions) {
      Error most{0, 0};
      for (size_t tokens : {1, 2, 5, 16, 17, 31, 33, 48, 64, 75})
        for (size_t cols : {32, 64, 96, 160, 320, 2880}) {
          const Error e = error_of(*kernels[v], cols == 96 ? 70 : cols == 160 ? 40 : 96, cols, tokens);
          most = {std::max(most.rms, e.rms), std::max(most.worst, e.worst)};
        }
      printf("v%d error relative to the rms of the result: rms %.2e, worst value %.2e\n", v, most.rms, most.worst);
      good &= most.worst < 0.1;
    }
  if (!good) return puts("WRONG"), 1;

  const size_t cols = 2880;
  const Weights weights = random_weights(rows, cols, matrices, 1);
  size_t cursor = 0;
  for (int tokens : tokens_list) {
    std::vector<std::vector<double>> rate(9), pack(9), ratio(9), amx, vnni;
    std::vector<double> peak_a, peak_v, peak_m;
    for (int s = 0; s < samples; s++) {
      peak_a.push_back(peak_amx(threads));
      peak_v.push_back(peak_vnni(threads));
      peak_m.push_back(peak_memory(threads, weights));
      double before = 0;
      for (int v : versions) {
        const Timing t = time_of(*kernels[v], weights, v == 1 ? 2 : v < 4 ? 16 : 64, (size_t)tokens, threads, cursor);
        rate[v].push_back((double)rows * cols * tokens / t.run);
        pack[v].push_back(t.pack / t.run);
        ratio[v].push_back(before ? rate[v].back() / before : 1);
        before = rate[v].back();
      }
    }
    printf("tokens %3d, threads %d: amx bf16 peak %.0f, vpdpbusd peak %.0f GMAC/s, memory %.1f GB/s\n", tokens, threads,
           median(peak_a) * 1e-9, median(peak_v) * 1e-9, median(peak_m) * 1e-9);
    for (int v : versions) {
      const double r = median(rate[v]);
      printf("  v%d %7.1f GMAC/s  x%.2f of the step before  %3.0f%% of %s peak  weights at %3.0f%% of memory  pack (1 thread) %.1f%%\n", v, r * 1e-9,
             median(ratio[v]), 100 * r / median(v >= 4 ? peak_a : peak_v), v >= 4 ? "amx" : "vnni",
             100 * (r / tokens * 17 / 32) / median(peak_m), 100 * median(pack[v]));
    }
    fflush(stdout);
  }
}
