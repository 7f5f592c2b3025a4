// v6: unpacking runs beside the tile products. While the first 32 tokens are multiplied with columns [128 g, +128) of
// the panel, the vector units unpack columns [128 (g + 1), +128) into the first-level cache, and the same lines of the
// next panel are fetched from memory. Later tokens take the unpacked panel from the second-level cache.
#include "amx.h"

namespace {

size_t groups_of(size_t cols) { return (cols + 127) / 128; }
size_t scratch_bytes(size_t, size_t cols) { return groups_of(cols) * 8 * amx::kTile + 32 * 32 * 4 + 128; }

/// Where the 32 rows of a panel lie, and the panel after it.
struct Panel {
  const uint8_t* nibbles;
  const uint8_t* scales;
  uint32_t nibble_offset[32];
  alignas(64) uint32_t scale_offset[32];
  size_t ahead;
  size_t blocks;
};

void locate(Panel& p, const gptoss::Mxfp4& w, size_t n, size_t last) {
  p.blocks = w.cols / 32;
  p.nibbles = w.blocks + n * p.blocks * 16;
  p.scales = w.scales + n * p.blocks;
  for (size_t i = 0; i < 32; i++) {
    const size_t row = n + i < last ? i : last - 1 - n;
    p.nibble_offset[i] = (uint32_t)(row * p.blocks * 16);
    p.scale_offset[i] = (uint32_t)(row * p.blocks);
  }
  p.ahead = n + 64 <= last ? 32 * p.blocks * 16 : 0;
}

struct Columns {
  __m512i nibbles[16];
  __m512i inverse;
};

/// 128 columns of 16 rows, transposed.
inline void load(const Panel& p, size_t group, int half, Columns& c) {
  const size_t left = p.blocks - group * 4;
  const uint8_t* base = p.nibbles + group * 64;
  const uint32_t* offset = p.nibble_offset + 16 * half;
  const __mmask16 mask = left >= 4 ? 0xffff : (__mmask16)((1u << (4 * left)) - 1);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) {
    c.nibbles[i] = _mm512_maskz_loadu_epi32(mask, base + offset[i]);
    _mm_prefetch((const char*)base + offset[i] + p.ahead, _MM_HINT_T1);
  }
  amx::transpose(c.nibbles);
  const uint8_t* scales = p.scales + group * 4;
  __m512i e;
  if (left >= 4) {
    e = _mm512_i32gather_epi32(_mm512_load_si512(p.scale_offset + 16 * half), scales, 1);
  } else {
    alignas(64) uint32_t all[16] = {};
    for (int i = 0; i < 16; i++) memcpy(&all[i], scales + p.scale_offset[16 * half + i], left);
    e = _mm512_load_si512(all);
  }
  c.inverse = _mm512_min_epu8(_mm512_xor_si512(e, _mm512_set1_epi8(-1)), _mm512_set1_epi8((char)250));
}

template <int kBlock>
inline void unpack(const Columns& c, __m512i table, char* out) {
  const __m512i minus_scale = amx::exponent_words(c.inverse, kBlock);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) amx::unpack_columns(c.nibbles[4 * kBlock + i], table, minus_scale, out + kBlock * 2 * amx::kTile + 256 * i);
}

inline void unpack_all(const Columns& c, __m512i table, char* out) {
  unpack<0>(c, table, out);
  unpack<1>(c, table, out);
  unpack<2>(c, table, out);
  unpack<3>(c, table, out);
}

template <bool kTwo>
inline void step(const char* a0, const char* a1, const char* b) {
  TILE_LOAD(4, a0, 64);
  TILE_LOAD(6, b, 64);
  TILE_LOAD(7, b + amx::kTile, 64);
  if (kTwo) TILE_LOAD(5, a1, 64);
  TILE_DOT(0, 4, 6);
  TILE_DOT(1, 4, 7);
  if (kTwo) {
    TILE_DOT(2, 5, 6);
    TILE_DOT(3, 5, 7);
  }
}

template <bool kTwo>
inline void begin(const float* bias) {
  TILE_LOAD(0, bias, 0);
  TILE_LOAD(1, bias + 16, 0);
  if (kTwo) {
    TILE_LOAD(2, bias, 0);
    TILE_LOAD(3, bias + 16, 0);
  }
}

