// Aligned memory in large pages where there are any, scratch for one operation, and the count of what is held.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace gptoss {

/// Zeroed, 64-byte aligned, owned. Large ones come straight from the system and go straight back.
class Buffer {
 public:
  Buffer() = default;
  /// Throws Failure `backend/out-of-memory`.
  Buffer(size_t bytes, std::atomic<int64_t>* counter);
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  void* data() const { return data_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  size_t bytes() const { return bytes_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  void swap(Buffer& other) {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(counter_, other.counter_);
  }
  void* data_ = nullptr;
  size_t bytes_ = 0;
  std::atomic<int64_t>* counter_ = nullptr;
};

/// Scratch of one operation: taken piece by piece, given back all at once by the next operation's `reset`.
class Arena {
 public:
  explicit Arena(std::atomic<int64_t>* counter) : counter_(counter) {}

  /// Forgets every piece. What did not fit into one chunk will the next time.
  void reset();
  void release() { chunks_.clear(), used_ = wanted_ = 0; }
  /// Not zeroed. Throws Failure `backend/out-of-memory`.
  void* take(size_t bytes);
  template <typename T>
  T* take_array(size_t count) {
    return static_cast<T*>(take(count * sizeof(T)));
  }

 private:
  std::atomic<int64_t>* counter_;
  std::vector<Buffer> chunks_;
  size_t used_ = 0;    // of the last chunk
  size_t wanted_ = 0;  // since the last reset
};

inline size_t round_up(size_t value, size_t step) { return (value + step - 1) / step * step; }

}  // namespace gptoss
