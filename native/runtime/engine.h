// Everything that one backend owns, and the commands that change it. Runs on the executor's thread only.
// A command that fails records the first failure, which the next read reports; nothing after it is computed.

#pragma once

#include <atomic>
#include <deque>
#include <optional>
#include <string>

#include "../kernels/kernels.h"
#include "../ops/ops.h"
#include "failure.h"
#include "memory.h"
#include "objects.h"
#include "pool.h"
#include "profile.h"
#include "read_ahead.h"

namespace gptoss {

/// Where a weight's bytes are: in a file, or in memory that lives until the load is done.
struct Source {
  std::string path;  // empty: in memory
  uint64_t offset = 0;
  const uint8_t* data = nullptr;
  uint64_t bytes = 0;
};

enum class Storage { kBf16, kF16, kF32, kQ8_0 };

struct MatrixSource {
  Source source;
  Storage storage;
  size_t rows, cols;
  bool to_8_bit;
};

struct VectorSource {
  Source source;
  Storage storage;
  size_t length;
};

/// Blocks and scales, or parts: see ExpertMatrix.
struct ExpertMatrixSource {
  struct Part {
    Source source;
    size_t expert_bytes;
  };
  Source blocks, scales;
  std::vector<Part> parts;
  bool pairs_halves = false;
};

struct ExpertsSource {
  size_t experts, hidden, intermediate;
  ExpertMatrixSource gate_up, down;
  VectorSource gate_up_bias, down_bias;
};

class Engine {
 public:
  Engine(const Kernels& kernels, size_t threads);

  size_t threads() const { return pool_.size(); }
  /// Bytes held beyond mapped files: weights, caches, tensors, scratch. Any thread may ask.
  std::atomic<int64_t>& bytes() { return bytes_; }

  // These throw Failure. Results are bytes held beyond the mapped file.
  size_t load(int32_t id, const MatrixSource& source);
  size_t load(int32_t id, const VectorSource& source);
  size_t load(int32_t id, const ExpertsSource& source);
  void put_cache(int32_t id, Cache cache) { caches_.put(id, std::move(cache)); }

  /// Runs encoded commands (commands.h). Never throws.
  void run(const int32_t* words, size_t count);
  /// The failure that the commands before left, if any; forgets it.
  std::optional<Failure> take_failure();
  /// Copies a tensor out. Throws Failure.
  void read(int32_t tensor, float* out);

  /// Does a part of what the first use of a weight would otherwise wait for; false when nothing is left or can be.
  bool prepare_more();
  /// Gives memory that waits for the next operation back to the system.
  void trim();
  /// Frees every object.
  void clear();
  /// Makes `run` return before its next command; any thread may ask.
  void stop() { is_stopping_.store(true, std::memory_order_relaxed); }

 private:
  class Reader;
  void run_command(int32_t op, Reader& reader);
  void run_attention(Reader& reader);
  std::string describe(int32_t op, const int32_t* words);
  const Matrix& weight(int32_t id);
  Tensor& make_tensor(int32_t id, size_t rows, size_t cols);
  const float* bias(int32_t id) { return id < 0 ? nullptr : vectors_.get(id).data(); }

  MappedRange map(const Source& source);
  Bytes bring(const Source& source);
  ExpertMatrix bring(const ExpertMatrixSource& source, size_t rows, size_t cols);
  Buffer widen(const VectorSource& source);

  std::atomic<int64_t> bytes_{0};
  std::atomic<bool> is_stopping_{false};
  const Kernels& kernels_;
  Pool pool_;
  Arena scratch_{&bytes_};
  Profile profile_;
  size_t bytes_read_ = 0;
  Machine machine_{kernels_, pool_, scratch_, &bytes_read_};
  ReadAhead read_ahead_;
  MappedFiles files_;
  TensorMemory memory_{&bytes_};
  Table<Tensor> tensors_;
  Table<Matrix> matrices_;
  Table<Vector> vectors_;
  Table<Experts> experts_;
  Table<Cache> caches_;
  std::deque<int32_t> unfinished_;  // matrices whose panels may not all be filled
  std::optional<Failure> failure_;
};

}  // namespace gptoss
