// Experts for many tokens (prefill): tokens are grouped by expert, and each group is a matrix product.
//
// Groups run in waves of about kWavePairs rows, so that what passes between the steps stays in the processor's caches
// and memory does not grow with the prompt. A step is a list of independent tasks that threads take from.

#include <algorithm>
#include <cstring>

#include "expert_rows.h"
#include "matmul.h"
#include "moe.h"

namespace gptoss {

namespace {

constexpr size_t kWavePairs = 512;
constexpr size_t kTasksPerThread = 8;
constexpr size_t kLeastRows = 128;
constexpr size_t kMatvecRows = 128;  // rows of one task where a group is too small for a matrix product

/// Some pairs of one expert, at consecutive rows of the wave's buffers.
struct Group {
  size_t expert;
  size_t first_pair, pairs;
  size_t wave_row;
  bool is_matrix;
  char* x;  // packed or prepared activations
  char* h;
};

/// Rows [first, last) of tokens, or of weights, of one group.
struct Task {
  const Group* group;
  size_t first, last;
};

class Wave {
 public:
  Wave(const MoeCall& call, const Routes& routes) : call_(call), routes_(routes) {
    Arena& scratch = call.machine.scratch;
    const size_t rows = std::min(kWavePairs, routes.pairs.size());
    tokens_ = scratch.take_array<int32_t>(routes.pairs.size());
    for (size_t i = 0; i < routes.pairs.size(); i++) tokens_[i] = routes.pairs[i].token;
    u_ = scratch.take_array<float>(rows * 2 * width());
    y_ = scratch.take_array<float>(rows * hidden());
    stage_bytes_ = std::max(stage_bytes(call.experts.gate_up), stage_bytes(call.experts.down));
    stage_ = scratch.take_array<uint8_t>(stage_bytes_ * call.machine.pool.size());
    x_ = ordered_x();
    packed_bytes_ = packed_size(rows);
    packed_ = scratch.take_array<char>(packed_bytes_);
    if (gemm().run != nullptr) {
      scratch_bytes_ = round_up(std::max(gemm().scratch_bytes(rows, hidden()), gemm().scratch_bytes(rows, width())), 64);
      thread_scratch_ = scratch.take_array<char>(scratch_bytes_ * call.machine.pool.size());
    }
  }

  /// False when the wave is full.
  bool accept(size_t expert, size_t first_pair, size_t pairs) {
    const size_t x_bytes = activation_size(pairs, hidden()), h_bytes = activation_size(pairs, width());
    if (rows_ + pairs > kWavePairs || packed_used_ + x_bytes + h_bytes > packed_bytes_) return false;
    char* x = packed_ + packed_used_;
    groups_.push_back({expert, first_pair, pairs, rows_, is_matrix(pairs), x, x + x_bytes});
    packed_used_ += x_bytes + h_bytes;
    rows_ += pairs;
    return true;
  }

  void run() {
    for_tasks(token_tasks(), [this](const Task& task, size_t) { pack_x(task); });
    for_tasks(row_tasks(2 * width()), [this](const Task& task, size_t thread) { gate_up(task, thread); });
    for_tasks(token_tasks(), [this](const Task& task, size_t) { pack_h(task); });
    for_tasks(row_tasks(hidden()), [this](const Task& task, size_t thread) { down(task, thread); });
    for_rows(call_.machine, call_.out.rows, rows_ * hidden(), [this](size_t first, size_t last) { mix(first, last); });
    groups_.clear();
    rows_ = 0;
    packed_used_ = 0;
  }

  /// The most pairs that one group may have.
  size_t group_limit(size_t left) const { return is_matrix(left) ? kWavePairs : kMaxVectors; }

 private:
  const Gemm<Mxfp4>& gemm() const { return call_.machine.kernels.gemm_mxfp4; }
  const Matvec<Mxfp4>& matvec() const { return call_.machine.kernels.matvec_mxfp4; }
  size_t hidden() const { return call_.experts.hidden; }
  size_t width() const { return call_.experts.intermediate; }
  bool is_matrix(size_t pairs) const { return gemm().run != nullptr && pairs >= gemm().min_tokens; }

