// Brings what weights lie in into memory, and into this process's page tables, while nothing waits for it: a first prompt
// then meets neither the disk nor a fault for every few pages. The rest of a file is left alone.

#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "mapped_file.h"

namespace gptoss {

class ReadAhead {
 public:
  ReadAhead() = default;
  ~ReadAhead() { stop(); }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// After the ranges that were added before.
  void add(const MappedRange& range);
  /// Leaves what is not read yet, and lets go of the files.
  void stop();

 private:
  void work();
  void read(const MappedRange& range);

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<MappedRange> ranges_;
  std::atomic<bool> is_stopping_{false};
  size_t room_ = 0;  // bytes that may still be read
};

}  // namespace gptoss
