// Rows of an expert's matrix as kernels take them. Those of safetensors files are used where they lie. Those of GGUF
// files are, too, by kernels that know their blocks; for the others, a few rows at a time are taken apart into memory of
// the thread's own, while they are on their way through its cache.
//
// Where a byte of a block holds elements j and j + 16 instead of 2j and 2j + 1, nothing is done about the weights: a sum
// over a block does not depend on its order, so activations are put in that order before they are prepared.

#pragma once

#include <algorithm>

#include "ops.h"

namespace gptoss {

/// Rows taken apart at once, at most.
constexpr size_t kStagedRows = 128;

/// Bytes that a thread needs to take rows apart; 0 where they are used as they lie.
size_t stage_bytes(const ExpertMatrix& matrix);

/// Of a GGUF file.
Mxfp4Blocks expert_blocks(const ExpertMatrix& matrix, size_t expert);

/// Rows [first, first + count) of an expert, count <= kStagedRows.
Mxfp4 stage_rows(const ExpertMatrix& matrix, size_t expert, size_t first, size_t count, uint8_t* stage);

/// run(weights, first, last, base) for rows [first, last) of an expert, in pieces: those of `weights` are the expert's
/// rows from `base` on.
template <typename Run>
void for_expert_rows(const ExpertMatrix& matrix, size_t expert, size_t first, size_t last, uint8_t* stage, const Run& run) {
  if (!matrix.is_gguf()) return run(matrix.of(expert), first, last, size_t{0});
  for (; first < last; first += kStagedRows) {
    const size_t count = std::min(kStagedRows, last - first);
    run(stage_rows(matrix, expert, first, count, stage), size_t{0}, count, first);
  }
}

/// Rows [first, last) of an expert times `vectors` prepared activations.
void multiply_expert_rows(const Kernels& kernels, const ExpertMatrix& matrix, size_t expert, size_t first, size_t last,
                          const void* const* activations, size_t vectors, const float* bias, float* const* out,
                          uint8_t* stage);

/// Activations [n] in the order of the matrix's columns; `to` may be `from`.
void order_columns(const ExpertMatrix& matrix, const float* from, size_t n, float* to);

}  // namespace gptoss