  size_t activation_size(size_t pairs, size_t cols) const {
    return round_up(is_matrix(pairs) ? gemm().packed_bytes(pairs, cols) : pairs * matvec().activation_bytes(cols), 64);
  }
  /// Room for a full wave, however it is cut into groups: small groups pack worse, so a wave may end early.
  size_t packed_size(size_t rows) const {
    size_t bytes = rows * (matvec().activation_bytes(hidden()) + matvec().activation_bytes(width()));
    if (gemm().run != nullptr) {
      for (size_t cols : {hidden(), width()}) {
        bytes = std::max(bytes, 2 * round_up(gemm().packed_bytes(std::max(rows, gemm().min_tokens), cols), 64));
      }
    }
    return bytes + 2 * activation_size(kMaxVectors, std::max(hidden(), width()));
  }

  std::vector<Task> token_tasks() const {
    std::vector<Task> tasks;
    for (const Group& group : groups_) {
      const size_t step = group.is_matrix ? round_up(16, gemm().token_tile) : kMaxVectors;
      for (size_t i = 0; i < group.pairs; i += step) tasks.push_back({&group, i, std::min(i + step, group.pairs)});
    }
    return tasks;
  }

  /// Some tasks for each thread, so that all end together, but no smaller than that what a task begins with is little.
  std::vector<Task> row_tasks(size_t rows) const {
    const size_t share = groups_.size() * rows / (call_.machine.pool.size() * kTasksPerThread);
    std::vector<Task> tasks;
    for (const Group& group : groups_) {
      size_t step = kMatvecRows;
      if (group.is_matrix) step = std::min(gemm().rows_per_task, round_up(std::max(share, kLeastRows), gemm().row_tile));
      for (size_t i = 0; i < rows; i += step) tasks.push_back({&group, i, std::min(i + step, rows)});
    }
    return tasks;
  }

  template <typename Work>
  void for_tasks(const std::vector<Task>& tasks, const Work& work) const {
    Ranges ranges = Ranges::single(tasks.size());
    call_.machine.pool.run([&](size_t thread) {
      for (size_t first, last; ranges.next(&first, &last);) work(tasks[first], thread);
    });
  }

  void pack(const Task& task, const float* x, size_t stride, const int32_t* rows, size_t cols, char* target) const {
    if (task.group->is_matrix) {
      return gemm().pack({x, stride, rows, task.group->pairs, cols}, task.first, task.last, target);
    }
    const size_t bytes = matvec().activation_bytes(cols);
    for (size_t i = task.first; i < task.last; i++) {
      const size_t row = rows != nullptr ? static_cast<size_t>(rows[i]) : i;
      matvec().prepare(x + row * stride, 0, cols, cols, target + i * bytes);
    }
  }

  const float* ordered_x() const {
    const Tensor& x = call_.x;
    if (!call_.experts.gate_up.pairs_halves) return x.row(0);
    float* ordered = call_.machine.scratch.take_array<float>(x.rows * x.cols);
    for_rows(call_.machine, x.rows, x.cols, [&](size_t first, size_t last) {
      order_columns(call_.experts.gate_up, x.row(first), (last - first) * x.cols, ordered + first * x.cols);
    });
    return ordered;
  }

  void pack_x(const Task& task) const {
    pack(task, x_, call_.x.cols, tokens_ + task.group->first_pair, hidden(), task.group->x);
  }

  void pack_h(const Task& task) const {
    float* u = u_ + task.group->wave_row * 2 * width();
    for (size_t i = task.first; i < task.last; i++) {
      float* row = u + i * 2 * width();
      call_.machine.kernels.swiglu(row, width(), call_.shape.swiglu_limit, row);
      order_columns(call_.experts.down, row, width(), row);
    }
    pack(task, u, 2 * width(), nullptr, width(), task.group->h);
  }

