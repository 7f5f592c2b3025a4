// Attention over a cache in bfloat16 with dot products of pairs: one instruction where floats take four, of which two
// widen. Queries and probabilities are rounded to bfloat16, as keys and values are, and the softmax's sum is that of the
// rounded probabilities, so that they still add up to 1.

#pragma once

#include <immintrin.h>

#include "../generic/attention.h"

namespace gptoss {
namespace {

/// Pairs of dimensions of one query. Wider heads (no published model has them), and caches in 8 bits, are multiplied in
/// floats.
constexpr size_t kMostPairs = 128;
/// Query heads at a time: with two groups of tokens, or two vectors of values, they fill half of the registers.
constexpr size_t kPairedHeads = 8;

/// `pair`: two neighbours in one word, as keys and values lie.
static inline __m512 add_product(__m512 sum, __m512i pairs, uint32_t pair) {
  return _mm512_dpbf16_ps(sum, (__m512bh)pairs, (__m512bh)_mm512_set1_epi32((int)pair));
}

/// Scores of G groups of 16 tokens for N heads, `q` [N, kMostPairs]; meanwhile the next keys and the values of these
/// tokens are fetched.
template <size_t N, size_t G>
static inline void score_groups(const uint32_t* q, size_t dims, const uint16_t* keys, const uint16_t* next_keys,
                                const uint16_t* values, float* scores) {
  __m512 acc[G * N];
  for (size_t i = 0; i < G * N; i++) acc[i] = _mm512_setzero_ps();
  for (size_t d = 0; d < dims; d += 2) {
    __m512i k[G];
    for (size_t g = 0; g < G; g++) {
      const size_t at = (g * dims + d) * kLanes;
      _mm_prefetch((const char*)(next_keys + at), _MM_HINT_T0);
      _mm_prefetch((const char*)(values + at), _MM_HINT_T0);
      k[g] = _mm512_loadu_si512(keys + at);
    }
    for (size_t h = 0; h < N; h++)
      for (size_t g = 0; g < G; g++) acc[G * h + g] = add_product(acc[G * h + g], k[g], q[h * kMostPairs + d / 2]);
  }
  for (size_t h = 0; h < N; h++)
    for (size_t g = 0; g < G; g++) _mm512_storeu_ps(scores + h * kTileSlots + g * kLanes, acc[G * h + g]);
}

/// As `soften`, but probabilities become bfloat16 and take half of the scores' place.
static inline void soften_to_bf16(float* scores, size_t slots, size_t dims, float* max_seen, float* sum_seen,
                                  float* acc) {
  __m512 largest = _mm512_set1_ps(*max_seen);
  for (size_t i = 0; i < slots; i += kLanes) largest = _mm512_max_ps(largest, _mm512_loadu_ps(scores + i));
  const float new_max = _mm512_reduce_max_ps(largest);
  if (!(new_max > -INFINITY)) {
    memset(scores, 0, slots * sizeof(uint16_t));
    return;
  }
  __m512 total = _mm512_setzero_ps();
  for (size_t i = 0; i < slots; i += kLanes) {
    const __m256i p = (__m256i)_mm512_cvtneps_pbh((__m512)exp(load(scores + i) - splat(new_max)));
    total = _mm512_add_ps(total, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(p), 16)));
    _mm256_storeu_si256((__m256i*)((uint16_t*)scores + i), p);
  }
  add_to_sum(new_max, _mm512_reduce_add_ps(total), dims, max_seen, sum_seen, acc);
}

