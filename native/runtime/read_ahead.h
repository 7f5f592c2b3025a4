// Brings mapped files into memory, and into this process's page tables, while nothing waits for them: a first prompt then
// meets neither the disk nor a fault for every few pages.

#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
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

  /// From the file's start to its end, after those that were added before.
  void add(std::shared_ptr<MappedFile> file);
  /// Leaves what is not read yet, and lets go of all files.
  void stop();

 private:
  void work();
  void read(const MappedFile& file);

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<MappedFile>> files_;
  std::atomic<bool> is_stopping_{false};
  size_t room_ = 0;  // bytes that may still be read
};

}  // namespace gptoss