template <bool kTwo>
inline void end(float* out, size_t stride) {
  TILE_STORE(0, out, stride * 4);
  TILE_STORE(1, out + 16, stride * 4);
  if (kTwo) {
    TILE_STORE(2, out + 16 * stride, stride * 4);
    TILE_STORE(3, out + 16 * stride + 16, stride * 4);
  }
}

template <bool kTwo>
void multiply_unpacking(const Panel& p, const char* a0, const char* a1, char* b, const float* bias, float* out, size_t stride) {
  const __m512i table = amx::value_table();
  const size_t groups = (p.blocks + 3) / 4;
  Columns c;
  load(p, 0, 0, c);
  unpack_all(c, table, b);
  load(p, 0, 1, c);
  unpack_all(c, table, b + amx::kTile);
  begin<kTwo>(bias);
  for (size_t g = 0; g + 1 < groups; g++) {
    char* next = b + 8 * amx::kTile;
    load(p, g + 1, 0, c);
    step<kTwo>(a0, a1, b);
    unpack<0>(c, table, next);
    unpack<1>(c, table, next);
    step<kTwo>(a0 + amx::kTile, a1 + amx::kTile, b + 2 * amx::kTile);
    unpack<2>(c, table, next);
    unpack<3>(c, table, next);
    load(p, g + 1, 1, c);
    step<kTwo>(a0 + 2 * amx::kTile, a1 + 2 * amx::kTile, b + 4 * amx::kTile);
    unpack<0>(c, table, next + amx::kTile);
    unpack<1>(c, table, next + amx::kTile);
    step<kTwo>(a0 + 3 * amx::kTile, a1 + 3 * amx::kTile, b + 6 * amx::kTile);
    unpack<2>(c, table, next + amx::kTile);
    unpack<3>(c, table, next + amx::kTile);
    a0 += 4 * amx::kTile, a1 += 4 * amx::kTile, b = next;
  }
  for (size_t k = 4 * groups - 4; k < p.blocks; k++, a0 += amx::kTile, a1 += amx::kTile, b += 2 * amx::kTile) step<kTwo>(a0, a1, b);
  end<kTwo>(out, stride);
}

template <bool kTwo>
void multiply(const char* a0, const char* a1, const char* b, size_t blocks, const float* bias, float* out, size_t stride) {
  begin<kTwo>(bias);
  for (size_t k = 0; k < blocks; k++) step<kTwo>(a0 + k * amx::kTile, a1 + k * amx::kTile, b + k * 2 * amx::kTile);
  end<kTwo>(out, stride);
}

void run(const gptoss::Mxfp4& w, size_t first, size_t last, const void* packed, size_t tokens, const gptoss::GemmOutput& output,
         void* scratch) {
  const size_t blocks = w.cols / 32;
  char* panel = (char*)scratch;
  float* staged = (float*)(panel + groups_of(w.cols) * 8 * amx::kTile);
  float* bias = staged + 32 * 32;
  Panel p;
  size_t configured = 0;
  for (size_t n = first; n < last; n += 32) {
    locate(p, w, n, last);
    const size_t here = last - n < 32 ? last - n : 32;
    memset(bias, 0, 128);
    if (output.bias) memcpy(bias, output.bias + n, here * 4);
    for (size_t m = 0; m < tokens; m += 32) {
      const size_t count = tokens - m < 32 ? tokens - m : 32;
      if (configured != count) amx::configure(configured = count);
      const char* a0 = (const char*)packed + m / 16 * blocks * amx::kTile;
      const char* a1 = a0 + blocks * amx::kTile;
      float* out = output.out + m * output.stride + n;
      float* target = here == 32 ? out : staged;
      const size_t stride = here == 32 ? output.stride : 32;
      if (m == 0)
        (count > 16 ? multiply_unpacking<true> : multiply_unpacking<false>)(p, a0, a1, panel, bias, target, stride);
      else
        (count > 16 ? multiply<true> : multiply<false>)(a0, a1, panel, blocks, bias, target, stride);
      if (here != 32)
        for (size_t i = 0; i < count; i++) memcpy(out + i * output.stride, staged + i * 32, here * 4);
    }
  }
  __asm__ volatile("tilerelease" ::);
}

}  // namespace

const ladder::Kernel ladder::v6 = {1, 16, 32, 480, amx::packed_bytes, scratch_bytes, amx::pack, run};
