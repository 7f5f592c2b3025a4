#include "pool.h"

#include <system_error>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace gptoss {

namespace {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

/// Operations of one token follow each other within microseconds; between tokens other threads want the core.
constexpr int kSpinsBeforeSleep = 2000;
/// With more threads than cores, the one that is waited for may need this very core.
constexpr int kSpinsBeforeYield = 4000;

template <typename Done>
void spin_until(const Done& done) {
  for (int spins = 0; !done(); spins++) {
    if (spins < kSpinsBeforeYield) {
      relax();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace

void flush_subnormals() {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);  // flush to zero, denormals are zero
#elif defined(__aarch64__)
  uint64_t control;
  __asm__ __volatile__("mrs %0, fpcr" : "=r"(control));
  __asm__ __volatile__("msr fpcr, %0" : : "r"(control | uint64_t{1} << 24));
#endif
}

Pool::Pool(size_t threads) {
  for (size_t i = 1; i < threads; i++) {
    try {
      workers_.emplace_back([this, i] { work(i); });
    } catch (const std::system_error&) {
      break;
    }
  }
}

Pool::~Pool() {
  is_stopping_ = true;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    epoch_.fetch_add(1);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Pool::run_erased(Erased job, const void* context) {
  if (!workers_.empty()) {
    job_ = job;
    context_ = context;
    running_.store(workers_.size(), std::memory_order_relaxed);
    epoch_.fetch_add(1);  // sequentially consistent with `sleepers_`: either a worker sees this, or we see it asleep
    if (sleepers_.load() > 0) {
      { std::lock_guard<std::mutex> lock(mutex_); }
      wake_.notify_all();
    }
  }
  job(context, 0);
  spin_until([this] { return running_.load(std::memory_order_acquire) == 0; });
}

void Pool::work(size_t thread) {
  flush_subnormals();
  uint32_t seen = 0;
  for (;;) {
    seen = wait_for_job(seen);
    if (is_stopping_) return;
    job_(context_, thread);
    running_.fetch_sub(1, std::memory_order_release);
  }
}

uint32_t Pool::wait_for_job(uint32_t seen) {
  for (int spins = 0; spins < kSpinsBeforeSleep; spins++) {
    const uint32_t epoch = epoch_.load(std::memory_order_acquire);
    if (epoch != seen) return epoch;
    relax();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  sleepers_.fetch_add(1);
  wake_.wait(lock, [this, seen] { return epoch_.load() != seen; });
  sleepers_.fetch_sub(1);
  return epoch_.load();
}

void Pool::barrier() {
  const uint32_t phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size()) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
  } else {
    spin_until([this, phase] { return phase_.load(std::memory_order_acquire) != phase; });
  }
}

}  // namespace gptoss
