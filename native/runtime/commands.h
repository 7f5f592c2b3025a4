// How operations cross from JavaScript: each is [op, words after this one, arguments…] in 32-bit words.
// src/backend/native/commands.ts writes what engine_commands.cc reads; the two change together.

#pragma once

#include <cstdint>

namespace gptoss {

enum class Op : int32_t {
  kEmbed = 1,      // out, matrix, rows, tokens…
  kRmsNorm = 2,    // out, x, vector, epsilon
  kLinear = 3,     // out, x, matrix, bias or -1
  kRope = 4,       // out, x, head dim, cosines…, sines…
  kAttention = 5,  // out, q, k, v, sinks, cache, layer, window or 0, sequences, then each: start, count, position,
                   // first block of the table, blocks, ids…
  kMoe = 6,        // out, x, router, router bias, experts, experts per token, limit
  kAdd = 7,        // out, a, b
  kGather = 8,     // out, x, rows, indices…
  kFree = 9,       // tensor
  kFreeCache = 10,  // cache
};

}  // namespace gptoss
