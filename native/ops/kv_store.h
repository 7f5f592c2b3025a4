// Puts keys and values into the cache, in its layout and its storage.

#pragma once

#include "ops.h"

namespace gptoss {

/// The keys and values [kv_heads * head_dim] of one token of the sequence.
void store_token(const Cache& cache, size_t layer, const Sequence& sequence, size_t token, const float* k, const float* v);

}  // namespace gptoss
