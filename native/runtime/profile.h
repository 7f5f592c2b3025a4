// Where the time goes, for GPT_OSS_PROFILE=1: each kind of operation with its time and the speed at which it read weights,
// printed to standard error when the backend is closed. Off, it costs one branch an operation.

#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>

namespace gptoss {

class Profile {
 public:
  Profile();
  ~Profile() { print(); }

  bool is_on() const { return is_on_; }
  /// Begins an operation; since the one before ended there was nothing to do.
  void begin();
  /// `bytes` of weights were read.
  void end(const std::string& name, size_t bytes);
  void print();

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    size_t calls = 0;
    double seconds = 0;
    double bytes = 0;
  };
  void add(const std::string& name, double seconds, size_t bytes);

  bool is_on_;
  Clock::time_point start_, end_;
  bool has_end_ = false;
  std::map<std::string, Entry> entries_;
};

}  // namespace gptoss
