#include "executor.h"

#include <chrono>

namespace gptoss {

namespace {

/// With nothing to do for this long, weights are made ready: longer than between two loads of one model.
constexpr std::chrono::milliseconds kIdleBeforePreparing{20};
/// With nothing to do for this long, scratch and freed tensors go back to the system.
constexpr std::chrono::seconds kIdleBeforeTrim{2};

}  // namespace

Executor::Executor(const Kernels& kernels, size_t threads) : engine_(kernels, threads) {
  thread_ = std::thread([this] { work(); });
}

Executor::~Executor() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Executor::post(Job job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void Executor::abandon() {
  engine_.stop();
  std::lock_guard<std::mutex> lock(mutex_);
  jobs_.clear();
}

void Executor::work() {
  flush_subnormals();
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    const auto has_work = [this] { return is_stopping_ || !jobs_.empty(); };
    if (!wake_.wait_for(lock, kIdleBeforePreparing, has_work)) {
      for (bool is_more = true; is_more && !has_work();) {
        lock.unlock();
        is_more = engine_.prepare_more();
        lock.lock();
      }
    }
    if (!wake_.wait_for(lock, kIdleBeforeTrim, has_work)) {
      lock.unlock();
      engine_.trim();
      lock.lock();
      wake_.wait(lock, has_work);
    }
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job(engine_);
    job = nullptr;
    lock.lock();
  }
}

}  // namespace gptoss
