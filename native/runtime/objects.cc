#include "objects.h"

namespace gptoss {

namespace {

/// Freed memory beyond this goes back to the system at once.
constexpr size_t kMostHeld = size_t{256} << 20;

/// Sizes in steps of a quarter of a power of two, so that prompts of different lengths share memory.
size_t size_class(size_t bytes) {
  size_t power = 256;
  while (power * 2 <= bytes) power *= 2;
  return round_up(bytes, power / 4);
}

}  // namespace

Buffer TensorMemory::take(size_t bytes) {
  const size_t size = size_class(bytes);
  const auto found = free_.find(size);
  if (found == free_.end()) return Buffer(size, counter_);
  Buffer buffer = std::move(found->second);
  held_ -= size;
  free_.erase(found);
  return buffer;
}

void TensorMemory::give_back(Buffer buffer) {
  if (!buffer || held_ + buffer.bytes() > kMostHeld) return;
  held_ += buffer.bytes();
  const size_t size = buffer.bytes();
  free_.emplace(size, std::move(buffer));
}

}  // namespace gptoss