  void multiply_rows(const Task& task, size_t thread, const ExpertMatrix& matrix, const char* activations,
                     const GemmOutput& output) const {
    const size_t pairs = task.group->pairs, expert = task.group->expert;
    uint8_t* stage = stage_ + thread * stage_bytes_;
    if (task.group->is_matrix) {
      char* scratch = thread_scratch_ + thread * scratch_bytes_;
      const auto run_blocks = call_.machine.kernels.gemm_mxfp4_blocks;
      if (matrix.is_gguf() && run_blocks != nullptr) {
        return run_blocks(expert_blocks(matrix, expert), task.first, task.last, activations, pairs, output, scratch);
      }
      const auto run = [&](const Mxfp4& weights, size_t first, size_t last, size_t base) {
        gemm().run(weights, first, last, activations, pairs, {output.out + base, output.stride, output.bias + base}, scratch);
      };
      return for_expert_rows(matrix, expert, task.first, task.last, stage, run);
    }
    const void* vectors[kMaxVectors];
    float* out[kMaxVectors];
    for (size_t i = 0; i < pairs; i++) {
      vectors[i] = activations + i * matvec().activation_bytes(matrix.cols);
      out[i] = output.out + i * output.stride;
    }
    multiply_expert_rows(call_.machine.kernels, matrix, expert, task.first, task.last, vectors, pairs, output.bias, out, stage);
  }

  void gate_up(const Task& task, size_t thread) const {
    const Group& group = *task.group;
    const float* bias = call_.experts.gate_up_bias.as<const float>() + group.expert * 2 * width();
    multiply_rows(task, thread, call_.experts.gate_up, group.x,
                  {u_ + group.wave_row * 2 * width(), 2 * width(), bias});
  }

  void down(const Task& task, size_t thread) const {
    const Group& group = *task.group;
    const float* bias = call_.experts.down_bias.as<const float>() + group.expert * hidden();
    multiply_rows(task, thread, call_.experts.down, group.h,
                  {y_ + group.wave_row * hidden(), hidden(), bias});
  }

  /// Adds the wave's results to tokens [first, last), experts in their order.
  void mix(size_t first, size_t last) const {
    for (const Group& group : groups_) {
      const Pair* pairs = routes_.pairs.data() + group.first_pair;
      const auto is_before = [](const Pair& pair, size_t token) { return static_cast<size_t>(pair.token) < token; };
      const Pair* pair = std::lower_bound(pairs, pairs + group.pairs, first, is_before);
      for (; pair < pairs + group.pairs && static_cast<size_t>(pair->token) < last; pair++) {
        const float* y = y_ + (group.wave_row + static_cast<size_t>(pair - pairs)) * hidden();
        call_.machine.kernels.add_scaled(y, pair->weight, hidden(), call_.out.row(static_cast<size_t>(pair->token)));
      }
    }
  }

  const MoeCall& call_;
  const Routes& routes_;
  int32_t* tokens_;
  const float* x_;  // [T, D], columns in the order of the weights'
  uint8_t* stage_;  // a piece for each thread
  size_t stage_bytes_;
  float* u_;  // [wave rows, 2·I], then their swiglu in the first half of each row
  float* y_;  // [wave rows, D]
  char* packed_;
  size_t packed_bytes_, packed_used_ = 0;
  char* thread_scratch_ = nullptr;
  size_t scratch_bytes_ = 0;
  std::vector<Group> groups_;
  size_t rows_ = 0;
};

}  // namespace

void mix_matrices(const MoeCall& call, const Routes& routes) {
  for_rows(call.machine, call.out.rows, call.out.cols, [&](size_t first, size_t last) {
    std::memset(call.out.row(first), 0, (last - first) * call.out.cols * sizeof(float));
  });
  Wave wave(call, routes);
  for (size_t expert = 0; expert < call.experts.experts; expert++) {
    size_t pair = routes.starts[expert];
    while (pair < routes.starts[expert + 1]) {
      const size_t left = routes.starts[expert + 1] - pair, pairs = std::min(left, wave.group_limit(left));
      if (!wave.accept(expert, pair, pairs)) {
        wave.run();
        continue;
      }
      pair += pairs;
    }
  }
  wave.run();
}

}  // namespace gptoss
