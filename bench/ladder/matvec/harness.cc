// Matrix-vector kernels against a plain streaming read of the same bytes, in turn, on the same threads: prints the
// median of paired ratios, where 1.00 is the speed of memory. And on bytes that stay in the second-level cache, the
// shortest of many times: what the kernel would take if memory were free.
//
//   matvec [--threads N] [--variant NAME] [--vectors N] [--memory no] [--file PATH]   (a file is mapped; else memory in large pages)

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../../../native/ops/matmul.h"
#include "../../../native/runtime/variants.h"

using namespace gptoss;

namespace {

typedef uint64_t Vector __attribute__((vector_size(64)));

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void stream(Pool& pool, const uint8_t* data, size_t bytes) {
  std::vector<Vector> sums(pool.size());
  Ranges ranges(bytes / 256, 1, 256, pool.size());
  pool.run([&](size_t thread) {
    Vector a = {}, b = {}, c = {}, d = {};
    for (size_t first, last; ranges.next(&first, &last);) {
      for (const uint8_t* p = data + first * 256; p < data + last * 256; p += 256) {
        for (int i = 0; i < 4; i++) __builtin_prefetch(p + 64 * i + 4096);
        Vector v[4];
        std::memcpy(v, p, 256);
        a += v[0], b += v[1], c += v[2], d += v[3];
      }
    }
    sums[thread] = a + b + c + d;
  });
  volatile uint64_t keep = sums[0][0];
  (void)keep;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// ns for each 64 bytes of weights on one core, of which all threads together get what they can.
template <typename Weights>
void measure_cached(const char* name, Pool& pool, const Matvec<Weights>& kernel, const Weights& weights, size_t row_bytes,
                    const float* x, size_t vectors) {
  std::vector<double> best(pool.size(), 1e9);
  pool.run([&](size_t thread) {
    std::vector<char> memory(kernel.activation_bytes(weights.cols) * vectors + 64);
    char* base = memory.data() + 64 - reinterpret_cast<uintptr_t>(memory.data()) % 64;
    std::vector<float> out(weights.rows * vectors);
    const void* activations[kMaxVectors];
    float* outs[kMaxVectors];
    for (size_t v = 0; v < vectors; v++) {
      kernel.prepare(x, 0, weights.cols, weights.cols, base + v * kernel.activation_bytes(weights.cols));
      activations[v] = base + v * kernel.activation_bytes(weights.cols);
      outs[v] = out.data() + v * weights.rows;
    }
    pool.barrier();
    for (int round = 0; round < 3000; round++) {
      const double start = now();
      kernel.run(weights, 0, weights.rows, activations, vectors, nullptr, outs);
      best[thread] = std::min(best[thread], now() - start);
    }
  });
  double slowest = 0;
  for (double seconds : best) slowest = std::max(slowest, seconds);
  const double lines = static_cast<double>(weights.rows * row_bytes) / 64;
  std::printf("%-8s cached: %.2f ns a line and thread, %.1f GB/s on %zu threads\n", name, slowest / lines * 1e9,
              64 * static_cast<double>(pool.size()) / (slowest / lines) / 1e9, pool.size());
}

template <typename Run>
void measure(const char* name, Pool& pool, const uint8_t* data, size_t bytes, const Run& run) {
  std::vector<double> ratios, rates;
  for (int round = 0; round < 15; round++) {
    double start = now();
    stream(pool, data, bytes);
    const double streaming = now() - start;
    start = now();
    run();
    const double running = now() - start;
    ratios.push_back(streaming / running);
    rates.push_back(bytes / running / 1e9);
  }
  std::printf("%-10s median %.3f of streaming, best %.1f GB/s, median %.1f\n", name, median(ratios),
              *std::max_element(rates.begin(), rates.end()), median(rates));
}

}  // namespace

int main(int argc, char** argv) {
  size_t threads = 2, vectors = 1;
  std::string variant, file;
  bool is_cached_only = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--threads") threads = std::atoi(argv[i + 1]);
    if (flag == "--vectors") vectors = std::atoi(argv[i + 1]);
    if (flag == "--variant") variant = argv[i + 1];
    if (flag == "--file") file = argv[i + 1];
    if (flag == "--memory") is_cached_only = std::string(argv[i + 1]) == "no";
  }
  const Choice choice = choose_kernels(variant);
  if (choice.kernels == nullptr) return std::printf("%s\n", choice.reason.c_str()), 1;
  const Kernels& kernels = *choice.kernels;

