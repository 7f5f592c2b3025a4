#include "read_ahead.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "available_memory.h"

namespace gptoss {

namespace {

/// Small, because memory cannot be mapped anywhere in the process while one is read.
constexpr size_t kPiece = size_t{4} << 20;
const size_t kPageBytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));

/// Tensors follow each other closely: what lies between two is read too.
bool is_next(const MappedRange& last, const MappedRange& range) {
  return last.file == range.file && range.data >= last.data + last.bytes &&
         static_cast<size_t>(range.data - (last.data + last.bytes)) <= kPageBytes;
}

void* page(const MappedRange& range, size_t offset) { return const_cast<uint8_t*>(range.file->data() + offset); }

/// Waits for the disk where the system can; else only asks for the pages.
void populate(void* start, size_t bytes) {
#ifdef MADV_POPULATE_READ
  if (madvise(start, bytes, MADV_POPULATE_READ) == 0) return;
#endif
  madvise(start, bytes, MADV_WILLNEED);
}

}  // namespace

void ReadAhead::add(const MappedRange& range) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!ranges_.empty() && is_next(ranges_.back(), range)) {
      MappedRange& last = ranges_.back();
      last.bytes = static_cast<size_t>(range.data - last.data) + range.bytes;
    } else {
      ranges_.push_back(range);
    }
  }
  if (thread_.joinable()) return wake_.notify_one();
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::system_error&) {
    ranges_.clear();  // pages come when they are touched
  }
}

void ReadAhead::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    is_stopping_ = true;
    ranges_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  is_stopping_ = false;
}

void ReadAhead::work() {
  // A model larger than what there is is not read in, only to be thrown out again before it is used.
  room_ = available_memory() / 4 * 3;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return is_stopping_ || !ranges_.empty(); });
    if (is_stopping_) return;
    const MappedRange range = std::move(ranges_.front());
    ranges_.pop_front();
    lock.unlock();
    read(range);
    lock.lock();
  }
}

void ReadAhead::read(const MappedRange& range) {
  const size_t start = static_cast<size_t>(range.data - range.file->data()) / kPageBytes * kPageBytes;
  const size_t end = static_cast<size_t>(range.data - range.file->data()) + range.bytes;
  for (size_t at = start; at < end && room_ > 0 && !is_stopping_; at += kPiece) {
    const size_t bytes = std::min(kPiece, end - at), next = at + bytes;
    // The disk works on the next piece while this one is waited for.
    if (next < end) madvise(page(range, next), std::min(kPiece, end - next), MADV_WILLNEED);
    populate(page(range, at), bytes);
    room_ -= std::min(room_, bytes);
  }
}

}  // namespace gptoss
