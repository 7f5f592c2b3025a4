// Experts for a few tokens (decoding): bound by memory, so each chosen expert's weights are read once, by all threads,
// for every token that chose it.

#include <algorithm>
#include <cstring>

#include "expert_rows.h"
#include "matmul.h"
#include "moe.h"

namespace gptoss {

namespace {

/// A chosen expert with its pairs.
struct Group {
  size_t expert;
  size_t first_pair, pairs;
};

struct Memory {
  size_t x_bytes, h_bytes;  // of one prepared activation
  char* x;                  // [tokens]
  char* h;                  // [pairs]
  float* u;                 // [pairs, 2·I], then its swiglu in the same place
  float* y;                 // [pairs, D]
  uint8_t* stage;           // a piece for each thread, to take rows apart
  size_t stage_bytes;
};

Memory take_memory(const MoeCall& call, size_t pairs) {
  const Matvec<Mxfp4>& kernel = call.machine.kernels.matvec_mxfp4;
  const Experts& experts = call.experts;
  Arena& scratch = call.machine.scratch;
  Memory memory;
  memory.x_bytes = kernel.activation_bytes(experts.hidden);
  memory.h_bytes = kernel.activation_bytes(experts.intermediate);
  memory.x = scratch.take_array<char>(memory.x_bytes * call.x.rows);
  memory.h = scratch.take_array<char>(memory.h_bytes * pairs);
  memory.u = scratch.take_array<float>(pairs * 2 * experts.intermediate);
  memory.y = scratch.take_array<float>(pairs * experts.hidden);
  memory.stage_bytes = std::max(stage_bytes(experts.gate_up), stage_bytes(experts.down));
  memory.stage = scratch.take_array<uint8_t>(memory.stage_bytes * call.machine.pool.size());
  return memory;
}

/// Columns [first, last) of the hidden activation of a group: gate and up, swiglu, and its 8-bit form.
void run_gate_up(const MoeCall& call, const Routes& routes, const Memory& memory, const Group& group, size_t first,
                 size_t last, uint8_t* stage) {
  const Matvec<Mxfp4>& kernel = call.machine.kernels.matvec_mxfp4;
  const size_t width = call.experts.intermediate;
  const void* activations[kMaxVectors];
  float* out[kMaxVectors];
  for (size_t i = 0; i < group.pairs; i++) {
    activations[i] = memory.x + static_cast<size_t>(routes.pairs[group.first_pair + i].token) * memory.x_bytes;
    out[i] = memory.u + (group.first_pair + i) * 2 * width;
  }
  const float* bias = call.experts.gate_up_bias.as<const float>() + group.expert * 2 * width;
  multiply_expert_rows(call.machine.kernels, call.experts.gate_up, group.expert, 2 * first, 2 * last, activations,
                       group.pairs, bias, out, stage);
  for (size_t i = 0; i < group.pairs; i++) {
    float* h = out[i] + 2 * first;  // not at `first`: other threads' columns may still lie there
    call.machine.kernels.swiglu(h, last - first, call.shape.swiglu_limit, h);
    order_columns(call.experts.down, h, last - first, h);
    kernel.prepare(h - first, first, last, width, memory.h + (group.first_pair + i) * memory.h_bytes);
  }
}

/// Rows [first, last) of the output, over all experts in their order.
void run_down(const MoeCall& call, const Routes& routes, const Memory& memory, const std::vector<Group>& groups,
              size_t first, size_t last, uint8_t* stage) {
  const Kernels& kernels = call.machine.kernels;
  const size_t hidden = call.experts.hidden;
  for (size_t t = 0; t < call.out.rows; t++) std::memset(call.out.row(t) + first, 0, (last - first) * sizeof(float));
  for (const Group& group : groups) {
    const void* activations[kMaxVectors];
    float* out[kMaxVectors];
    for (size_t i = 0; i < group.pairs; i++) {
      activations[i] = memory.h + (group.first_pair + i) * memory.h_bytes;
      out[i] = memory.y + (group.first_pair + i) * hidden;
    }
    const float* bias = call.experts.down_bias.as<const float>() + group.expert * hidden;
    multiply_expert_rows(kernels, call.experts.down, group.expert, first, last, activations, group.pairs, bias, out, stage);
    for (size_t i = 0; i < group.pairs; i++) {
      const Pair& pair = routes.pairs[group.first_pair + i];
      kernels.add_scaled(out[i] + first, pair.weight, last - first,
                         call.out.row(static_cast<size_t>(pair.token)) + first);
    }
  }
}

}  // namespace

void mix_vectors(const MoeCall& call, const Routes& routes) {
  const Matvec<Mxfp4>& kernel = call.machine.kernels.matvec_mxfp4;
  const size_t hidden = call.experts.hidden, width = call.experts.intermediate, threads = call.machine.pool.size();
  std::vector<Group> groups;
  for (size_t e = 0; e < call.experts.experts; e++)
    if (routes.count(e) > 0) groups.push_back({e, routes.starts[e], routes.count(e)});

  const Memory memory = take_memory(call, routes.pairs.size());
  float* ordered = call.machine.scratch.take_array<float>(hidden);
  for (size_t t = 0; t < call.x.rows; t++) {
    order_columns(call.experts.gate_up, call.x.row(t), hidden, ordered);
    kernel.prepare(ordered, 0, hidden, hidden, memory.x + t * memory.x_bytes);
  }

  constexpr size_t kMinRows = 64;
  Ranges columns(groups.size() * width, kBlockCols, kBlockCols, threads);
  Ranges rows(hidden, std::max<size_t>(kernel.row_tile, 16), kMinRows, threads);
  call.machine.pool.run([&](size_t thread) {
    uint8_t* stage = memory.stage + thread * memory.stage_bytes;
    for (size_t first, last; columns.next(&first, &last);) {
      while (first < last) {
        const size_t group = first / width, start = group * width, end = std::min(last, start + width);
        run_gate_up(call, routes, memory, groups[group], first - start, end - start, stage);
        first = end;
      }
    }
    call.machine.pool.barrier();
    for (size_t first, last; rows.next(&first, &last);) run_down(call, routes, memory, groups, first, last, stage);
  });
}

}  // namespace gptoss