  size_t bytes = size_t{1200} << 20;
  uint8_t* data;
  if (file.empty()) {
    data = static_cast<uint8_t*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    madvise(data, bytes, MADV_HUGEPAGE);
    uint64_t state = 1;
    for (size_t i = 0; i < bytes; i += 8) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      // Every byte between 0x38 and 0x3f: as MXFP4 exponents and as bfloat16 these are small, but not vanishing.
      const uint64_t value = (state >> 3 & 0x0707070707070707) | 0x3838383838383838;
      std::memcpy(data + i, &value, 8);
    }
  } else {
    const int descriptor = open(file.c_str(), O_RDONLY);
    data = static_cast<uint8_t*>(mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0));
  }

  flush_subnormals();
  std::atomic<int64_t> counter{0};
  Pool pool(threads);
  Arena scratch(&counter);
  const Machine machine = {kernels, pool, scratch};
  const size_t cols = 2880, rows = 5760;
  std::vector<float> x(cols * vectors), out(201088 * vectors);
  for (size_t i = 0; i < x.size(); i++) x[i] = static_cast<float>(i % 17) - 8;
  std::printf("%s, %zu threads, %zu vectors, %s\n", kernels.name, threads, vectors, file.empty() ? "memory" : "file");

  measure_cached("mxfp4", pool, kernels.matvec_mxfp4, Mxfp4{data, data + (1 << 20), 128, cols}, cols / 2, x.data(), vectors);
  measure_cached("dense8", pool, kernels.matvec_dense8, Dense8{data, reinterpret_cast<uint16_t*>(data + (1 << 20)), 64, cols}, cols,
                 x.data(), vectors);
  measure_cached("bf16", pool, kernels.matvec_bf16, DenseBf16{data, 32, cols}, 2 * cols, x.data(), vectors);
  if (is_cached_only) return 0;

  const size_t expert_bytes = rows * cols / 2 + rows * cols / 32, experts = bytes / expert_bytes;
  measure("mxfp4", pool, data, experts * expert_bytes, [&] {
    for (size_t e = 0; e < experts; e++) {
      scratch.reset();
      const uint8_t* base = data + e * expert_bytes;
      const Mxfp4 weights = {base, base + rows * cols / 2, rows, cols};
      multiply_vectors(machine, kernels.matvec_mxfp4, weights, {x.data(), cols, vectors, cols}, {out.data(), rows, nullptr});
    }
  });
  const size_t matrix_bytes = 4096 * cols + 4096 * cols / 16, matrices = bytes / matrix_bytes;
  measure("dense8", pool, data, matrices * matrix_bytes, [&] {
    for (size_t m = 0; m < matrices; m++) {
      scratch.reset();
      const uint8_t* base = data + m * matrix_bytes;
      const Dense8 weights = {base, reinterpret_cast<const uint16_t*>(base + 4096 * cols), 4096, cols};
      multiply_vectors(machine, kernels.matvec_dense8, weights, {x.data(), cols, vectors, cols}, {out.data(), 4096, nullptr});
    }
  });
  const size_t bf16_bytes = 4096 * cols * 2, bf16s = bytes / bf16_bytes;
  measure("bf16", pool, data, bf16s * bf16_bytes, [&] {
    for (size_t m = 0; m < bf16s; m++) {
      scratch.reset();
      const DenseBf16 weights = {data + m * bf16_bytes, 4096, cols};
      multiply_vectors(machine, kernels.matvec_bf16, weights, {x.data(), cols, vectors, cols}, {out.data(), 4096, nullptr});
    }
  });
}
