// v5: as v4, with the next panel's bytes fetched from memory while this one is multiplied. A panel is one range of
// memory, so the fetch walks lines in order, a few at each tile step.
#include "amx.h"

namespace {

size_t scratch_bytes(size_t, size_t cols) { return cols / 32 * 2 * amx::kTile + 32 * 32 * 4 + 128; }

/// Walks the lines of a range, a few at a time.
struct Fetch {
  const char* next;
  const char* end;
  inline void step(int lines) {
    for (int i = 0; i < lines; i++, next += 64)
      if (next < end) _mm_prefetch(next, _MM_HINT_T1);
  }
};

template <bool kTwo>
void multiply(const char* a0, const char* a1, const char* b, size_t blocks, const float* bias, float* out, size_t stride, Fetch& fetch, int lines) {
  TILE_LOAD(0, bias, 0);
  TILE_LOAD(1, bias + 16, 0);
  if (kTwo) {
    TILE_LOAD(2, bias, 0);
    TILE_LOAD(3, bias + 16, 0);
  }
  for (size_t k = 0; k < blocks; k++) {
    TILE_LOAD(4, a0 + k * amx::kTile, 64);
    TILE_LOAD(6, b + k * 2 * amx::kTile, 64);
    TILE_LOAD(7, b + k * 2 * amx::kTile + amx::kTile, 64);
    if (kTwo) TILE_LOAD(5, a1 + k * amx::kTile, 64);
    TILE_DOT(0, 4, 6);
    TILE_DOT(1, 4, 7);
    if (kTwo) {
      TILE_DOT(2, 5, 6);
      TILE_DOT(3, 5, 7);
    }
    fetch.step(lines);
  }
  TILE_STORE(0, out, stride * 4);
  TILE_STORE(1, out + 16, stride * 4);
  if (kTwo) {
    TILE_STORE(2, out + 16 * stride, stride * 4);
    TILE_STORE(3, out + 16 * stride + 16, stride * 4);
  }
}

void run(const gptoss::Mxfp4& w, size_t first, size_t last, const void* packed, size_t tokens, const gptoss::GemmOutput& output,
         void* scratch) {
  const size_t blocks = w.cols / 32;
  char* panel = (char*)scratch;
  float* staged = (float*)(panel + blocks * 2 * amx::kTile);
  float* bias = staged + 32 * 32;
  const __m512i table = amx::value_table();
  size_t configured = 0;
  const size_t token_blocks = (tokens + 31) / 32;
  const int lines = (int)((32 * blocks * 16 / 64 + token_blocks * blocks - 1) / (token_blocks * blocks));
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
    const size_t after = n + here, until = after + 32 < last ? after + 32 : last;
    Fetch fetch{(const char*)w.blocks + after * blocks * 16, (const char*)w.blocks + until * blocks * 16};
    for (const uint8_t* s = w.scales + after * blocks; s < w.scales + until * blocks; s += 64) _mm_prefetch((const char*)s, _MM_HINT_T1);
    for (size_t m = 0; m < tokens; m += 32) {
      const size_t count = tokens - m < 32 ? tokens - m : 32;
      if (configured != count) amx::configure(configured = count);
      const char* a0 = (const char*)packed + m / 16 * blocks * amx::kTile;
      const char* a1 = a0 + blocks * amx::kTile;
      float* out = output.out + m * output.stride + n;
      float* target = here == 32 ? out : staged;
      const size_t stride = here == 32 ? output.stride : 32;
      if (count > 16)
        multiply<true>(a0, a1, panel, blocks, bias, target, stride, fetch, lines);
      else
        multiply<false>(a0, a1, panel, blocks, bias, target, stride, fetch, lines);
      if (here != 32)
        for (size_t i = 0; i < count; i++) memcpy(out + i * output.stride, staged + i * 32, here * 4);
    }
  }
  __asm__ volatile("tilerelease" ::);
}

}  // namespace

const ladder::Kernel ladder::v5 = {1, 16, 32, 480, amx::packed_bytes, scratch_bytes, amx::pack, run};
