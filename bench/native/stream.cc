// A plain streaming read of memory on all cores: the limit that decoding is compared with.
// For each byte on standard input it reads once through 512 MiB, and prints the GB/s that this took.

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

typedef uint64_t Vector __attribute__((vector_size(64)));

namespace {

constexpr size_t kBytes = size_t{512} << 20;
constexpr size_t kPiece = size_t{256} << 10;  // what a thread takes at a time, so that all end together

Vector read_piece(const char* data) {
  Vector sums[4] = {};
  for (const char* p = data; p < data + kPiece; p += 256) {
    for (int i = 0; i < 4; i++) {
      __builtin_prefetch(p + 64 * i + 4096);
      Vector v;
      std::memcpy(&v, p + 64 * i, sizeof v);
      sums[i] += v;
    }
  }
  return sums[0] + sums[1] + sums[2] + sums[3];
}

}  // namespace

int main(int argc, char** argv) {
  const size_t threads = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : std::thread::hardware_concurrency();
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(memory, kBytes, MADV_HUGEPAGE);
  std::memset(memory, 1, kBytes);
  const char* data = static_cast<const char*>(memory);
  for (char byte; read(0, &byte, 1) == 1;) {
    std::atomic<size_t> next{0};
    std::atomic<uint64_t> keep{0};
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> workers;
    for (size_t t = 0; t < threads; t++) {
      workers.emplace_back([&] {
        Vector sum = {};
        for (size_t at; (at = next.fetch_add(kPiece)) < kBytes;) sum += read_piece(data + at);
        keep += sum[0];
      });
    }
    for (std::thread& worker : workers) worker.join();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (keep == 0) return 1;  // so that the reads are not optimised away
    std::printf("%.3f\n", static_cast<double>(kBytes) / seconds.count() / 1e9);
    std::fflush(stdout);
  }
}
