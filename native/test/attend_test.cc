// The attention kernel of one table against a softmax in f64: tiles one after the other, ragged blocks, padded heads.
// Slots that a tile does not see hold NaN, except the one that shares a pair with a slot it sees.

#include <algorithm>

#include "tests.h"

namespace gptoss::testing {

namespace {

struct Case {
  KvLayout layout;
  size_t heads;
  size_t first, last;  // visible positions
};

/// Keys and values [positions, head_dim], as the cache holds them.
struct Cached {
  std::vector<Guarded<uint8_t>> blocks;
  std::vector<float> keys, values;
};

Cached random_cache(Random& random, const Case& c) {
  const KvLayout& layout = c.layout;
  const size_t dims = layout.head_dim_padded(), count = (c.last + layout.block_tokens - 1) / layout.block_tokens;
  Cached cached;
  cached.keys.resize(c.last * layout.head_dim);
  cached.values.resize(c.last * layout.head_dim);
  for (size_t b = 0; b < count; b++) {
    cached.blocks.emplace_back(layout.bytes());
    uint8_t* block = cached.blocks[b].data();
    for (size_t slot = 0; slot < layout.groups() * 16; slot++) {
      const size_t position = b * layout.block_tokens + slot;
      const auto is_seen = [&](size_t s) {
        const size_t p = b * layout.block_tokens + s;
        return s < layout.block_tokens && p >= c.first && p < c.last;
      };
      const bool is_paired = is_seen(slot) || is_seen(slot ^ 1);
      const float key_scale = is_seen(slot) ? 0.02f + 0.01f * random.normal() : NAN;
      const float value_scale = is_paired ? 0.02f + 0.01f * random.normal() : NAN;
      if (layout.is_int8) {
        float* scales = reinterpret_cast<float*>(block + 2 * layout.half());
        scales[slot] = key_scale;
        scales[layout.groups() * 16 + slot] = value_scale;
      }
      for (size_t d = 0; d < dims; d++) {
        const bool is_padding = d >= layout.head_dim || slot >= layout.block_tokens;
        const size_t key_at = slot / 16 * 16 * dims + d / 2 * 32 + slot % 16 * 2 + d % 2;
        const size_t value_at = layout.half() + slot / 2 * 2 * dims + 2 * d + slot % 2;
        float key = 0, value = 0;
        if (layout.is_int8) {
          int8_t* stored = reinterpret_cast<int8_t*>(block);
          stored[key_at] = static_cast<int8_t>(is_padding ? 0 : static_cast<int>(random.between(0, 254)) - 127);
          stored[value_at] = static_cast<int8_t>(is_padding ? 0 : static_cast<int>(random.between(0, 254)) - 127);
          key = stored[key_at] * key_scale;
          value = stored[value_at] * value_scale;
        } else {
          uint16_t* stored = reinterpret_cast<uint16_t*>(block);
          if (!is_padding) key = is_seen(slot) ? from_bf16(to_bf16(random.normal())) : NAN;
          if (!is_padding) value = is_paired ? from_bf16(to_bf16(random.normal())) : NAN;
          stored[key_at] = to_bf16(key);
          stored[value_at] = to_bf16(value);
        }
        if (is_padding || !is_seen(slot)) continue;
        cached.keys[position * layout.head_dim + d] = key;
        cached.values[position * layout.head_dim + d] = value;
      }
    }
  }
  return cached;
}

/// Queries are rounded on paper where the kernel rounds them; of rounded probabilities the error is bounded.
void check(const Case& c, const Cached& cached, const float* q, bool rounds, const AttentionState& state, Report& report) {
  const double of_rounding = rounds ? 1.0 / 256 : 0;
  const size_t head_dim = c.layout.head_dim, dims = c.layout.head_dim_padded();
  for (size_t h = 0; h < c.heads; h++) {
    std::vector<double> scores;
    double largest = -INFINITY;
    for (size_t p = c.first; p < c.last; p++) {
      double score = 0;
      for (size_t d = 0; d < head_dim; d++)
        score += static_cast<double>(rounds ? from_bf16(to_bf16(q[h * dims + d])) : q[h * dims + d]) *
                 cached.keys[p * head_dim + d];
      scores.push_back(score);
      largest = std::fmax(largest, score);
    }
    const auto where = [&] {
      return text("attend, %s: head %zu of %zu, dim %zu, blocks of %zu, positions [%zu, %zu)",
                  c.layout.is_int8 ? "int8" : "bf16", h, c.heads, head_dim,
                  c.layout.block_tokens, c.first, c.last);
    };
    report.close(state.max[h], largest, 1e-5 * (1 + std::fabs(largest)), where);
    double sum = 0;
    for (double& score : scores) sum += score = std::exp(score - largest);
    report.close(state.sum[h], sum, (3e-5 + of_rounding) * sum, where);
    for (size_t d = 0; d < dims; d++) {
      double value = 0, size = 0;
      for (size_t i = 0; i < scores.size() && d < head_dim; i++) {
        const double part = scores[i] * cached.values[(c.first + i) * head_dim + d];
        value += part;
        size += std::fabs(part);
      }
      report.close(state.acc[h * dims + d], value, 5e-5 * sum + of_rounding * size, where);
    }
  }
}

void test_case(const Kernels& kernels, Random& random, const Case& c, Report& report) {
  const KvLayout& layout = c.layout;
  const size_t dims = layout.head_dim_padded();
  const Cached cached = random_cache(random, c);
  Guarded<float> q(c.heads * dims), scores(c.heads * kTileSlots), max(c.heads), sum(c.heads), acc(c.heads * dims);
  const float sharpness = random.one_of({0.1f, 1.0f, 4.0f});
  for (size_t i = 0; i < q.size(); i++) q[i] = i % dims < layout.head_dim ? random.normal() * sharpness : 0;
  for (size_t h = 0; h < c.heads; h++) max[h] = -INFINITY;
  std::memset(sum.data(), 0, c.heads * sizeof(float));
  std::memset(acc.data(), 0, c.heads * dims * sizeof(float));
  const AttentionState state = {max.data(), sum.data(), acc.data()};

  const size_t most_blocks = kTileSlots / (layout.groups() * 16);
  const size_t span = most_blocks * layout.block_tokens;
  for (size_t at = c.first; at < c.last;) {
    const size_t first_block = at / layout.block_tokens, start = first_block * layout.block_tokens;
    const size_t end = std::min({c.last, start + span, at + random.between(1, span)});
    std::vector<const void*> blocks;
    for (size_t b = first_block; b * layout.block_tokens < end; b++) blocks.push_back(cached.blocks[b].data());
    // One block before, which has been let go of: the tile counts from it, but may not look at it.
    const bool has_released = first_block > 0 && random.bits() % 2 && blocks.size() < most_blocks;
    if (has_released) blocks.insert(blocks.begin(), nullptr);
    const size_t base = has_released ? start - layout.block_tokens : start;
    Guarded<const void*> table(blocks.size());
    std::copy(blocks.begin(), blocks.end(), table.data());
    kernels.attend(q.data(), c.heads, layout, {table.data(), at - base, end - base}, scores.data(), state);
    at = end;
  }
  check(c, cached, q.data(), kernels.attend_rounds && !layout.is_int8, state, report);
}

}  // namespace

void test_attend(const Kernels& kernels, Report& report) {
  Random random(4);
  for (size_t round = 0; round < 160; round++) {
    Case c;
    c.layout.is_int8 = round % 2 == 1;
    c.layout.head_dim = random.one_of<size_t>({64, 64, 64, 2, 8, 16, 24, 32, 40, 80, 128});
    c.layout.block_tokens = random.one_of<size_t>({16, 32, 64, 128, 1, 5, 24, 33});
    c.heads = round < 20 ? round / 2 + 1 : random.one_of<size_t>({8, 8, 1, 5});
    c.first = random.between(0, 70);
    c.last = c.first + random.one_of<size_t>({1, 2, 3, 16, 31, 64, 127, 400});
    test_case(kernels, random, c, report);
  }
}

}  // namespace gptoss::testing
