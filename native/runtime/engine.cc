#include "engine.h"

#include <cstring>
#include <new>

#include "half.h"

namespace gptoss {

namespace {

size_t bytes_per_value(Storage storage) { return storage == Storage::kF32 ? 4 : 2; }

/// One value of an array that may not be aligned.
float value_at(const uint8_t* data, Storage storage, size_t i) {
  if (storage == Storage::kF32) {
    float value;
    std::memcpy(&value, data + 4 * i, 4);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, data + 2 * i, 2);
  if (storage == Storage::kF16) return half_to_float(bits);
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

}  // namespace

Engine::Engine(const Kernels& kernels, size_t threads) : kernels_(kernels), pool_(threads) {}

MappedRange Engine::map(const Source& source) {
  MappedRange range = files_.map(source.path, source.offset, source.bytes);
  read_ahead_.add(range);
  return range;
}

Bytes Engine::bring(const Source& source) {
  Bytes bytes;
  if (!source.path.empty()) {
    bytes.mapped = map(source);
  } else {
    bytes.copied = Buffer(source.bytes, &bytes_);
    std::memcpy(bytes.copied.data(), source.data, source.bytes);
  }
  return bytes;
}

ExpertMatrix Engine::bring(const ExpertMatrixSource& source, size_t rows, size_t cols) {
  ExpertMatrix matrix;
  matrix.rows = rows;
  matrix.cols = cols;
  matrix.pairs_halves = source.pairs_halves;
  if (source.parts.size() > 2) throw Failure("base/assert", "experts in more than two parts");
  for (const auto& [part, expert_bytes] : source.parts)
    matrix.parts.push_back({map(part), expert_bytes});
  if (matrix.is_gguf()) return matrix;
  matrix.blocks = bring(source.blocks);
  matrix.scales = bring(source.scales);
  return matrix;
}

Buffer Engine::widen(const VectorSource& source) {
  MappedRange mapped;
  const uint8_t* data = source.source.data;
  if (!source.source.path.empty()) {
    // Read at once, whole: not for reading ahead.
    mapped = files_.map(source.source.path, source.source.offset, source.length * bytes_per_value(source.storage));
    data = mapped.data;
  }
  Buffer values(source.length * sizeof(float), &bytes_);
  for (size_t i = 0; i < source.length; i++) values.as<float>()[i] = value_at(data, source.storage, i);
  return values;
}

size_t Engine::load(int32_t id, const VectorSource& source) {
  Vector vector;
  vector.length = source.length;
  vector.values = widen(source);
  return vectors_.put(id, std::move(vector)).values.bytes();
}

size_t Engine::load(int32_t id, const MatrixSource& source) {
  const bool is_in_file = !source.source.path.empty();
  Matrix matrix;
  matrix.rows = source.rows;
  matrix.cols = source.cols;
  matrix.is_f32 = source.storage == Storage::kF16 || source.storage == Storage::kF32;
  matrix.is_q8_0 = source.storage == Storage::kQ8_0;
  if (source.storage == Storage::kF16) {
    matrix.values.copied = widen({source.source, source.storage, source.rows * source.cols});
  } else if (!is_in_file && source.to_8_bit) {
    matrix.values.mapped.data = source.source.data;  // read only here, where it is alive
  } else {
    matrix.values = bring(source.source);
  }
  if (source.to_8_bit) {
    const size_t rows = round_up(source.rows, kPanelRows), cols = round_up(source.cols, 64);
    matrix.panels = Buffer(rows * cols, &bytes_);
    matrix.scales = Buffer(rows * (cols / kBlockCols) * sizeof(uint16_t), &bytes_);
    if (!is_in_file || matrix.values.copied) {
      quantize(machine_, matrix, matrix.panel_count());
      matrix.values = Bytes();
    } else {
      unfinished_.push_back(id);  // reads from the file, and so can wait until there is time, or need
    }
  }
  const Matrix& kept = matrices_.put(id, std::move(matrix));
  return kept.panels.bytes() + kept.scales.bytes() + kept.values.copied.bytes();
}

size_t Engine::load(int32_t id, const ExpertsSource& source) {
  Experts experts;
  experts.experts = source.experts;
  experts.hidden = source.hidden;
  experts.intermediate = source.intermediate;
  experts.gate_up = bring(source.gate_up, 2 * source.intermediate, source.hidden);
  experts.down = bring(source.down, source.hidden, source.intermediate);
  experts.gate_up_bias = widen(source.gate_up_bias);
  experts.down_bias = widen(source.down_bias);
  const Experts& kept = experts_.put(id, std::move(experts));
  return kept.gate_up.copied_bytes() + kept.down.copied_bytes() + kept.gate_up_bias.bytes() + kept.down_bias.bytes();
}

const Matrix& Engine::weight(int32_t id) {
  Matrix& matrix = matrices_.get(id);
  if (matrix.quantized < matrix.panel_count()) quantize(machine_, matrix, matrix.panel_count());
  return matrix;
}

bool Engine::prepare_more() {
  constexpr size_t kValues = size_t{4} << 20;  // a few milliseconds: whoever calls next does not wait long
  while (!unfinished_.empty() && !is_stopping_.load(std::memory_order_relaxed)) {
    Matrix* matrix = matrices_.find(unfinished_.front());
    if (matrix != nullptr && matrix->quantized < matrix->panel_count()) {
      try {
        quantize(machine_, *matrix, kValues / (kPanelRows * matrix->cols) + 1);
      } catch (const std::exception&) {
        return false;  // no memory to work in: who needs the matrix tries again, and hears of it
      }
      return true;
    }
    unfinished_.pop_front();
  }
  return false;
}

Tensor& Engine::make_tensor(int32_t id, size_t rows, size_t cols) {
  Tensor tensor;
  tensor.rows = rows;
  tensor.cols = cols;
  tensor.memory = memory_.take(rows * cols * sizeof(float));
  return tensors_.put(id, std::move(tensor));
}

void Engine::read(int32_t id, float* out) {
  const Tensor& tensor = tensors_.get(id);
  std::memcpy(out, tensor.memory.data(), tensor.rows * tensor.cols * sizeof(float));
}

std::optional<Failure> Engine::take_failure() {
  std::optional<Failure> failure;
  failure.swap(failure_);
  return failure;
}

void Engine::clear() {
  read_ahead_.stop();
  unfinished_.clear();
  tensors_.clear();
  matrices_.clear();
  vectors_.clear();
  experts_.clear();
  caches_.clear();
  trim();
}

void Engine::trim() {
  memory_.release();
  scratch_.release();
}

}  // namespace gptoss
