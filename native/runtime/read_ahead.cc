#include "read_ahead.h"

#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace gptoss {

namespace {

/// Small, because memory cannot be mapped anywhere in the process while one is read.
constexpr size_t kPiece = size_t{4} << 20;

/// What the system could give without taking it from others: a model larger than that is not read in, only to be thrown
/// out again before it is used. Read without C++ streams, which need a newer glibc than Node does.
size_t room_for_files() {
  constexpr std::string_view kName = "MemAvailable:";
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/meminfo", "r"), std::fclose);
  for (char line[128]; file && std::fgets(line, sizeof line, file.get());) {
    const std::string_view text(line);
    if (text.substr(0, kName.size()) != kName) continue;
    const size_t digits = text.find_first_not_of(' ', kName.size());
    size_t kilobytes = 0;
    if (digits != text.npos) std::from_chars(line + digits, line + text.size(), kilobytes);
    return kilobytes * 1024 / 4 * 3;
  }
  return std::numeric_limits<size_t>::max();  // not Linux: its own advice is taken below, and it knows its memory
}

/// Waits for the disk where the system can; else only asks for the pages.
void populate(const uint8_t* data, size_t bytes) {
  void* const start = const_cast<uint8_t*>(data);
#ifdef MADV_POPULATE_READ
  if (madvise(start, bytes, MADV_POPULATE_READ) == 0) return;
#endif
  madvise(start, bytes, MADV_WILLNEED);
}

}  // namespace

void ReadAhead::add(std::shared_ptr<MappedFile> file) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    files_.push_back(std::move(file));
  }
  if (thread_.joinable()) return wake_.notify_one();
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::system_error&) {
    files_.clear();  // pages come when they are touched
  }
}

void ReadAhead::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    is_stopping_ = true;
    files_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  is_stopping_ = false;
}

void ReadAhead::work() {
  room_ = room_for_files();
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return is_stopping_ || !files_.empty(); });
    if (is_stopping_) return;
    const std::shared_ptr<MappedFile> file = std::move(files_.front());
    files_.pop_front();
    lock.unlock();
    read(*file);
    lock.lock();
  }
}

void ReadAhead::read(const MappedFile& file) {
  for (size_t at = 0; at < file.bytes() && room_ > 0 && !is_stopping_; at += kPiece) {
    const size_t bytes = std::min(kPiece, file.bytes() - at), next = at + bytes;
    // The disk works on the next piece while this one is waited for.
    if (next < file.bytes())
      madvise(const_cast<uint8_t*>(file.data() + next), std::min(kPiece, file.bytes() - next), MADV_WILLNEED);
    populate(file.data() + at, bytes);
    room_ -= std::min(room_, bytes);
  }
}

}  // namespace gptoss
