// v4: bf16 tiles. A panel of 32 rows is unpacked whole (185 KB, second-level cache), then multiplied with every 32
// tokens in turn: 4 tile products for 4 tile loads.
#include "amx.h"

namespace {

size_t scratch_bytes(size_t, size_t cols) { return cols / 32 * 2 * amx::kTile + 32 * 32 * 4 + 128; }

void multiply(const char* a0, const char* a1, const char* b, size_t blocks, size_t tokens, const float* bias, float* out, size_t stride) {
  TILE_LOAD(0, bias, 0);
  TILE_LOAD(1, bias + 16, 0);
  if (tokens > 16) {
    TILE_LOAD(2, bias, 0);
    TILE_LOAD(3, bias + 16, 0);
    for (size_t k = 0; k < blocks; k++) {
      TILE_LOAD(4, a0 + k * amx::kTile, 64);
      TILE_LOAD(6, b + k * 2 * amx::kTile, 64);
      TILE_LOAD(7, b + k * 2 * amx::kTile + amx::kTile, 64);
      TILE_LOAD(5, a1 + k * amx::kTile, 64);
      TILE_DOT(0, 4, 6);
      TILE_DOT(1, 4, 7);
      TILE_DOT(2, 5, 6);
      TILE_DOT(3, 5, 7);
    }
    TILE_STORE(2, out + 16 * stride, stride * 4);
    TILE_STORE(3, out + 16 * stride + 16, stride * 4);
  } else {
    for (size_t k = 0; k < blocks; k++) {
      TILE_LOAD(4, a0 + k * amx::kTile, 64);
      TILE_LOAD(6, b + k * 2 * amx::kTile, 64);
      TILE_LOAD(7, b + k * 2 * amx::kTile + amx::kTile, 64);
      TILE_DOT(0, 4, 6);
      TILE_DOT(1, 4, 7);
    }
  }
  TILE_STORE(0, out, stride * 4);
  TILE_STORE(1, out + 16, stride * 4);
}

void run(const gptoss::Mxfp4& w, size_t first, size_t last, const void* packed, size_t tokens, const gptoss::GemmOutput& output,
         void* scratch) {
  const size_t blocks = w.cols / 32;
  char* panel = (char*)scratch;
  float* staged = (float*)(panel + blocks * 2 * amx::kTile);
  float* bias = staged + 32 * 32;
  const __m512i table = amx::value_table();
  size_t configured = 0;
  for (size_t n = first; n < last; n += 32) {
    for (size_t half = 0; half < 2; half++) {
      const amx::Rows rows = amx::rows_at(w, n + 16 * half, last);
      for (size_t b = 0; b < blocks; b += 4) {
        char* out = panel + b * 2 * amx::kTile + half * amx::kTile;
        if (blocks - b >= 4)
          amx::unpack(rows, b, 4, table, out, 2 * amx::kTile);
        else
          amx::unpack(rows, b, (int)(blocks - b), table, out, 2 * amx::kTile);
      }
    }
    const size_t here = last - n < 32 ? last - n : 32;
    memset(bias, 0, 128);
    if (output.bias) memcpy(bias, output.bias + n, here * 4);
    for (size_t m = 0; m < tokens; m += 32) {
      const size_t count = tokens - m < 32 ? tokens - m : 32;
      if (configured != count) amx::configure(configured = count);
      const char* a = (const char*)packed + m / 16 * blocks * amx::kTile;
      float* out = output.out + m * output.stride + n;
      if (here == 32) {
        multiply(a, a + blocks * amx::kTile, panel, blocks, count, bias, out, output.stride);
      } else {
        multiply(a, a + blocks * amx::kTile, panel, blocks, count, bias, staged, 32);
        for (size_t i = 0; i < count; i++) memcpy(out + i * output.stride, staged + i * 32, here * 4);
      }
    }
  }
  __asm__ volatile("tilerelease" ::);
}

}  // namespace

const ladder::Kernel ladder::v4 = {1, 16, 32, 480, amx::packed_bytes, scratch_bytes, amx::pack, run};
