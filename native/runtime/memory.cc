#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "failure.h"

namespace gptoss {

namespace {

/// From here on a buffer is its own mapping, in 2 MB pages if the system has them.
constexpr size_t kMappedBytes = size_t{1} << 20;
constexpr size_t kLargePage = size_t{2} << 20;
const size_t kPageBytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));

/// From a large page's start, so that all but the end can lie in large pages; null where there is no room.
void* map(size_t bytes) {
  const size_t reserved = bytes + kLargePage;
  void* const memory = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  char* const start = static_cast<char*>(memory);
  char* const data = reinterpret_cast<char*>(round_up(reinterpret_cast<uintptr_t>(memory), kLargePage));
  char* const end = data + round_up(bytes, kPageBytes);
  if (data > start) munmap(start, static_cast<size_t>(data - start));
  if (end < start + reserved) munmap(end, static_cast<size_t>(start + reserved - end));
#ifdef MADV_HUGEPAGE
  madvise(data, bytes, MADV_HUGEPAGE);
#endif
  return data;
}

[[noreturn]] void fail(size_t bytes) {
  throw Failure("backend/out-of-memory", "could not allocate " + std::to_string(bytes) + " bytes");
}

}  // namespace

Buffer::Buffer(size_t bytes, std::atomic<int64_t>* counter) : bytes_(round_up(bytes, 64)), counter_(counter) {
  if (bytes_ < bytes) fail(bytes);
  if (bytes_ == 0) bytes_ = 64;
  if (bytes_ >= kMappedBytes) {
    data_ = map(bytes_);
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
