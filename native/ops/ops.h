// The operations of src/backend/backend.ts, on all threads. Each cuts its work up between threads and calls kernels;
// shapes were checked in JavaScript. None knows an instruction set, a file or a queue.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"
#include "../runtime/memory.h"
#include "../runtime/objects.h"
#include "../runtime/pool.h"

namespace gptoss {

/// What every operation needs; `scratch` was reset before the operation.
struct Machine {
  const Kernels& kernels;
  Pool& pool;
  Arena& scratch;
  /// Counts the bytes of weights that operations read, for the profile; may be null.
  size_t* bytes_read = nullptr;

  void count_read(size_t bytes) const {
    if (bytes_read != nullptr) *bytes_read += bytes;
  }
};

void embed(const Machine& machine, const Matrix& table, const int32_t* tokens, Tensor& out);
void rms_norm(const Machine& machine, const Tensor& x, const Vector& scale, float epsilon, Tensor& out);
/// `bias` may be null.
void linear(const Machine& machine, const Tensor& x, const Matrix& weight, const float* bias, Tensor& out);
/// cos and sin are [rows, head_dim/2].
void rope(const Machine& machine, const Tensor& x, size_t head_dim, const float* cos, const float* sin, Tensor& out);
void add(const Machine& machine, const Tensor& a, const Tensor& b, Tensor& out);
void gather(const Machine& machine, const Tensor& x, const int32_t* rows, Tensor& out);

struct MoeShape {
  size_t experts_per_token;
  float swiglu_limit;
};
void moe(const Machine& machine, const Tensor& x, const Matrix& router, const Vector& router_bias,
         const Experts& experts, const MoeShape& shape, Tensor& out);

/// Rows [start, start + count) of the batch, at consecutive positions.
struct Sequence {
  size_t start;
  size_t count;
  size_t position;
  size_t first_block;     // runs of block_tokens positions that are not visible any more, and not in the table
  const int32_t* blocks;  // block id of each run after them
  size_t block(size_t run) const { return static_cast<size_t>(blocks[run - first_block]); }
};
struct AttentionShape {
  size_t layer;
  size_t window;  // 0 sees everything
};
void attention(const Machine& machine, const Tensor& q, const Tensor& k, const Tensor& v, const Vector& sinks,
               Cache& cache, const AttentionShape& shape, const std::vector<Sequence>& sequences, Tensor& out);

/// Fills up to `panels` more of the matrix's panels from its values.
void quantize(const Machine& machine, Matrix& matrix, size_t panels);

/// Splits `rows` between threads when there is more than a little to do; calls work(first, last).
template <typename Work>
void for_rows(const Machine& machine, size_t rows, size_t elements_per_row, const Work& work) {
  constexpr size_t kWorthWaking = 32768;  // elements; below, waking a thread costs more than it saves
  if (rows * elements_per_row < kWorthWaking) return work(size_t{0}, rows);
  const size_t threads = machine.pool.size();
  machine.pool.run([&](size_t thread) {
    const size_t first = rows * thread / threads, last = rows * (thread + 1) / threads;
    if (first < last) work(first, last);
  });
}

}  // namespace gptoss
