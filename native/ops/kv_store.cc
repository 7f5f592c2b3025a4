// The cache's two storages: bfloat16, and 8 bits with a scale for each token's keys and values at each head.
// src/backend/backend.ts `KvStorage` says how numbers are rounded; here they find their places (kernels.h `KvLayout`).

#include "kv_store.h"

#include <cfloat>
#include <cmath>
#include <cstring>

namespace gptoss {

namespace {

uint16_t to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/// One token's place at one head. The slot paired with it may hold another sequence's values, whose NaN would survive
/// a probability of 0.
struct Slot {
  size_t index;
  bool clears_partner;
  size_t key(size_t d, size_t dims) const { return index / 16 * 16 * dims + d / 2 * 32 + index % 16 * 2 + d % 2; }
  size_t value(size_t d, size_t dims) const { return index / 2 * 2 * dims + 2 * d + index % 2; }
};

void store_bf16(const KvLayout& layout, const Slot& slot, const float* k, const float* v, uint16_t* keys) {
  const size_t dims = layout.head_dim_padded();
  uint16_t* values = keys + layout.half();
  for (size_t d = 0; d < layout.head_dim; d++) {
    keys[slot.key(d, dims)] = to_bf16(k[d]);
    values[slot.value(d, dims)] = to_bf16(v[d]);
    if (slot.clears_partner) values[slot.value(d, dims) + 1] = 0;
  }
}

/// The scale of `count` numbers; what is too small for one becomes 0, and what is not finite leaves a scale that is not.
float int8_scale(const float* x, size_t count) {
  float largest = 0, sum = 0;
  for (size_t i = 0; i < count; i++) {
    largest = std::fmax(largest, std::fabs(x[i]));
    sum += x[i] * 0;  // NaN where one of them is not finite
  }
  const float scale = (largest + sum) / 127;
  return scale < FLT_MIN ? 0 : scale;
}

int8_t to_int8(float x, float scale) {
  if (!(scale > 0)) return 0;
  const float shifted = x / scale + 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  int32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  return static_cast<int8_t>(bits - 0x4b400000);
}

void store_int8(const KvLayout& layout, const Slot& slot, const float* k, const float* v, int8_t* keys) {
  const size_t dims = layout.head_dim_padded();
  int8_t* values = keys + layout.half();
  float* key_scales = reinterpret_cast<float*>(values + layout.half());
  float* value_scales = key_scales + layout.groups() * 16;
  const float key_scale = int8_scale(k, layout.head_dim), value_scale = int8_scale(v, layout.head_dim);
  key_scales[slot.index] = key_scale;
  value_scales[slot.index] = value_scale;
  if (slot.clears_partner) value_scales[slot.index + 1] = 0;
  for (size_t d = 0; d < layout.head_dim; d++) {
    keys[slot.key(d, dims)] = to_int8(k[d], key_scale);
    values[slot.value(d, dims)] = to_int8(v[d], value_scale);
  }
}

}  // namespace

void store_token(const Cache& cache, size_t layer, const Sequence& sequence, size_t token, const float* k, const float* v) {
  const KvLayout& layout = cache.layout;
  const size_t position = sequence.position + token, index = position % layout.block_tokens;
  const size_t block = sequence.block(position / layout.block_tokens);
  const Slot slot = {index, index % 2 == 0 && token + 1 == sequence.count};
  for (size_t h = 0; h < cache.kv_heads; h++) {
    void* place = cache.at(layer, block, h);
    const size_t first = h * layout.head_dim;
    if (layout.is_int8) store_int8(layout, slot, k + first, v + first, static_cast<int8_t*>(place));
    else store_bf16(layout, slot, k + first, v + first, static_cast<uint16_t*>(place));
  }
}

}  // namespace gptoss
