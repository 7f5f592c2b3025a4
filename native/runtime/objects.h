// What handles stand for: tensors, weights and caches, in tables indexed by the ids that JavaScript chose.
// Used by the executor's thread only.

#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "../kernels/kernels.h"
#include "failure.h"
#include "mapped_file.h"
#include "memory.h"

namespace gptoss {

struct Tensor {
  Buffer memory;
  size_t rows = 0;
  size_t cols = 0;
  float* row(size_t i) const { return memory.as<float>() + i * cols; }
};

/// Freed tensors' memory, kept for the next tensors of about that size: the same shapes come again with every token.
class TensorMemory {
 public:
  explicit TensorMemory(std::atomic<int64_t>* counter) : counter_(counter) {}
  Buffer take(size_t bytes);
  void give_back(Buffer buffer);
  void release() { free_.clear(), held_ = 0; }

 private:
  std::atomic<int64_t>* counter_;
  std::multimap<size_t, Buffer> free_;
  size_t held_ = 0;
};

/// Bytes of a file, or a copy of bytes that lie in none.
struct Bytes {
  MappedRange mapped;
  Buffer copied;
  const uint8_t* data() const { return copied ? copied.as<const uint8_t>() : mapped.data; }
};

/// A dense weight: 8-bit panels, or values as the file has them, or (mapped, to look rows up) both.
struct Matrix {
  size_t rows = 0;
  size_t cols = 0;
  Buffer panels, scales;  // Dense8
  Bytes values;           // null where only the panels were kept
  bool is_f32 = false;
  bool is_q8_0 = false;  // a GGUF file's blocks; else bfloat16
  size_t quantized = 0;  // panels that are filled; the others follow before the matrix is used

  bool is_8_bit() const { return static_cast<bool>(panels); }
  size_t panel_count() const { return is_8_bit() ? (rows + kPanelRows - 1) / kPanelRows : 0; }
  /// By an operation that reads all of it.
  size_t bytes_read() const { return is_8_bit() ? panels.bytes() + scales.bytes() : rows * cols * (is_f32 ? 4 : 2); }
  Dense8 dense8() const { return {panels.as<const uint8_t>(), scales.as<const uint16_t>(), rows, cols}; }
  DenseBf16 bf16() const { return {values.data(), rows, cols}; }
  DenseF32 f32() const { return {values.data(), rows, cols}; }
};

struct Vector {
  Buffer values;
  size_t length = 0;
  const float* data() const { return values.as<const float>(); }
};

/// One matrix of every expert, in the layout of its file.
struct ExpertMatrix {
  /// Rows of a GGUF file's blocks: 17 bytes each, the exponent first.
  struct Part {
    MappedRange mapped;
    size_t expert_bytes;  // from one expert's rows to the next one's
  };
  size_t rows = 0, cols = 0;  // of one expert
  Bytes blocks, scales;       // safetensors' layout, or else:
  std::vector<Part> parts;    // row r of an expert is row r / parts of part r % parts
  bool pairs_halves = false;  // a byte holds elements j and j + 16 of its block, not 2j and 2j + 1

  bool is_gguf() const { return !parts.empty(); }
  /// Only of the safetensors layout.
  Mxfp4 of(size_t expert) const {
    const size_t first = expert * rows * cols;
    return {blocks.data() + first / 2, scales.data() + first / 32, rows, cols};
  }
  size_t copied_bytes() const { return blocks.copied.bytes() + scales.copied.bytes(); }
};

struct Experts {
  size_t experts = 0, hidden = 0, intermediate = 0;
  ExpertMatrix gate_up, down;      // [2·I, D], [D, I]
  Buffer gate_up_bias, down_bias;  // f32 [E, 2·I], [E, D]

  size_t bytes_of_one() const { return 3 * intermediate * hidden / 32 * 17; }
};

/// All layers' keys and values.
struct Cache {
  KvLayout layout{};
  size_t kv_heads = 0;
  std::vector<Buffer> layers;

  size_t block_bytes() const { return kv_heads * layout.bytes(); }
  /// One key-value head of one block, as `KvLayout` says.
  void* at(size_t layer, size_t block, size_t kv_head) const {
    return layers[layer].as<uint8_t>() + block * block_bytes() + kv_head * layout.bytes();
  }
};

/// Objects by id. An id that is absent belongs to an object whose making failed; that failure is already recorded.
template <typename T>
class Table {
 public:
  T& get(int32_t id) {
    if (!has(id)) throw Failure("backend/out-of-memory", "depends on an operation that failed");
    return *objects_[static_cast<size_t>(id)];
  }
  T& put(int32_t id, T object) {
    if (static_cast<size_t>(id) >= objects_.size()) objects_.resize(static_cast<size_t>(id) + 1);
    objects_[static_cast<size_t>(id)] = std::make_unique<T>(std::move(object));
    return *objects_[static_cast<size_t>(id)];
  }
  /// Null when absent.
  T* find(int32_t id) { return has(id) ? objects_[static_cast<size_t>(id)].get() : nullptr; }
  std::unique_ptr<T> take(int32_t id) { return has(id) ? std::move(objects_[static_cast<size_t>(id)]) : nullptr; }
  void clear() { objects_.clear(); }

 private:
  bool has(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < objects_.size() && objects_[static_cast<size_t>(id)] != nullptr;
  }
  std::vector<std::unique_ptr<T>> objects_;
};

}  // namespace gptoss
