// What the tests share: seeded numbers, memory that ends at a page nobody may touch, and how a failure is told.

#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "../kernels/kernels.h"

namespace gptoss::testing {

/// xorshift64*: the same numbers everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint32_t bits() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<uint32_t>(state_ * 0x2545f4914f6cdd1du >> 32);
  }
  /// In [first, last].
  size_t between(size_t first, size_t last) { return first + bits() % (last - first + 1); }
  /// In [-1, 1).
  float uniform() { return static_cast<float>(static_cast<int32_t>(bits())) * 0x1p-31f; }
  /// About normal: the sum of uniforms.
  float normal() { return (uniform() + uniform() + uniform()) * 1.0f; }
  template <typename T>
  T one_of(std::initializer_list<T> choices) {
    return choices.begin()[bits() % choices.size()];
  }

 private:
  uint64_t state_;
};

/// `count` values that end where a page begins that may not be touched; what lies before them is checked when they go.
template <typename T>
class Guarded {
 public:
  explicit Guarded(size_t count) : count_(count) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    bytes_ = (count * sizeof(T) + kBefore + page - 1) / page * page;
    base_ = static_cast<char*>(mmap(nullptr, bytes_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || mprotect(base_ + bytes_, page, PROT_NONE) != 0) std::abort();
    mapped_ = bytes_ + page;
    std::memset(base_, kMark, bytes_);
  }
  ~Guarded() {
    if (base_ == nullptr) return;
    const char* start = reinterpret_cast<const char*>(data());
    for (const char* p = start - kBefore; p < start; p++) {
      if (*p != kMark) {
        std::fprintf(stderr, "memory before a buffer was written\n");
        std::abort();
      }
    }
    munmap(base_, mapped_);
  }
  Guarded(Guarded&& other) noexcept
      : count_(other.count_), bytes_(other.bytes_), mapped_(other.mapped_), base_(other.base_) {
    other.base_ = nullptr;
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  Guarded& operator=(Guarded&&) = delete;

  T* data() const { return reinterpret_cast<T*>(base_ + bytes_ - count_ * sizeof(T)); }
  size_t size() const { return count_; }
  T& operator[](size_t i) const { return data()[i]; }

 private:
  static constexpr size_t kBefore = 64;
  static constexpr char kMark = 0x5a;
  size_t count_, bytes_ = 0, mapped_ = 0;
  char* base_ = nullptr;
};

/// Memory that a contract wants 64-byte aligned: of whole lines, so that it too ends at the page.
inline Guarded<uint8_t> aligned_bytes(size_t bytes) { return Guarded<uint8_t>((bytes + 63) / 64 * 64); }

inline uint16_t to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float from_bf16(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

/// Counts what was compared and what was wrong, and keeps the largest error against its bound.
class Report {
 public:
  void expect(bool is_right, const std::string& what) {
    checks_++;
    if (is_right) return;
    if (failures_++ < 20) std::printf("  FAILED %s\n", what.c_str());
  }
  /// |got - want| within `bound`; not a number is never within.
  template <typename Describe>
  void close(double got, double want, double bound, const Describe& describe) {
    const double error = std::fabs(got - want);
    checks_++;
    if (error <= bound) {
      if (bound > 0 && error / bound > worst_) worst_ = error / bound;
      return;
    }
    if (failures_++ < 20) {
      const std::string what = describe();
      std::printf("  FAILED %s: got %.9g, want %.9g within %.3g\n", what.c_str(), got, want, bound);
    }
  }
  /// Prints one line and forgets; true when nothing failed.
  bool finish(const std::string& name) {
    const bool is_good = failures_ == 0 && checks_ > 0;
    std::printf("%s %s: %zu checks, %zu failures, worst error %.2f of its bound\n", is_good ? "ok  " : "FAIL", name.c_str(),
                checks_, failures_, worst_);
    std::fflush(stdout);
    checks_ = failures_ = 0;
    worst_ = 0;
    return is_good;
  }

 private:
  size_t checks_ = 0, failures_ = 0;
  double worst_ = 0;
};

inline std::string text(const char* format, ...) {
  char buffer[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

}  // namespace gptoss::testing
