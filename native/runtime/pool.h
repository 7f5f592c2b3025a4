// Threads that run one job together: spin briefly for the next one, then sleep. Knows nothing of what jobs do.

#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace gptoss {

/// Makes this thread treat numbers below 1e-38 as zeros, where the processor can: each would cost it a hundred cycles.
void flush_subnormals();

class Pool {
 public:
  /// The thread that calls `run` is thread 0; `threads - 1` more are started (fewer if the system refuses).
  explicit Pool(size_t threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  size_t size() const { return workers_.size() + 1; }

  /// job(thread) on every thread; returns when all have finished. Jobs must not throw.
  template <typename Job>
  void run(const Job& job) {
    run_erased([](const void* context, size_t thread) { (*static_cast<const Job*>(context))(thread); }, &job);
  }

  /// Inside a job: waits until every thread is here.
  void barrier();

 private:
  using Erased = void (*)(const void* context, size_t thread);
  void run_erased(Erased job, const void* context);
  void work(size_t thread);
  /// Spins, then sleeps until the epoch differs from `seen`; returns the new one.
  uint32_t wait_for_job(uint32_t seen);

  std::vector<std::thread> workers_;
  Erased job_ = nullptr;
  const void* context_ = nullptr;
  bool is_stopping_ = false;

  // Each on its own cache line: they are written by one thread while others spin on them.
  alignas(64) std::atomic<uint32_t> epoch_{0};
  alignas(64) std::atomic<size_t> running_{0};
  alignas(64) std::atomic<size_t> arrived_{0};
  alignas(64) std::atomic<uint32_t> phase_{0};
  alignas(64) std::atomic<size_t> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

/// Hands out ranges of [0, count) to threads: large ones first, so that few are needed and all threads end together.
/// Ranges start at multiples of `step`.
class Ranges {
 public:
  Ranges(size_t count, size_t step, size_t min_step, size_t threads)
      : count_(count), step_(step), min_(min_step < step ? step : min_step / step * step), threads_(threads) {}

  /// One by one: for pieces that are large, and not alike.
  static Ranges single(size_t count) { return Ranges(count, 1, 1, count + 1); }

  bool next(size_t* first, size_t* last) {
    size_t at = at_.load(std::memory_order_relaxed);
    for (;;) {
      if (at >= count_) return false;
      size_t size = (count_ - at) / (2 * threads_) / step_ * step_;
      if (size < min_) size = min_;
      const size_t end = count_ - at <= size ? count_ : at + size;
      if (at_.compare_exchange_weak(at, end, std::memory_order_relaxed)) {
        *first = at;
        *last = end;
        return true;
      }
    }
  }

 private:
  const size_t count_, step_, min_, threads_;
  alignas(64) std::atomic<size_t> at_{0};
};

}  // namespace gptoss
