// v7: unpacked weights never leave the first-level cache. They are the A tile now, as they lie, without a
// transposition: one cache line of a row (128 columns) becomes a row of four tiles, tile j holding every fourth column.
// For every pass over up to 48 tokens the panel is unpacked anew, group by group, two groups ahead of the products at
// most; the bytes of the next panel are fetched from memory meanwhile.
//
// Zero is unpacked as a number 2^-60 below its block's values: that makes applying the scale one addition.
#include <immintrin.h>
#include <string.h>

#include "ladder.h"

namespace {

constexpr size_t kTile = 1024;
constexpr size_t kRows = 32;          // a panel: two tiles of rows
constexpr size_t kSlot = 8 * kTile;   // one group of a panel: [4 tile steps][2 row tiles]

#define TILE_LOAD(t, p, stride) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t ::"r"(p), "r"((size_t)(stride)) : "memory")
#define TILE_STORE(t, p, stride) __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" ::"r"(p), "r"((size_t)(stride)) : "memory")
#define TILE_DOT(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)
#define TILE_ZERO(c) __asm__ volatile("tilezero %%tmm" #c ::)

size_t packed_bytes(size_t tokens, size_t cols) { return (tokens + 15) / 16 * (cols / 32) * kTile; }

size_t scale_words(size_t blocks) { return (blocks + 3) / 4 * 4; }
size_t scratch_bytes(size_t, size_t cols) { return 2 * kSlot + 6 * kTile + 2 * kRows * scale_words(cols / 32) * 2; }

void transpose(__m512i v[16]) {
  __m512i t[16], u[16];
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    t[i + 2] = _mm512_unpacklo_epi32(v[i + 2], v[i + 3]);
    t[i + 3] = _mm512_unpackhi_epi32(v[i + 2], v[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    u[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    u[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    u[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    u[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const __m512i a = _mm512_shuffle_i32x4(u[i], u[i + 4], 0x88), b = _mm512_shuffle_i32x4(u[i], u[i + 4], 0xdd);
    const __m512i c = _mm512_shuffle_i32x4(u[i + 8], u[i + 12], 0x88), d = _mm512_shuffle_i32x4(u[i + 8], u[i + 12], 0xdd);
    v[i] = _mm512_shuffle_i32x4(a, c, 0x88);
    v[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
    v[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
    v[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Activations

/// Where pair (octet, j) of a group's columns goes: columns 8·octet + j and 8·octet + 4 + j.
/// A group is 4 blocks; what is left over at the end of a row is a group of 2 and/or a group of 1.
char* place(char* group, size_t blocks, size_t octet, size_t j) {
  if (blocks == 4) return group + j * kTile + octet * 64;
  if (blocks == 2) return group + j / 2 * kTile + (j % 2 * 8 + octet) * 64;
  return group + (j * 4 + octet) * 64;
}

void pack(const gptoss::GemmInput& in, size_t first, size_t last, void* packed) {
  const size_t blocks = in.cols / 32;
  const __m512i pairs = _mm512_set_epi16(31, 27, 30, 26, 29, 25, 28, 24, 23, 19, 22, 18, 21, 17, 20, 16, 15, 11, 14, 10, 13, 9, 12, 8, 7,
                                         3, 6, 2, 5, 1, 4, 0);
  for (size_t m = first; m < last; m += 16) {
    const float* x[16];
    const size_t here = last - m < 16 ? last - m : 16;
    for (size_t i = 0; i < here; i++) x[i] = in.x + (in.rows ? (size_t)in.rows[m + i] : m + i) * in.stride;
    char* out = (char*)packed + m / 16 * blocks * kTile;
    for (size_t b = 0; b < blocks; b++) {
      const size_t left = blocks - b / 4 * 4, in_group = b % 4;
      const size_t size = left >= 4 ? 4 : in_group < (left & 2) ? 2 : 1;
      const size_t start = left >= 4 || in_group < (left & 2) ? b / 4 * 4 : b / 4 * 4 + (left & 2);
      __m512i v[16];
#pragma GCC unroll 16
      for (size_t i = 0; i < 16; i++)
        v[i] = i < here ? _mm512_permutexvar_epi16(
                              pairs, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x[i] + b * 32 + 16), _mm512_loadu_ps(x[i] + b * 32)))
                        : _mm512_setzero_si512();
      transpose(v);
#pragma GCC unroll 16
      for (size_t i = 0; i < 16; i++) _mm512_store_si512(place(out + start * kTile, size, (b - start) * 4 + i / 4, i % 4), v[i]);
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Weights

struct Panel {
  const uint8_t* nibbles;
  uint16_t* scales;         // [32][scale_words]: exponent << 7
  uint32_t offset[kRows];   // of a row's nibbles; rows past the end repeat the last
};

/// bf16 of the 16 nibble values less 127 << 7, twice: an index of 5 bits ignores the fifth. Adding e << 7 scales.
__m512i value_table() {
  alignas(64) uint16_t table[32];
  const uint16_t values[8] = {(uint16_t)(67 << 7), 126 << 7, 127 << 7, 127 << 7 | 64, 128 << 7, 128 << 7 | 64, 129 << 7, 129 << 7 | 64};
  for (int i = 0; i < 32; i++) table[i] = (uint16_t)((values[i & 7] - (127 << 7)) + (i & 8 ? 0x8000 : 0));
  return _mm512_load_si512(table);
}

void locate(Panel& p, const gptoss::Mxfp4& w, size_t n, size_t last) {
  const size_t blocks = w.cols / 32, words = scale_words(blocks);
  p.nibbles = w.blocks + n * blocks * 16;
  for (size_t r = 0; r < kRows; r++) {
    const size_t row = n + r < last ? r : last - 1 - n;
    p.offset[r] = (uint32_t)(row * blocks * 16);
    const uint8_t* from = w.scales + (n + row) * blocks;
    uint16_t* to = p.scales + r * words;
    for (size_t b = 0; b < blocks; b += 32) {
      const __mmask32 mask = blocks - b < 32 ? (1u << (blocks - b)) - 1 : 0xffffffffu;
      const __m256i e = _mm256_max_epu8(_mm256_maskz_loadu_epi8(mask, from + b), _mm256_set1_epi8(61));
      _mm512_mask_storeu_epi16(to + b, mask, _mm512_slli_epi16(_mm512_cvtepu8_epi16(e), 7));
    }
  }
}

/// The scale word of lane l's block in every word of lane l.
__m512i spread4() {
  return _mm512_set_epi16(0x0706, 0x0706, 0x0706, 0x0706, 0x0706, 0x0706, 0x0706, 0x0706, 0x0504, 0x0504, 0x0504, 0x0504, 0x0504, 0x0504,
                          0x0504, 0x0504, 0x0302, 0x0302, 0x0302, 0x0302, 0x0302, 0x0302, 0x0302, 0x0302, 0x0100, 0x0100, 0x0100, 0x0100,
                          0x0100, 0x0100, 0x0100, 0x0100);
}

struct Tables {
  __m512i values, spread;
};

inline void unpack4(const uint8_t* nibbles, const uint16_t* scales, const Tables& t, char* out) {
  int64_t words;
  memcpy(&words, scales, 8);
  const __m512i scale = _mm512_shuffle_epi8(_mm512_set1_epi64(words), t.spread);
  const __m512i x = _mm512_loadu_si512(nibbles);
#pragma GCC unroll 4
  for (unsigned j = 0; j < 4; j++)
    _mm512_store_si512(out + j * 2 * kTile, _mm512_add_epi16(_mm512_permutexvar_epi16(_mm512_srli_epi16(x, 4 * j), t.values), scale));
}

inline void unpack2(const uint8_t* nibbles, const uint16_t* scales, const Tables& t, char* out) {
  int32_t words;
  memcpy(&words, scales, 4);
  const __m512i scale = _mm512_shuffle_epi8(_mm512_set1_epi32(words), _mm512_broadcast_i64x4(_mm512_castsi512_si256(t.spread)));
  const __m512i shifts = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(4), 1);
  const __m512i x = _mm512_srlv_epi16(_mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i*)nibbles)), shifts);
  _mm512_store_si512(out, _mm512_add_epi16(_mm512_permutexvar_epi16(x, t.values), scale));
  _mm512_store_si512(out + 2 * kTile, _mm512_add_epi16(_mm512_permutexvar_epi16(_mm512_srli_epi16(x, 8), t.values), scale));
}

inline void unpack1(const uint8_t* nibbles, const uint16_t* scales, const Tables& t, char* out) {
  const __m512i shifts = _mm512_set_epi64(0x000c000c000c000c, 0x000c000c000c000c, 0x0008000800080008, 0x0008000800080008, 0x0004000400040004,
                                          0x0004000400040004, 0, 0);
  const __m512i x = _mm512_srlv_epi16(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)nibbles)), shifts);
  _mm512_store_si512(out, _mm512_add_epi16(_mm512_permutexvar_epi16(x, t.values), _mm512_set1_epi16((short)scales[0])));
}

/// Rows [first, last) of group `group` of a panel into a slot.
inline __attribute__((always_inline)) void unpack_rows(const Panel& p, size_t blocks, size_t group, size_t first, size_t last, const Tables& t,
                                                       char* slot) {
  const uint8_t* nibbles = p.nibbles + group * 64;
  const uint16_t* scales = p.scales + group * 4;
  const size_t words = scale_words(blocks), left = blocks - group * 4;
  char* out = slot;
  if (left >= 4) {
#pragma GCC unroll 8
    for (size_t r = first; r < last; r++) unpack4(nibbles + p.offset[r], scales + r * words, t, out + r * 64);
  } else {
    for (size_t r = first; r < last; r++) {
      if (left & 2) unpack2(nibbles + p.offset[r], scales + r * words, t, out + r * 64);
      if (left & 1) unpack1(nibbles + p.offset[r] + (left & 2) * 16, scales + r * words + (left & 2), t, out + r * 64 + (left & 2) * 2 * kTile);
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Products

/// Lines of memory to fetch, a few at a time.
struct Fetch {
  const uint8_t* next;
  const uint8_t* end;
  const uint8_t* then;
  const uint8_t* then_end;
  int lines;
  inline void step() {
    for (int i = 0; i < lines; i++) {
      if (next < end) {
        _mm_prefetch((const char*)next, _MM_HINT_T1);
        next += 64;
      } else if (then < then_end) {
        next = then, end = then_end, then = then_end;
      }
    }
  }
};

/// C tile 2·t + r is row tile r times token tile t.
template <int kTokenTiles>
inline void step(const char* weights, const char* x, size_t x_stride) {
  if (kTokenTiles == 1) {
    TILE_LOAD(4, weights, 64);
    TILE_LOAD(6, x, 64);
    TILE_LOAD(5, weights + kTile, 64);
    TILE_DOT(0, 4, 6);
    TILE_DOT(1, 5, 6);
  } else if (kTokenTiles == 2) {
    TILE_LOAD(4, weights, 64);
    TILE_LOAD(6, x, 64);
    TILE_LOAD(5, weights + kTile, 64);
    TILE_LOAD(7, x + x_stride, 64);
    TILE_DOT(0, 4, 6);
    TILE_DOT(1, 5, 6);
    TILE_DOT(2, 4, 7);
    TILE_DOT(3, 5, 7);
  } else {
    TILE_LOAD(7, weights, 64);
    TILE_LOAD(6, x, 64);
    TILE_DOT(0, 7, 6);
    TILE_LOAD(7, weights + kTile, 64);
    TILE_DOT(1, 7, 6);
    TILE_LOAD(6, x + x_stride, 64);
    TILE_DOT(3, 7, 6);
    TILE_LOAD(7, weights, 64);
    TILE_DOT(2, 7, 6);
    TILE_LOAD(6, x + 2 * x_stride, 64);
    TILE_DOT(4, 7, 6);
    TILE_LOAD(7, weights + kTile, 64);
    TILE_DOT(5, 7, 6);
  }
}

struct Pass {
  const Panel* panel;       // its first group is in slot 0 already
  const Panel* next;        // what the pass after this one needs first, or null
  const char* x;
  size_t blocks;
  Tables tables;
  char* slots;
  char* sums;
};

/// One pass; returns with the next panel's first group in slot `slot`.
template <int kTokenTiles>
void multiply(const Pass& pass, int& slot, Fetch& fetch) {
  const size_t blocks = pass.blocks, groups = blocks / 4, x_stride = blocks * kTile;
  const Tables tables = pass.tables;
  const char* x = pass.x;
  TILE_ZERO(0);
  TILE_ZERO(1);
  if (kTokenTiles > 1) {
    TILE_ZERO(2);
    TILE_ZERO(3);
  }
  if (kTokenTiles > 2) {
    TILE_ZERO(4);
    TILE_ZERO(5);
  }
  for (size_t g = 0; g < groups; g++) {
    const char* here = pass.slots + slot * kSlot;
    char* there = pass.slots + (slot ^ 1) * kSlot;
    const bool inside = (g + 1) * 4 < blocks;
    const Panel* panel = inside ? pass.panel : pass.next;
    const size_t group = inside ? g + 1 : 0;
    for (size_t j = 0; j < 4; j++, x += kTile) {
      step<kTokenTiles>(here + j * 2 * kTile, x, x_stride);
      if (panel) unpack_rows(*panel, blocks, group, j * 8, j * 8 + 8, tables, there);
      fetch.step();
    }
    slot ^= 1;
  }
  if (blocks % 4) {
    const char* here = pass.slots + slot * kSlot;
    char* there = pass.slots + (slot ^ 1) * kSlot;
    for (size_t j = 0; j < blocks % 4; j++, x += kTile) {
      step<kTokenTiles>(here + j * 2 * kTile, x, x_stride);
      if (pass.next)
        for (size_t r = j * 32 / (blocks % 4) / 8 * 8; r < (j + 1) * 32 / (blocks % 4) / 8 * 8; r += 8)
          unpack_rows(*pass.next, blocks, 0, r, r + 8, tables, there);
      fetch.step();
    }
    slot ^= 1;
  }
  TILE_STORE(0, pass.sums, 64);
  TILE_STORE(1, pass.sums + kTile, 64);
  if (kTokenTiles > 1) {
    TILE_STORE(2, pass.sums + 2 * kTile, 64);
    TILE_STORE(3, pass.sums + 3 * kTile, 64);
  }
  if (kTokenTiles > 2) {
    TILE_STORE(4, pass.sums + 4 * kTile, 64);
    TILE_STORE(5, pass.sums + 5 * kTile, 64);
  }
}

void write(const char* sums, size_t tokens, size_t rows, const float* bias, float* out, size_t stride) {
  for (size_t t = 0; t < tokens; t += 16)
    for (size_t half = 0; half < 2 && half * 16 < rows; half++, sums += kTile) {
      __m512i v[16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; i++) v[i] = _mm512_load_si512(sums + 64 * i);
      transpose(v);
      const __mmask16 mask = rows - half * 16 >= 16 ? 0xffff : (__mmask16)((1u << (rows - half * 16)) - 1);
      const __m512 b = bias ? _mm512_maskz_loadu_ps(mask, bias + half * 16) : _mm512_setzero_ps();
      float* to = out + t * stride + half * 16;
#pragma GCC unroll 16
      for (size_t i = 0; i < 16; i++)
        if (t + i < tokens) _mm512_mask_storeu_ps(to + i * stride, mask, _mm512_add_ps(_mm512_castsi512_ps(v[i]), b));
      if (half == 0 && rows <= 16) sums += kTile;
    }
}

void run(const gptoss::Mxfp4& w, size_t first, size_t last, const void* packed, size_t tokens, const gptoss::GemmOutput& output,
         void* scratch) {
  alignas(64) uint8_t config[64] = {1};
  for (int i = 0; i < 8; i++) config[16 + 2 * i] = 64, config[48 + i] = 16;
  __asm__ volatile("ldtilecfg %0" ::"m"(config));
  const size_t blocks = w.cols / 32;
  Panel panels[2];
  Pass pass;
  pass.blocks = blocks;
  pass.tables = {value_table(), spread4()};
  pass.slots = (char*)scratch;
  pass.sums = pass.slots + 2 * kSlot;
  panels[0].scales = (uint16_t*)(pass.sums + 6 * kTile);
  panels[1].scales = panels[0].scales + kRows * scale_words(blocks);

  const size_t tiles = (tokens + 15) / 16;
  const size_t passes = (tiles + 2) / 3;
  int current = 0, slot = 0;
  locate(panels[0], w, first, last);
  unpack_rows(panels[0], blocks, 0, 0, 32, pass.tables, pass.slots);
  for (size_t n = first; n < last; n += kRows, current ^= 1) {
    const size_t after = n + kRows, until = after + kRows < last ? after + kRows : last;
    Fetch fetch = {nullptr, nullptr, nullptr, nullptr, 0};
    if (after < last) {
      fetch = {w.blocks + after * blocks * 16, w.blocks + until * blocks * 16, w.scales + after * blocks, w.scales + until * blocks, 0};
      fetch.lines = (int)((kRows * blocks * 17 / 64 + passes * blocks) / (passes * blocks));
    }
    pass.panel = &panels[current];
    for (size_t i = 0, tile = 0; i < passes; i++) {
      const size_t count = (tiles - tile + (passes - i) - 1) / (passes - i);
      if (i + 1 < passes) {
        pass.next = pass.panel;
      } else if (after < last) {
        locate(panels[current ^ 1], w, after, last);
        pass.next = &panels[current ^ 1];
      } else {
        pass.next = nullptr;
      }
      pass.x = (const char*)packed + tile * blocks * kTile;
      (count == 3 ? multiply<3> : count == 2 ? multiply<2> : multiply<1>)(pass, slot, fetch);
      const size_t m = tile * 16, here = tokens - m < count * 16 ? tokens - m : count * 16;
      write(pass.sums, here, last - n < kRows ? last - n : kRows, output.bias ? output.bias + n : nullptr, output.out + m * output.stride + n,
            output.stride);
      tile += count;
    }
  }
  __asm__ volatile("tilerelease" ::);
}

}  // namespace

const ladder::Kernel ladder::v7 = {1, 16, 32, 480, packed_bytes, scratch_bytes, pack, run};