/// Adds the tile's values, weighted by the probabilities at `scores`, to W vectors of dimensions from `d` of N heads.
template <size_t N, size_t W>
static inline void add_paired_values(const KvLayout& layout, const KvTile& tile, const float* scores, size_t d,
                                     const AttentionState& state) {
  const size_t dims = layout.head_dim_padded();
  __m512 acc[W * N];
  for (size_t h = 0; h < N; h++)
    for (size_t w = 0; w < W; w++) acc[W * h + w] = _mm512_loadu_ps(state.acc + h * dims + d + w * kLanes);
  size_t slot = 0;
  for (size_t b = tile.first / layout.block_tokens; b * layout.block_tokens < tile.last; b++) {
    const BlockPart<uint16_t> part = block_part<uint16_t>(layout, tile, b);
    for (size_t t = part.first / 2 * 2; t < part.last; t += 2) {
      const uint16_t* pair = part.values + t * dims + 2 * d;
      __m512i v[W];
      for (size_t w = 0; w < W; w++) v[w] = _mm512_loadu_si512(pair + 2 * kLanes * w);
      for (size_t h = 0; h < N; h++) {
        uint32_t p;
        memcpy(&p, (const uint16_t*)(scores + h * kTileSlots) + slot + t - part.first_group, sizeof p);
        for (size_t w = 0; w < W; w++) acc[W * h + w] = add_product(acc[W * h + w], v[w], p);
      }
    }
    slot += (part.last - part.first_group + kLanes - 1) / kLanes * kLanes;
  }
  for (size_t h = 0; h < N; h++)
    for (size_t w = 0; w < W; w++) _mm512_storeu_ps(state.acc + h * dims + d + w * kLanes, acc[W * h + w]);
}

template <size_t N>
static void attend_paired_heads(const uint32_t* q, const KvLayout& layout, const KvTile& tile, float* scores,
                                const AttentionState& state) {
  const size_t dims = layout.head_dim_padded();
  size_t slots = 0;
  for (size_t b = tile.first / layout.block_tokens; b * layout.block_tokens < tile.last; b++) {
    const BlockPart<uint16_t> part = block_part<uint16_t>(layout, tile, b);
    const bool is_last = (b + 1) * layout.block_tokens >= tile.last;
    const uint16_t* next = is_last ? part.keys : (const uint16_t*)tile.blocks[b + 1];
    for (size_t g = part.first_group; g < part.last;) {
      const uint16_t *keys = part.keys + g * dims, *values = part.values + g * dims;
      const bool are_two = g + kLanes < part.last;
      if (are_two) score_groups<N, 2>(q, dims, keys, next + g * dims, values, scores + slots);
      else score_groups<N, 1>(q, dims, keys, next + g * dims, values, scores + slots);
      for (const size_t end = g + (are_two ? 2 : 1) * kLanes; g < end; g += kLanes, slots += kLanes) {
        const size_t from = part.first > g ? part.first - g : 0;
        const size_t to = part.last - g < kLanes ? part.last - g : kLanes;
        if (from > 0 || to < kLanes) mask_group(scores + slots, N, from, to);
      }
    }
  }
  for (size_t h = 0; h < N; h++)
    soften_to_bf16(scores + h * kTileSlots, slots, dims, state.max + h, state.sum + h, state.acc + h * dims);

  size_t d = 0;
  for (; d + 2 * kLanes <= dims; d += 2 * kLanes) add_paired_values<N, 2>(layout, tile, scores, d, state);
  for (; d < dims; d += kLanes) add_paired_values<N, 1>(layout, tile, scores, d, state);
}

/// Heads [h, heads) as far as groups of N go; the first that is left.
template <size_t N>
static inline size_t attend_groups_of(size_t h, size_t heads, const float* q, const KvLayout& layout,
                                      const KvTile& tile, float* scores, const AttentionState& state) {
  const size_t dims = layout.head_dim_padded();
  alignas(64) uint32_t query[N * kMostPairs];
  for (; h + N <= heads; h += N) {
    for (size_t i = 0; i < N; i++)
      for (size_t d = 0; d < dims; d += kLanes)
        _mm256_store_si256((__m256i*)(query + i * kMostPairs + d / 2),
                           (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(q + (h + i) * dims + d)));
    attend_paired_heads<N>(query, layout, tile, scores, {state.max + h, state.sum + h, state.acc + h * dims});
  }
  return h;
}

static void attend_pairs(const float* q, size_t heads, const KvLayout& layout, const KvTile& tile, float* scores,
                         const AttentionState& state) {
  if (layout.is_int8 || layout.head_dim_padded() > 2 * kMostPairs) return attend(q, heads, layout, tile, scores, state);
  size_t h = attend_groups_of<kPairedHeads>(0, heads, q, layout, tile, scores, state);
  h = attend_groups_of<4>(h, heads, q, layout, tile, scores, state);
  h = attend_groups_of<2>(h, heads, q, layout, tile, scores, state);
  attend_groups_of<1>(h, heads, q, layout, tile, scores, state);
}

}  // namespace
}  // namespace gptoss
