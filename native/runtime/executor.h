// One thread that runs jobs on an engine, in order. Whoever posts never waits.

#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "engine.h"

namespace gptoss {

class Executor {
 public:
  using Job = std::function<void(Engine&)>;

  /// Throws std::system_error when the system gives no thread.
  Executor(const Kernels& kernels, size_t threads);
  /// Runs what was posted, then frees everything.
  ~Executor();

  void post(Job job);
  /// Drops what was not begun, down to the next operation: for a process that is going away.
  void abandon();
  /// Any thread may ask.
  int64_t bytes() { return engine_.bytes().load(std::memory_order_relaxed); }
  /// What memory made for the engine on another thread counts to.
  std::atomic<int64_t>* counter() { return &engine_.bytes(); }
  size_t threads() const { return engine_.threads(); }

 private:
  void work();

  Engine engine_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace gptoss
