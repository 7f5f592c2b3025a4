// Decodes commands and calls operations.

#include <cstring>
#include <new>
#include <utility>

#include "commands.h"
#include "engine.h"

namespace gptoss {

/// The words of one command.
class Engine::Reader {
 public:
  Reader(const int32_t* words, const int32_t* end) : at_(words), end_(end) {}
  int32_t word() {
    need(1);
    return *at_++;
  }
  size_t size() {
    const int32_t value = word();
    if (value < 0) throw Failure("base/assert", "a native command has a negative size");
    return static_cast<size_t>(value);
  }
  float number() {
    const int32_t bits = word();
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  const int32_t* words(size_t count) {
    need(count);
    const int32_t* start = at_;
    at_ += count;
    return start;
  }
  const float* numbers(size_t count) { return reinterpret_cast<const float*>(words(count)); }

 private:
  void need(size_t count) const {
    if (static_cast<size_t>(end_ - at_) < count) throw Failure("base/assert", "a native command is too short");
  }
  const int32_t* at_;
  const int32_t* end_;
};

void Engine::run(const int32_t* words, size_t count) {
  for (const int32_t *at = words, *end = words + count; at < end && !is_stopping_.load(std::memory_order_relaxed);) {
    const int32_t op = at[0], length = at[1];
    Reader reader(at + 2, at + 2 + length);
    at += 2 + length;
    try {
      if (profile_.is_on()) {
        profile_.begin();
        run_command(op, reader);
        profile_.end(describe(op, at - length), std::exchange(bytes_read_, 0));
      } else {
        run_command(op, reader);
      }
    } catch (const Failure& failure) {
      if (!failure_) failure_ = failure;
    } catch (const std::bad_alloc&) {
      if (!failure_) failure_ = Failure("backend/out-of-memory", "out of memory");
    }
  }
}

void Engine::run_command(int32_t op, Reader& reader) {
  scratch_.reset();
  switch (static_cast<Op>(op)) {
    case Op::kFree: {
      if (std::unique_ptr<Tensor> tensor = tensors_.take(reader.word())) memory_.give_back(std::move(tensor->memory));
      return;
    }
    case Op::kFreeCache:
      caches_.take(reader.word());
      return;
    case Op::kEmbed: {
      const int32_t out = reader.word();
      const Matrix& table = weight(reader.word());
      const size_t rows = reader.size();
      return embed(machine_, table, reader.words(rows), make_tensor(out, rows, table.cols));
    }
    case Op::kRmsNorm: {
      const int32_t out = reader.word();
      const Tensor& x = tensors_.get(reader.word());
      const Vector& scale = vectors_.get(reader.word());
      return rms_norm(machine_, x, scale, reader.number(), make_tensor(out, x.rows, x.cols));
    }
    case Op::kLinear: {
      const int32_t out = reader.word();
      const Tensor& x = tensors_.get(reader.word());
      const Matrix& matrix = weight(reader.word());
      return linear(machine_, x, matrix, bias(reader.word()), make_tensor(out, x.rows, matrix.rows));
    }
    case Op::kRope: {
      const int32_t out = reader.word();
      const Tensor& x = tensors_.get(reader.word());
      const size_t head_dim = reader.size(), angles = x.rows * head_dim / 2;
      const float* cos = reader.numbers(angles);
      return rope(machine_, x, head_dim, cos, reader.numbers(angles), make_tensor(out, x.rows, x.cols));
    }
    case Op::kAttention:
      return run_attention(reader);
    case Op::kMoe: {
      const int32_t out = reader.word();
      const Tensor& x = tensors_.get(reader.word());
      const Matrix& router = weight(reader.word());
      const Vector& router_bias = vectors_.get(reader.word());
      const Experts& experts = experts_.get(reader.word());
      const size_t experts_per_token = reader.size();
      const MoeShape shape = {experts_per_token, reader.number()};
      return moe(machine_, x, router, router_bias, experts, shape, make_tensor(out, x.rows, x.cols));
    }
    case Op::kAdd: {
      const int32_t out = reader.word();
      const Tensor& a = tensors_.get(reader.word());
      const Tensor& b = tensors_.get(reader.word());
      return add(machine_, a, b, make_tensor(out, a.rows, a.cols));
    }
    case Op::kGather: {
      const int32_t out = reader.word();
      const Tensor& x = tensors_.get(reader.word());
      const size_t rows = reader.size();
      return gather(machine_, x, reader.words(rows), make_tensor(out, rows, x.cols));
    }
  }
  throw Failure("base/assert", "an unknown native command");
}

/// For the profile: the operation, with its weight's shape and its number of rows.
std::string Engine::describe(int32_t op, const int32_t* words) {
  static const char* const names[] = {"", "embed", "rms_norm", "linear", "rope", "attention", "moe", "add", "gather", "free", "free cache"};
  std::string name = names[op];
  if (static_cast<Op>(op) == Op::kFree || static_cast<Op>(op) == Op::kFreeCache) return name;
  if (static_cast<Op>(op) == Op::kLinear) {
    const Matrix& weight = matrices_.get(words[2]);
    name += " " + std::to_string(weight.rows) + "x" + std::to_string(weight.cols);
  }
  return name + ", rows " + std::to_string(tensors_.get(words[0]).rows);
}

void Engine::run_attention(Reader& reader) {
  const int32_t out = reader.word();
  const Tensor& q = tensors_.get(reader.word());
  const Tensor& k = tensors_.get(reader.word());
  const Tensor& v = tensors_.get(reader.word());
  const Vector& sinks = vectors_.get(reader.word());
  Cache& cache = caches_.get(reader.word());
  const size_t layer = reader.size();
  const AttentionShape shape = {layer, reader.size()};
  std::vector<Sequence> sequences(reader.size());
  for (Sequence& sequence : sequences) {
    sequence.start = reader.size();
    sequence.count = reader.size();
    sequence.position = reader.size();
    sequence.first_block = reader.size();
    const size_t blocks = reader.size();
    sequence.blocks = reader.words(blocks);
  }
  attention(machine_, q, k, v, sinks, cache, shape, sequences, make_tensor(out, q.rows, q.cols));
}

}  // namespace gptoss
