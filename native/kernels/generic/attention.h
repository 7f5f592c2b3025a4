// One tile of the cache against the query heads that share its key-value head: scores, running softmax, values.

#pragma once

#include "vector.h"

namespace gptoss {
namespace {

/// Query heads, and vectors of values, whose sums fit into the registers together.
constexpr size_t kMostHeads = kParts == 1 ? 8 : 4;
constexpr size_t kMostValues = kParts == 1 ? 2 : 1;

static inline F32 low_halves(const uint16_t* p) {
  U32 v;
  read(v, p);
  return (F32)(v << 16);
}
static inline F32 high_halves(const uint16_t* p) {
  U32 v;
  read(v, p);
  return (F32)((I32)v & splat_int((int32_t)0xffff0000u));
}

template <typename Stored>
constexpr bool kIsInt8 = sizeof(Stored) == 1;

typedef int16_t HalfI16 __attribute__((vector_size(kRegisterBytes / 2)));

static inline void low_bytes(RegisterF32& v, const int8_t* p) {
  HalfI16 pairs;
  memcpy(&pairs, p, sizeof pairs);
  v = __builtin_convertvector(__builtin_convertvector(pairs, RegisterI32) << 24 >> 24, RegisterF32);
}
static inline void high_bytes(RegisterF32& v, const int8_t* p) {
  HalfI16 pairs;
  memcpy(&pairs, p, sizeof pairs);
  v = __builtin_convertvector(__builtin_convertvector(pairs, RegisterI32) >> 8, RegisterF32);
}
template <typename T>
static inline void low_bytes(Pair<T>& v, const int8_t* p) {
  low_bytes(v.low, p);
  low_bytes(v.high, p + sizeof(T) / 2);
}
template <typename T>
static inline void high_bytes(Pair<T>& v, const int8_t* p) {
  high_bytes(v.low, p);
  high_bytes(v.high, p + sizeof(T) / 2);
}
/// 8-bit values without their scales, which are those of tokens: scores and probabilities are multiplied with them.
static inline F32 low_halves(const int8_t* p) {
  F32 v;
  low_bytes(v, p);
  return v;
}
static inline F32 high_halves(const int8_t* p) {
  F32 v;
  high_bytes(v, p);
  return v;
}

/// Scores of one group of 16 tokens for N heads; meanwhile the next keys and the values of these tokens are fetched.
template <size_t N, typename Stored>
static inline void score_group(const float* q, size_t dims, const Stored* keys, const Stored* next_keys,
                               const Stored* values, float* scores) {
  F32 acc[N] = {};
  for (size_t d = 0; d < dims; d += 2) {
    __builtin_prefetch(next_keys + d * kLanes);
    __builtin_prefetch(values + d * kLanes);
    const F32 k0 = low_halves(keys + d * kLanes), k1 = high_halves(keys + d * kLanes);
    for (size_t h = 0; h < N; h++) {
      acc[h] += splat(q[h * dims + d]) * k0;
      acc[h] += splat(q[h * dims + d + 1]) * k1;
    }
  }
  for (size_t h = 0; h < N; h++) store(scores + h * kTileSlots, acc[h]);
}

/// Adds the probabilities of tokens [first, last) of one block times W vectors of dimensions of their values, to N
/// heads. A token beside the range belongs to a pair inside it, and has probability 0.
template <size_t N, size_t W, typename Stored>
static inline void mix_values(const float* p, size_t first, size_t last, const Stored* values, size_t dims, F32* acc) {
  for (size_t t = first / 2 * 2; t < last; t += 2) {
    const Stored* pair = values + t * dims;
    for (size_t w = 0; w < W; w++) {
      const F32 v0 = low_halves(pair + 2 * kLanes * w), v1 = high_halves(pair + 2 * kLanes * w);
      for (size_t h = 0; h < N; h++) {
        acc[W * h + w] += splat(p[h * kTileSlots + t]) * v0;
        acc[W * h + w] += splat(p[h * kTileSlots + t + 1]) * v1;
      }
    }
  }
}

/// Rescales what was summed before to a new running maximum, and adds to its sum.
static inline void add_to_sum(float new_max, float total, size_t dims, float* max_seen, float* sum_seen, float* acc) {
  if (new_max > *max_seen) {
    const float factor = *max_seen > -INFINITY ? expf(*max_seen - new_max) : 0.0f;
    *sum_seen *= factor;
    for (size_t d = 0; d < dims; d += kLanes) store(acc + d, load(acc + d) * splat(factor));
    *max_seen = new_max;
  }
  *sum_seen += total;
}

/// Turns scores into probabilities relative to the new running maximum, and rescales what was summed before.
static inline void soften(float* scores, size_t slots, size_t dims, float* max_seen, float* sum_seen, float* acc) {
  F32 largest = splat(*max_seen);
  for (size_t i = 0; i < slots; i += kLanes) largest = max(largest, load(scores + i));
  const float new_max = max_lane(largest);
  if (!(new_max > -INFINITY)) {
    memset(scores, 0, slots * sizeof(float));
    return;
  }
  F32 total = {};
  for (size_t i = 0; i < slots; i += kLanes) {
    const F32 p = exp(load(scores + i) - splat(new_max));
    total += p;
    store(scores + i, p);
  }
  add_to_sum(new_max, sum(total), dims, max_seen, sum_seen, acc);
}

/// Hides the slots of one group that lie outside [first, last), both relative to the group.
static inline void mask_group(float* scores, size_t heads, size_t first, size_t last) {
  for (size_t h = 0; h < heads; h++) {
    for (size_t i = 0; i < first; i++) scores[h * kTileSlots + i] = -INFINITY;
    for (size_t i = last; i < kLanes; i++) scores[h * kTileSlots + i] = -INFINITY;
  }
}

/// The part of one block that a tile sees: tokens [first, last) of it, whose group of 16 has its scores at `scores`.
template <typename Stored>
struct BlockPart {
  const Stored* keys;
  const Stored* values;
  size_t first, last;
  size_t first_group;  // first / 16 * 16
};

template <typename Stored>
static inline BlockPart<Stored> block_part(const KvLayout& layout, const KvTile& tile, size_t block) {
  const size_t start = block * layout.block_tokens;
  const size_t first = tile.first > start ? tile.first - start : 0;
  const size_t last = tile.last - start < layout.block_tokens ? tile.last - start : layout.block_tokens;
  const Stored* keys = (const Stored*)tile.blocks[block];
  return {keys, keys + layout.half(), first, last, first / kLanes * kLanes};
}

/// Adds the tile's values, weighted by `scores`, to W vectors of dimensions from `d` of N heads.
template <typename Stored, size_t N, size_t W>
static inline void add_values(const KvLayout& layout, const KvTile& tile, const float* scores, size_t d,
                              const AttentionState& state) {
  const size_t dims = layout.head_dim_padded();
  F32 acc[W * N];
  for (size_t h = 0; h < N; h++)
    for (size_t w = 0; w < W; w++) acc[W * h + w] = load(state.acc + h * dims + d + w * kLanes);
  size_t slot = 0;
  for (size_t b = tile.first / layout.block_tokens; b * layout.block_tokens < tile.last; b++) {
    const BlockPart<Stored> part = block_part<Stored>(layout, tile, b);
    const float* p = scores + slot - part.first_group;
    mix_values<N, W>(p, part.first, part.last, part.values + 2 * d, dims, acc);
    slot += (part.last - part.first_group + kLanes - 1) / kLanes * kLanes;
  }
  for (size_t h = 0; h < N; h++)
    for (size_t w = 0; w < W; w++) store(state.acc + h * dims + d + w * kLanes, acc[W * h + w]);
}

/// The scales of a block's keys, by token; those of its values follow.
static inline const float* token_scales(const KvLayout& layout, const int8_t* keys) {
  return (const float*)(keys + 2 * layout.half());
}

/// Multiplies one group's scores or probabilities of N heads. Slots that nobody sees may become NaN: nobody reads them.
template <size_t N>
static inline void scale_group(float* scores, const float* scales) {
  const F32 scale = load(scales);
  for (size_t h = 0; h < N; h++) store(scores + h * kTileSlots, load(scores + h * kTileSlots) * scale);
}

/// Probabilities of 8-bit values take over their scales.
template <size_t N>
static inline void scale_probabilities(const KvLayout& layout, const KvTile& tile, float* scores) {
  for (size_t b = tile.first / layout.block_tokens; b * layout.block_tokens < tile.last; b++) {
    const BlockPart<int8_t> part = block_part<int8_t>(layout, tile, b);
    const float* scales = token_scales(layout, part.keys) + layout.groups() * kLanes;
    for (size_t g = part.first_group; g < part.last; g += kLanes, scores += kLanes) scale_group<N>(scores, scales + g);
  }
}

template <typename Stored, size_t N>
static void attend_heads(const float* q, const KvLayout& layout, const KvTile& tile, float* scores,
                         const AttentionState& state) {
  const size_t dims = layout.head_dim_padded();
  size_t slots = 0;
  for (size_t b = tile.first / layout.block_tokens; b * layout.block_tokens < tile.last; b++) {
    const BlockPart<Stored> part = block_part<Stored>(layout, tile, b);
    const bool is_last = (b + 1) * layout.block_tokens >= tile.last;
    const Stored* next = is_last ? part.keys : (const Stored*)tile.blocks[b + 1];
    for (size_t g = part.first_group; g < part.last; g += kLanes, slots += kLanes) {
      score_group<N>(q, dims, part.keys + g * dims, next + g * dims, part.values + g * dims, scores + slots);
      if constexpr (kIsInt8<Stored>) scale_group<N>(scores + slots, token_scales(layout, part.keys) + g);
      const size_t from = part.first > g ? part.first - g : 0;
      const size_t to = part.last - g < kLanes ? part.last - g : kLanes;
      if (from > 0 || to < kLanes) mask_group(scores + slots, N, from, to);
    }
  }
  for (size_t h = 0; h < N; h++)
    soften(scores + h * kTileSlots, slots, dims, state.max + h, state.sum + h, state.acc + h * dims);
  if constexpr (kIsInt8<Stored>) scale_probabilities<N>(layout, tile, scores);

  size_t d = 0;
  for (; d + kMostValues * kLanes <= dims; d += kMostValues * kLanes)
    add_values<Stored, N, kMostValues>(layout, tile, scores, d, state);
  for (; d < dims; d += kLanes) add_values<Stored, N, 1>(layout, tile, scores, d, state);
}

template <typename Stored>
static void attend_stored(const float* q, size_t heads, const KvLayout& layout, const KvTile& tile, float* scores,
                          const AttentionState& state) {
  const size_t dims = layout.head_dim_padded();
  for (size_t h = 0; h < heads;) {
    const AttentionState at = {state.max + h, state.sum + h, state.acc + h * dims};
    const float* query = q + h * dims;
    if (heads - h >= kMostHeads) {
      attend_heads<Stored, kMostHeads>(query, layout, tile, scores, at);
      h += kMostHeads;
    } else if (heads - h >= 4) {
      attend_heads<Stored, 4>(query, layout, tile, scores, at);
      h += 4;
    } else if (heads - h >= 2) {
      attend_heads<Stored, 2>(query, layout, tile, scores, at);
      h += 2;
    } else {
      attend_heads<Stored, 1>(query, layout, tile, scores, at);
      h += 1;
    }
  }
}

static void attend(const float* q, size_t heads, const KvLayout& layout, const KvTile& tile, float* scores,
                   const AttentionState& state) {
  if (layout.is_int8) attend_stored<int8_t>(q, heads, layout, tile, scores, state);
  else attend_stored<uint16_t>(q, heads, layout, tile, scores, state);
}

}  // namespace
}  // namespace gptoss
