#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "failure.h"

namespace gptoss {

namespace {

/// From here on a buffer is its own mapping, in 2 MB pages if the system has them.
constexpr size_t kMappedBytes = size_t{1} << 20;

[[noreturn]] void fail(size_t bytes) {
  throw Failure("backend/out-of-memory", "could not allocate " + std::to_string(bytes) + " bytes");
}

}  // namespace

Buffer::Buffer(size_t bytes, std::atomic<int64_t>* counter) : bytes_(round_up(bytes, 64)), counter_(counter) {
  if (bytes_ < bytes) fail(bytes);
  if (bytes_ == 0) bytes_ = 64;
  if (bytes_ >= kMappedBytes) {
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED) data_ = nullptr;
#ifdef MADV_HUGEPAGE
    if (data_ != nullptr) madvise(data_, bytes_, MADV_HUGEPAGE);
#endif
  } else {
    data_ = std::aligned_alloc(64, bytes_);
    if (data_ != nullptr) std::memset(data_, 0, bytes_);
  }
  if (data_ == nullptr) fail(bytes_);
  counter_->fetch_add(static_cast<int64_t>(bytes_), std::memory_order_relaxed);
}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
  if (bytes_ >= kMappedBytes) {
    munmap(data_, bytes_);
  } else {
    std::free(data_);
  }
  counter_->fetch_sub(static_cast<int64_t>(bytes_), std::memory_order_relaxed);
}

void Arena::reset() {
  if (chunks_.size() > 1) {
    chunks_.clear();
    chunks_.emplace_back(round_up(wanted_, size_t{1} << 20), counter_);
  }
  used_ = 0;
  wanted_ = 0;
}

void* Arena::take(size_t bytes) {
  bytes = round_up(std::max<size_t>(bytes, 1), 64);
  wanted_ += bytes;
  if (chunks_.empty() || chunks_.back().bytes() - used_ < bytes) {
    chunks_.emplace_back(round_up(bytes, size_t{1} << 16), counter_);
    used_ = 0;
  }
  void* piece = chunks_.back().as<char>() + used_;
  used_ += bytes;
  return piece;
}

}  // namespace gptoss
