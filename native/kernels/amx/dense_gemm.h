// Dense weights times many tokens, in bfloat16 tiles: whatever the storage, a file gives `unpack`, which makes tiles of
// pairs of columns x 16 rows.
//
// Some rows are unpacked whole into the second-level cache, then multiplied with 48 tokens after another: unpacking is
// spread over all tokens, and activations come past the caches once for all these rows.

#pragma once

#include "tiles.h"

namespace gptoss {
namespace {

constexpr size_t kDenseRows = 128;  // unpacked at a time
constexpr size_t kDensePanel = 2 * kTileRows;
constexpr size_t kDenseTokenTiles = 3;

static size_t dense_steps(size_t cols) { return (cols + 31) / 32; }

static size_t dense_packed_bytes(size_t tokens, size_t cols) {
  return (tokens + kTileTokens - 1) / kTileTokens * dense_steps(cols) * kTileBytes;
}

static size_t dense_scratch_bytes(size_t, size_t cols) {
  return kDenseRows / kTileRows * dense_steps(cols) * kTileBytes +
         sizeof(float) * (kDensePanel * kDenseTokenTiles * kTileTokens + kDensePanel);
}

/// [M/16][K/32] tiles of 16 tokens x 32 columns, zeros where there is none.
static void dense_pack(const GemmInput& input, size_t first, size_t last, void* packed) {
  const size_t steps = dense_steps(input.cols);
  for (size_t m = first; m < (last + kTileTokens - 1) / kTileTokens * kTileTokens; m++) {
    char* out = (char*)packed + m / kTileTokens * steps * kTileBytes + m % kTileTokens * 64;
    if (m >= last) {
      for (size_t k = 0; k < steps; k++) _mm512_store_si512(out + k * kTileBytes, _mm512_setzero_si512());
      continue;
    }
    const float* x = input.x + (input.rows ? (size_t)input.rows[m] : m) * input.stride;
    for (size_t k = 0; k < steps; k++) {
      const size_t left = input.cols - k * 32;
      const __m512 low = _mm512_maskz_loadu_ps(lanes(left), x + k * 32);
      const __m512 high = left > 16 ? _mm512_maskz_loadu_ps(lanes(left - 16), x + k * 32 + 16) : _mm512_setzero_ps();
      _mm512_store_si512(out + k * kTileBytes, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
  }
}

/// Two row tiles times some token tiles; sum 2t + r belongs to token tile t and row tile r, and begins as the bias.
template <int kTokenTiles>
static void dense_multiply(const char* w, const char* x, size_t steps, const float* bias, float* out, size_t stride) {
  const size_t x_stride = steps * kTileBytes;
  TILE_LOAD(0, bias, 0);
  TILE_LOAD(1, bias + kTileRows, 0);
  if (kTokenTiles > 1) {
    TILE_LOAD(2, bias, 0);
    TILE_LOAD(3, bias + kTileRows, 0);
  }
  if (kTokenTiles > 2) {
    TILE_LOAD(4, bias, 0);
    TILE_LOAD(5, bias + kTileRows, 0);
  }
  for (size_t k = 0; k < steps; k++, w += 2 * kTileBytes, x += kTileBytes) {
    TILE_LOAD(6, x, 64);
    TILE_LOAD(7, w, 64);
    TILE_DOT(0, 6, 7);
    TILE_LOAD(7, w + kTileBytes, 64);
    TILE_DOT(1, 6, 7);
    if (kTokenTiles > 1) {
      TILE_LOAD(6, x + x_stride, 64);
      TILE_DOT(3, 6, 7);
      TILE_LOAD(7, w, 64);
      TILE_DOT(2, 6, 7);
    }
    if (kTokenTiles > 2) {
      TILE_LOAD(6, x + 2 * x_stride, 64);
      TILE_DOT(4, 6, 7);
      TILE_LOAD(7, w + kTileBytes, 64);
      TILE_DOT(5, 6, 7);
    }
  }
  float* const second = out + kTileTokens * stride;
  float* const third = second + kTileTokens * stride;
  TILE_STORE(0, out, stride * 4);
  TILE_STORE(1, out + kTileRows, stride * 4);
  if (kTokenTiles > 1) {
    TILE_STORE(2, second, stride * 4);
    TILE_STORE(3, second + kTileRows, stride * 4);
  }
  if (kTokenTiles > 2) {
    TILE_STORE(4, third, stride * 4);
    TILE_STORE(5, third + kTileRows, stride * 4);
  }
}

/// `unpack(weights, row, last, out, apart)` makes the tiles of 16 rows; the tile of the next 32 columns is `apart` bytes
/// further. Rows from `last` on may be anything finite.
template <typename Weights, void (*unpack)(const Weights&, size_t, size_t, char*, size_t)>
static void dense_run(const Weights& weights, size_t first, size_t last, const void* packed, size_t tokens,
                      const GemmOutput& output, void* scratch) {
  const size_t steps = dense_steps(weights.cols), tiles = (tokens + kTileTokens - 1) / kTileTokens;
  char* const unpacked = (char*)scratch;
  float* const staged = (float*)(unpacked + kDenseRows / kTileRows * steps * kTileBytes);
  float* const bias = staged + kDensePanel * kDenseTokenTiles * kTileTokens;
  configure_tiles();
  for (size_t top = first; top < last; top += kDenseRows) {
    const size_t end = last - top < kDenseRows ? last : top + kDenseRows;
    for (size_t n = top; n < end; n += kDensePanel) {
      char* out = unpacked + (n - top) / kTileRows * steps * kTileBytes;
      unpack(weights, n, last, out, 2 * kTileBytes);
      if (n + kTileRows < last) unpack(weights, n + kTileRows, last, out + kTileBytes, 2 * kTileBytes);
    }
    for (size_t tile = 0; tile < tiles;) {
      const size_t left = tiles - tile, count = left == 4 ? 2 : left < kDenseTokenTiles ? left : kDenseTokenTiles;
      const size_t m = tile * kTileTokens, here = tokens - m < count * kTileTokens ? tokens - m : count * kTileTokens;
      const char* x = (const char*)packed + tile * steps * kTileBytes;
      for (size_t n = top; n < end; n += kDensePanel) {
        const size_t rows = end - n < kDensePanel ? end - n : kDensePanel;
        memset(bias, 0, kDensePanel * sizeof(float));
        if (output.bias) memcpy(bias, output.bias + n, rows * sizeof(float));
        float* const out = output.out + m * output.stride + n;
        const bool is_whole = rows == kDensePanel && here == count * kTileTokens;
        const char* w = unpacked + (n - top) / kTileRows * steps * kTileBytes;
        (count == 3 ? dense_multiply<3> : count == 2 ? dense_multiply<2> : dense_multiply<1>)(
            w, x, steps, bias, is_whole ? out : staged, is_whole ? output.stride : kDensePanel);
        if (!is_whole)
          for (size_t i = 0; i < here; i++) memcpy(out + i * output.stride, staged + i * kDensePanel, rows * sizeof(float));
      }
      tile += count;
    }
  }
  release_tiles();
}

}  // namespace
}  // namespace gptoss
