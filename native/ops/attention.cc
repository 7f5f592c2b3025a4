// Attention: stores the batch's keys and values in the cache, then runs every query over the positions it sees.
//
// Work is cut into units of one key-value head, some tokens of one sequence and a span of positions. A short sequence
// of queries over a long context (decoding) is cut along positions, and its parts are merged; else a unit is complete.
// The cut depends on shapes only, never on the number of threads, and so neither do the results.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kv_store.h"

namespace gptoss {

namespace {

constexpr size_t kTileTokens = 32;      // queries of one unit, which share each tile of keys while it is in the cache
constexpr size_t kSpanPositions = 1024;  // positions of one unit when they are cut

struct Context {
  const Machine& machine;
  const Tensor& q;
  const Tensor& k;
  const Tensor& v;
  const float* sinks;
  Cache& cache;
  const AttentionShape& shape;
  Tensor& out;

  size_t dims() const { return cache.layout.head_dim_padded(); }
  size_t heads() const { return q.cols / cache.layout.head_dim; }
  size_t group() const { return heads() / cache.kv_heads; }  // query heads of one key-value head
  size_t first_visible(size_t position) const {
    return shape.window == 0 || position < shape.window ? 0 : position - shape.window + 1;
  }
};

/// Queries [token, token + tokens) of a sequence at one key-value head, over one span of positions.
struct Unit {
  const Sequence* sequence;
  size_t token, tokens;
  size_t first, last;    // positions
  size_t parts, part;    // spans that the positions were cut into, and which of them this is
  size_t partial;        // index of this tile's partial results, when parts > 1
};

void store_all(const Context& c, const std::vector<Sequence>& sequences) {
  for_rows(c.machine, c.k.rows, 2 * c.k.cols, [&](size_t first, size_t last) {
    for (const Sequence& sequence : sequences) {
      const size_t from = std::max(first, sequence.start), to = std::min(last, sequence.start + sequence.count);
      for (size_t row = from; row < to; row++)
        store_token(c.cache, c.shape.layer, sequence, row - sequence.start, c.k.row(row), c.v.row(row));
    }
  });
}

/// Running softmax of the query heads of one token at one key-value head: max, sum and values side by side.
struct States {
  float* memory;
  size_t group, dims;
  size_t size() const { return group * (2 + dims); }
  AttentionState at(size_t index) const {
    float* base = memory + index * size();
    return {base, base + group, base + 2 * group};
  }
  void clear(size_t index) const {
    const AttentionState state = at(index);
    std::fill(state.max, state.max + group, -INFINITY);
    std::memset(state.sum, 0, (size() - group) * sizeof(float));
  }
};

struct ThreadScratch {
  float* queries;  // [kTileTokens, group, dims]
  float* scores;   // [group, kTileSlots]
  States states;   // kTileTokens
};

void load_queries(const Context& c, const Unit& unit, size_t kv_head, float* queries) {
  const size_t head_dim = c.cache.layout.head_dim, dims = c.dims(), group = c.group();
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  for (size_t t = 0; t < unit.tokens; t++) {
    const float* source = c.q.row(unit.sequence->start + unit.token + t) + kv_head * group * head_dim;
    for (size_t h = 0; h < group; h++) {
      float* query = queries + (t * group + h) * dims;
      for (size_t d = 0; d < head_dim; d++) query[d] = source[h * head_dim + d] * scale;
      for (size_t d = head_dim; d < dims; d++) query[d] = 0;
    }
  }
}

/// Positions per tile: whole groups of slots, and whole blocks where a block is smaller than a tile. Many queries
/// share a tile, which should then stay in the first-level cache.
size_t tile_positions(const KvLayout& layout, size_t tokens) {
  const size_t slots = tokens > kMaxVectors ? kTileSlots / 4 : kTileSlots;
  const size_t block_slots = layout.groups() * 16;
  if (block_slots <= slots) return slots / block_slots * layout.block_tokens;
  return layout.block_tokens % 16 == 0 ? slots : slots - 32;  // a tile over a block's ragged end takes two groups more
}

void attend_unit(const Context& c, const Unit& unit, size_t kv_head, const ThreadScratch& scratch,
                 const States& states, size_t first_state) {
  const KvLayout& layout = c.cache.layout;
  const size_t group = c.group(), step = tile_positions(layout, unit.tokens);
  load_queries(c, unit, kv_head, scratch.queries);
  for (size_t t = 0; t < unit.tokens; t++) states.clear(first_state + t);
  const void* blocks[kTileSlots / 16 + 1];
  for (size_t at = unit.first / step * step; at < unit.last; at += step) {
    const size_t end = std::min(at + step, unit.last);
    const size_t first_block = at / layout.block_tokens, start = first_block * layout.block_tokens;
    for (size_t b = first_block; b * layout.block_tokens < end; b++) {
      const bool is_released = b < unit.sequence->first_block;
      blocks[b - first_block] =
          is_released ? nullptr : c.cache.at(c.shape.layer, unit.sequence->block(b), kv_head);
    }
    for (size_t t = 0; t < unit.tokens; t++) {
      const size_t position = unit.sequence->position + unit.token + t;
      const size_t first = std::max({at, unit.first, c.first_visible(position)}), last = std::min(end, position + 1);
      if (first >= last) continue;
      const KvTile tile = {blocks, first - start, last - start};
      c.machine.kernels.attend(scratch.queries + t * group * c.dims(), group, layout, tile, scratch.scores,
                               states.at(first_state + t));
    }
  }
}

/// Divides by the sum, to which the sink adds its share.
void finish(const Context& c, size_t row, size_t kv_head, const AttentionState& state) {
  const size_t head_dim = c.cache.layout.head_dim, group = c.group();
  for (size_t h = 0; h < group; h++) {
    const float sink = c.sinks[kv_head * group + h];
    const float largest = std::max(state.max[h], sink);
    const float rescale = std::exp(state.max[h] - largest);
    const float factor = rescale / (state.sum[h] * rescale + std::exp(sink - largest));
    float* out = c.out.row(row) + (kv_head * group + h) * head_dim;
    for (size_t d = 0; d < head_dim; d++) out[d] = state.acc[h * c.dims() + d] * factor;
  }
}

void merge(const States& states, size_t target, size_t source) {
  const AttentionState a = states.at(target), b = states.at(source);
  for (size_t h = 0; h < states.group; h++) {
    const float largest = std::max(a.max[h], b.max[h]);
    if (!(largest > -INFINITY)) continue;
    const float fa = std::exp(a.max[h] - largest), fb = std::exp(b.max[h] - largest);
    a.max[h] = largest;
    a.sum[h] = a.sum[h] * fa + b.sum[h] * fb;
    for (size_t d = 0; d < states.dims; d++)
      a.acc[h * states.dims + d] = a.acc[h * states.dims + d] * fa + b.acc[h * states.dims + d] * fb;
  }
}

struct Plan {
  std::vector<Unit> units;   // each stands for kv_heads units of work
  std::vector<Unit> merges;  // tiles whose positions were cut
  size_t partials = 0;       // states per key-value head that the cut tiles need
};

Plan plan_units(const Context& c, const std::vector<Sequence>& sequences) {
  Plan plan;
  for (const Sequence& sequence : sequences) {
    for (size_t token = 0; token < sequence.count; token += kTileTokens) {
      const size_t tokens = std::min(kTileTokens, sequence.count - token);
      const size_t position = sequence.position + token;
      const size_t first = c.first_visible(position), last = position + tokens;
      const bool is_cut = sequence.count <= kMaxVectors && last - first > kSpanPositions;
      const size_t spans = is_cut ? (last + kSpanPositions - 1) / kSpanPositions - first / kSpanPositions : 1;
      Unit unit = {&sequence, token, tokens, first, last, spans, 0, plan.partials};
      if (spans > 1) {
        plan.merges.push_back(unit);
        plan.partials += spans * tokens;
      }
      for (unit.part = 0; unit.part < spans; unit.part++) {
        if (spans > 1) {
          const size_t start = (first / kSpanPositions + unit.part) * kSpanPositions;
          unit.first = std::max(first, start);
          unit.last = std::min(last, start + kSpanPositions);
        }
        plan.units.push_back(unit);
      }
    }
  }
  // Late tiles of a long prompt see the most: first the large pieces, then the small ones that even out the end.
  std::stable_sort(plan.units.begin(), plan.units.end(), [](const Unit& a, const Unit& b) {
    return a.tokens * (a.last - a.first) > b.tokens * (b.last - b.first);
  });
  return plan;
}

ThreadScratch take_scratch(const Context& c) {
  Arena& arena = c.machine.scratch;
  States states = {nullptr, c.group(), c.dims()};
  states.memory = arena.take_array<float>(kTileTokens * states.size());
  return {arena.take_array<float>(kTileTokens * c.group() * c.dims()),
          arena.take_array<float>(c.group() * kTileSlots), states};
}

}  // namespace

void attention(const Machine& machine, const Tensor& q, const Tensor& k, const Tensor& v, const Vector& sinks,
               Cache& cache, const AttentionShape& shape, const std::vector<Sequence>& sequences, Tensor& out) {
  if (q.rows == 0) return;
  const Context c = {machine, q, k, v, sinks.data(), cache, shape, out};
  store_all(c, sequences);

  const Plan plan = plan_units(c, sequences);
  const size_t kv_heads = cache.kv_heads;
  std::vector<ThreadScratch> scratch(machine.pool.size());
  for (ThreadScratch& piece : scratch) piece = take_scratch(c);
  States partials = {nullptr, c.group(), c.dims()};
  partials.memory = machine.scratch.take_array<float>(plan.partials * kv_heads * partials.size());

  Ranges units = Ranges::single(plan.units.size() * kv_heads);
  Ranges merges = Ranges::single(plan.merges.size() * kv_heads);
  machine.pool.run([&](size_t thread) {
    for (size_t first, last; units.next(&first, &last);) {
      for (size_t i = first; i < last; i++) {
        const Unit& unit = plan.units[i / kv_heads];
        const size_t kv_head = i % kv_heads;
        if (unit.parts > 1) {
          const size_t state = kv_head * plan.partials + unit.partial + unit.part * unit.tokens;
          attend_unit(c, unit, kv_head, scratch[thread], partials, state);
          continue;
        }
        attend_unit(c, unit, kv_head, scratch[thread], scratch[thread].states, 0);
        for (size_t t = 0; t < unit.tokens; t++)
          finish(c, unit.sequence->start + unit.token + t, kv_head, scratch[thread].states.at(t));
      }
    }
    if (plan.merges.empty()) return;
    machine.pool.barrier();
    for (size_t first, last; merges.next(&first, &last);) {
      for (size_t i = first; i < last; i++) {
        const Unit& tile = plan.merges[i / kv_heads];
        const size_t kv_head = i % kv_heads, base = kv_head * plan.partials + tile.partial;
        for (size_t t = 0; t < tile.tokens; t++) {
          for (size_t part = 1; part < tile.parts; part++) merge(partials, base + t, base + part * tile.tokens + t);
          finish(c, tile.sequence->start + tile.token + t, kv_head, partials.at(base + t));
        }
      }
    }
  });
}

}  // namespace gptoss
