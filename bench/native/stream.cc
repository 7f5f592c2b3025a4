// A plain streaming read of 2 GiB on all cores: the limit that decoding is compared with. Prints GB/s, best of three.

#include <sys/mman.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

typedef uint64_t Vector __attribute__((vector_size(64)));

int main(int argc, char** argv) {
  const size_t bytes = size_t{2} << 30;
  const size_t threads = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : std::thread::hardware_concurrency();
  char* data = static_cast<char*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  madvise(data, bytes, MADV_HUGEPAGE);
  std::memset(data, 1, bytes);
  double best = 0;
  for (int round = 0; round < 3; round++) {
    std::vector<Vector> sums(threads);
    std::vector<std::thread> workers;
    const auto start = std::chrono::steady_clock::now();
    for (size_t t = 0; t < threads; t++) {
      workers.emplace_back([&, t] {
        const Vector* from = reinterpret_cast<const Vector*>(data) + bytes / 64 * t / threads;
        const Vector* to = reinterpret_cast<const Vector*>(data) + bytes / 64 * (t + 1) / threads;
        Vector a = {}, b = {}, c = {}, d = {};
        for (; from + 4 <= to; from += 4) {
          for (int i = 0; i < 4; i++) __builtin_prefetch(reinterpret_cast<const char*>(from + i) + 4096);
          a += from[0], b += from[1], c += from[2], d += from[3];
        }
        sums[t] = a + b + c + d;
      });
    }
    for (std::thread& worker : workers) worker.join();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (sums[0][0] == 0) return 1;  // so that the loop is not optimised away
    const double rate = static_cast<double>(bytes) / seconds.count() / 1e9;
    best = rate > best ? rate : best;
  }
  std::printf("%.2f\n", best);
}
