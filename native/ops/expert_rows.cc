#include "expert_rows.h"

#include <cstring>

namespace gptoss {

namespace {

constexpr size_t kGgufBlockBytes = Mxfp4Blocks::kBlockBytes;
constexpr size_t kValueBytes = kGgufBlockBytes - 1;

/// So many parts of the rows are read side by side, each from front to back: one stream does not draw memory's full
/// speed, and rows that follow one another are no streams that the hardware prefetcher knows.
constexpr size_t kStreams = 4;
constexpr size_t kPrefetchBytes = 1024;

/// R rows of `blocks` blocks each; `apart` rows lie between their places in `values` and `exponents`.
template <size_t R>
void take_apart(const uint8_t* const* from, size_t blocks, size_t apart, uint8_t* values, uint8_t* exponents) {
  for (size_t b = 0; b < blocks; b++) {
    for (size_t r = 0; r < R; r++) {
      const uint8_t* block = from[r] + b * kGgufBlockBytes;
      if (b % 3 == 0) __builtin_prefetch(block + kPrefetchBytes);
      const size_t to = r * apart * blocks + b;
      exponents[to] = block[0];
      std::memcpy(values + to * kValueBytes, block + 1, kValueBytes);
    }
  }
}

}  // namespace

size_t stage_bytes(const ExpertMatrix& matrix) {
  return matrix.is_gguf() ? round_up(kStagedRows * (matrix.cols / kBlockCols) * kGgufBlockBytes, 64) : 0;
}

Mxfp4Blocks expert_blocks(const ExpertMatrix& matrix, size_t expert) {
  Mxfp4Blocks blocks = {{nullptr, nullptr}, matrix.parts.size(), matrix.rows, matrix.cols};
  for (size_t i = 0; i < blocks.parts; i++) {
    const ExpertMatrix::Part& part = matrix.parts[i];
    blocks.part[i] = part.mapped.data + expert * part.expert_bytes;
  }
  return blocks;
}

Mxfp4 stage_rows(const ExpertMatrix& matrix, size_t expert, size_t first, size_t count, uint8_t* stage) {
  const Mxfp4Blocks stored = expert_blocks(matrix, expert);
  const size_t blocks = matrix.cols / kBlockCols;
  uint8_t* const values = stage;
  uint8_t* const exponents = stage + count * blocks * kValueBytes;
  const size_t apart = count / kStreams;
  for (size_t i = 0; i < apart; i++) {
    const uint8_t* from[kStreams];
    for (size_t r = 0; r < kStreams; r++) from[r] = stored.row(first + i + r * apart);
    take_apart<kStreams>(from, blocks, apart, values + i * blocks * kValueBytes, exponents + i * blocks);
  }
  for (size_t i = kStreams * apart; i < count; i++) {
    const uint8_t* from = stored.row(first + i);
    take_apart<1>(&from, blocks, 0, values + i * blocks * kValueBytes, exponents + i * blocks);
  }
  return {values, exponents, count, matrix.cols};
}

void multiply_expert_rows(const Kernels& kernels, const ExpertMatrix& matrix, size_t expert, size_t first, size_t last,
                          const void* const* activations, size_t vectors, const float* bias, float* const* out,
                          uint8_t* stage) {
  if (matrix.is_gguf() && kernels.matvec_mxfp4_blocks != nullptr) {
    return kernels.matvec_mxfp4_blocks(expert_blocks(matrix, expert), first, last, activations, vectors, bias, out);
  }
  const auto run = [&](const Mxfp4& weights, size_t from, size_t to, size_t base) {
    float* shifted[kMaxVectors];
    for (size_t i = 0; i < vectors; i++) shifted[i] = out[i] + base;
    kernels.matvec_mxfp4.run(weights, from, to, activations, vectors, bias + base, shifted);
  };
  for_expert_rows(matrix, expert, first, last, stage, run);
}

void order_columns(const ExpertMatrix& matrix, const float* from, size_t n, float* to) {
  if (!matrix.pairs_halves) {
    if (to != from) std::memcpy(to, from, n * sizeof(float));
    return;
  }
  constexpr size_t kHalf = kBlockCols / 2;
  for (size_t k = 0; k < n; k += kBlockCols) {
    float block[kBlockCols];
    std::memcpy(block, from + k, sizeof block);
    for (size_t j = 0; j < kHalf; j++) {
      to[k + 2 * j] = block[j];
      to[k + 2 * j + 1] = block[j + kHalf];
    }
  }
}

}  // namespace gptoss
