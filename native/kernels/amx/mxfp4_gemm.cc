// MXFP4 weights times many tokens, in bfloat16 tiles: the weights are unpacked exactly, activations are rounded to
// bfloat16, sums are floats. A token's result does not depend on the tokens beside it.
//
// What bounds it, and so its shape (measured in bench/ladder/):
// - Tiles that come from the second-level cache starve the products, so unpacked weights must stay in the first. A panel
//   of 32 rows is unpacked group by group (128 columns, 8 KB), one group ahead of the products, anew for every pass over
//   up to 48 tokens: the vector units have the time while the tiles are multiplied.
// - 64 bytes of nibbles of a row are 128 columns; as 32 words, nibble j of every word makes a tile row for step j. So
//   tile j holds columns 4w + j, weights need no transposition, and activations are packed in that order.
// - bfloat16 of a nibble is a table of 32 words; a block's scale is added to the exponent. So that zero needs no special
//   case, its entry is a number 2^-60 times its neighbours: far below what a float's sum keeps.
// - A thread's own loads cannot draw memory's full speed, the hardware prefetcher can: it is led along four streams
//   through the next panel.

#include "mxfp4_panel.h"
#include "tables.h"

namespace gptoss {

namespace {

constexpr size_t kSlot = 8 * kTileBytes;           // an unpacked group: [4 steps][2 row tiles]
constexpr size_t kPassTiles = 3;                   // token tiles of one pass
constexpr size_t kChunkTiles = 3 * kPassTiles;     // tokens whose activations stay in the second-level cache
constexpr size_t kSums = 2 * kPassTiles * kTileBytes;
constexpr size_t kStreams = 4;

size_t packed_bytes(size_t tokens, size_t cols) {
  return (tokens + kTileTokens - 1) / kTileTokens * (cols / kBlockCols) * kTileBytes;
}

size_t scratch_bytes(size_t, size_t cols) {
  return 2 * kSlot + 2 * kSums + 2 * panel_words(cols / kBlockCols) * sizeof(uint16_t);
}

// ---------------------------------------------------------------------------------------------------------------
// Activations: [M/16][K/32] tiles of 16 pairs of columns x 16 tokens.

/// Blocks [first, first + count) that are unpacked together: four, and at a row's end two and/or one.
struct Group {
  size_t first, count;
};

Group group_of(size_t block, size_t blocks) {
  const size_t first = block / 4 * 4, left = blocks - first;
  if (left >= 4) return {first, 4};
  if (left >= 2 && block < first + 2) return {first, 2};
  return {blocks - 1, 1};
}

/// Where a group keeps the pair of columns 8·octet + j and 8·octet + 4 + j.
char* place(char* tiles, size_t count, size_t octet, size_t j) {
  switch (count) {
    case 4: return tiles + j * kTileBytes + octet * 64;
    case 2: return tiles + j / 2 * kTileBytes + (j % 2 * 8 + octet) * 64;
    default: return tiles + (j * 4 + octet) * 64;
  }
}

void pack(const GemmInput& input, size_t first, size_t last, void* packed) {
  const size_t blocks = input.cols / kBlockCols;
  const __m512i pairs = _mm512_set_epi16(31, 27, 30, 26, 29, 25, 28, 24, 23, 19, 22, 18, 21, 17, 20, 16, 15, 11, 14, 10, 13, 9,
                                         12, 8, 7, 3, 6, 2, 5, 1, 4, 0);
  for (size_t m = first; m < last; m += kTileTokens) {
    const float* x[kTileTokens];
    const size_t here = last - m < kTileTokens ? last - m : kTileTokens;
    for (size_t i = 0; i < here; i++) x[i] = input.x + (input.rows ? (size_t)input.rows[m + i] : m + i) * input.stride;
    char* tiles = (char*)packed + m / kTileTokens * blocks * kTileBytes;
    for (size_t b = 0; b < blocks; b++) {
      __m512i v[16];
#pragma GCC unroll 16
      for (size_t i = 0; i < 16; i++) {
        v[i] = _mm512_setzero_si512();
        if (i >= here) continue;
        const float* from = x[i] + b * kBlockCols;
        const __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + 16), _mm512_loadu_ps(from));
        v[i] = _mm512_permutexvar_epi16(pairs, (__m512i)both);
      }
      transpose(v);
      const Group group = group_of(b, blocks);
      char* target = tiles + group.first * kTileBytes;
#pragma GCC unroll 16
      for (size_t i = 0; i < 16; i++)
        _mm512_store_si512(place(target, group.count, (b - group.first) * 4 + i / 4, i % 4), v[i]);
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Weights

/// bfloat16 of a nibble, its exponent 127 too small; twice, as an index of 5 bits ignores the fifth.
__m512i make_values() {
  static const uint16_t exponents[8] = {67, 126, 127, 127, 128, 128, 129, 129};
  alignas(64) uint16_t values[32];
  for (int i = 0; i < 32; i++) {
    const int magnitude = i & 7, half = magnitude > 2 && magnitude % 2;
    values[i] = (uint16_t)((exponents[magnitude] - 127) * 128 + (half << 6) + (i & 8 ? 0x8000 : 0));
  }
  return _mm512_load_si512(values);
}

inline void unpack_store(__m512i nibbles, __m512i exponents, __m512i values, char* out) {
  _mm512_store_si512(out, _mm512_add_epi16(_mm512_permutexvar_epi16(nibbles, values), exponents));
}

/// One row of a group: `out` is its place in the first step's tile, steps are two tiles apart.
inline void unpack4(Words x, __m512i values, char* out) {
#pragma GCC unroll 4
  for (unsigned j = 0; j < 4; j++) unpack_store(_mm512_srli_epi16(x.nibbles, 4 * j), x.exponents, values, out + j * 2 * kTileBytes);
}

inline void unpack2(Words x, __m512i values, char* out) {
  const __m512i shifts = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(4), 1);
  const __m512i shifted = _mm512_srlv_epi16(x.nibbles, shifts);
  unpack_store(shifted, x.exponents, values, out);
  unpack_store(_mm512_srli_epi16(shifted, 8), x.exponents, values, out + 2 * kTileBytes);
}

inline void unpack1(Words x, __m512i values, char* out) {
  const __m512i shifts = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_inserti128_si256(_mm256_setzero_si256(), _mm_set1_epi16(4), 1)),
                                            _mm256_inserti128_si256(_mm256_set1_epi16(8), _mm_set1_epi16(12), 1), 1);
  unpack_store(_mm512_srlv_epi16(x.nibbles, shifts), x.exponents, values, out);
}

/// Rows [8 part, 8 part + 8) of the blocks from `block` to the group's end.
template <typename Weights>
struct Unpack {
  const Panel<Weights>* panel;
  size_t block, left;  // blocks to the row's end

  Unpack(const Panel<Weights>* p, size_t first_block, size_t blocks) : panel(p), block(first_block), left(blocks - first_block) {}

  void run(size_t part, __m512i values, char* slot) const {
    const auto rows = panel->rows(part * 8, block), rest = panel->rows(part * 8, block + (left & 2));
    for (size_t r = 0; r < 8; r++) {
      char* out = slot + (part * 8 + r) * 64;
      if (left >= 4) {
        unpack4(rows.four(r), values, out);
        continue;
      }
      if (left & 2) unpack2(rows.two(r), values, out);
      if (left & 1) unpack1(rest.one(r), values, out + (left & 2) * 2 * kTileBytes);
    }
  }
};

// ---------------------------------------------------------------------------------------------------------------
// Beside the products: memory is fetched, and the sums of the pass before are written out.

/// Leads the hardware prefetcher along a range, kStreams lines at a step or a multiple.
struct Fetch {
  const uint8_t* next = nullptr;
  ptrdiff_t jump = 0;  // from half to half
  size_t apart = 0, steps = 0, lines = 0;

  void start(const Extent& extent, size_t over_steps) {
    next = extent.half[0];
    jump = extent.half[1] - extent.half[0];
    apart = (extent.half_bytes / 2 + 63) / 64 * 64;
    lines = (apart / 64 + over_steps - 1) / over_steps;
    steps = apart / 64 / lines;
  }
  void step() {
    if (steps == 0) return;
    steps--;
    for (size_t i = 0; i < lines; i++, next += 64) {
      const char* const streams[kStreams] = {(const char*)next, (const char*)next + apart, (const char*)next + jump,
                                             (const char*)next + jump + apart};
      for (const char* stream : streams) _mm_prefetch(stream, _MM_HINT_T1);
    }
  }
};

struct Results {
  const char* sums = nullptr;  // [tokens/16][2 row tiles]: 16 rows x 16 tokens
  size_t tile = 0, tiles = 0;
  float* out = nullptr;
  size_t stride = 0, rows = 0, tokens = 0;
  const float* bias = nullptr;

  void step() {
    if (tile < tiles) write();
  }
  void finish() {
    while (tile < tiles) write();
  }
  __attribute__((noinline)) void write() {
    const size_t token = tile / 2 * kTileTokens, row = tile % 2 * kTileRows;
    const char* from = sums + tile * kTileBytes;
    tile++;
    if (row >= rows) return;
    __m512i v[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) v[i] = _mm512_load_si512(from + 64 * i);
    transpose(v);
    const __mmask16 mask = lanes(rows - row);
    const __m512 b = bias ? _mm512_maskz_loadu_ps(mask, bias + row) : _mm512_setzero_ps();
    float* to = out + token * stride + row;
    const size_t count = tokens - token;
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++)
      if (i < count) _mm512_mask_storeu_ps(to + i * stride, mask, _mm512_add_ps(_mm512_castsi512_ps(v[i]), b));
  }
};

// ---------------------------------------------------------------------------------------------------------------
// Products

/// One step of 32 columns: two row tiles times the token tiles; sum 2t + r belongs to token tile t and row tile r.
/// `beside(i)` is other work, i = 0..7, spread between the products so that neither waits for the other.
template <int kTokenTiles, typename Beside>
inline __attribute__((always_inline)) void multiply_step(const char* w, const char* x, size_t x_stride, Beside beside) {
  if (kTokenTiles == 1) {
    TILE_LOAD(4, w, 64);
    TILE_LOAD_ONCE(6, x, 64);
    beside(0), beside(1);
    TILE_DOT(0, 4, 6);
    TILE_LOAD(5, w + kTileBytes, 64);
    beside(2), beside(3), beside(4);
    TILE_DOT(1, 5, 6);
    beside(5), beside(6), beside(7);
  } else if (kTokenTiles == 2) {
    TILE_LOAD(4, w, 64);
    TILE_LOAD_ONCE(6, x, 64);
    beside(0);
    TILE_DOT(0, 4, 6);
    TILE_LOAD(5, w + kTileBytes, 64);
    beside(1), beside(2);
    TILE_DOT(1, 5, 6);
    TILE_LOAD_ONCE(7, x + x_stride, 64);
    beside(3), beside(4);
    TILE_DOT(2, 4, 7);
    beside(5), beside(6);
    TILE_DOT(3, 5, 7);
    beside(7);
  } else {
    TILE_LOAD(7, w, 64);
    TILE_LOAD_ONCE(6, x, 64);
    beside(0);
    TILE_DOT(0, 7, 6);
    TILE_LOAD(7, w + kTileBytes, 64);
    beside(1);
    TILE_DOT(1, 7, 6);
    TILE_LOAD_ONCE(6, x + x_stride, 64);
    beside(2), beside(3);
    TILE_DOT(3, 7, 6);
    TILE_LOAD(7, w, 64);
    beside(4);
    TILE_DOT(2, 7, 6);
    TILE_LOAD_ONCE(6, x + 2 * x_stride, 64);
    beside(5);
    TILE_DOT(4, 7, 6);
    TILE_LOAD(7, w + kTileBytes, 64);
    beside(6);
    TILE_DOT(5, 7, 6);
    beside(7);
  }
}

/// What a thread carries from pass to pass.
struct State {
  __m512i values;
  char* slots;   // the group in use and the one being unpacked
  size_t slot;
  Fetch fetch;
  Results results;
};

/// One pass over a panel, whose first group was unpacked before; unpacks the first group of `next` (null if none).
template <int kTokenTiles, typename Weights>
void multiply(const Panel<Weights>& panel, const Panel<Weights>* next, const char* x, size_t blocks, State& state,
              char* sums) {
  const size_t x_stride = blocks * kTileBytes;
  const __m512i values = state.values;
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
  for (size_t block = 0; block < blocks; block += 4) {
    const size_t steps = blocks - block < 4 ? blocks - block : 4;
    const bool is_last = block + 4 >= blocks;
    const Unpack<Weights> unpack(is_last ? next : &panel, is_last ? 0 : block + 4, blocks);
    const char* w = state.slots + state.slot * kSlot;
    state.slot ^= 1;
    char* there = state.slots + state.slot * kSlot;
    if (steps == 4 && unpack.panel && unpack.left >= 4) {
      for (size_t j = 0; j < 4; j++, x += kTileBytes) {
        const auto rows = unpack.panel->rows(8 * j, unpack.block);  // captured as a value, or it stays in memory
        char* out = there + 8 * j * 64;
        multiply_step<kTokenTiles>(w + j * 2 * kTileBytes, x, x_stride, [=](size_t i) __attribute__((always_inline)) {
          unpack4(rows.four(i), values, out + i * 64);
        });
        state.fetch.step();
        state.results.step();
      }
    } else {
      for (size_t j = 0; j < steps; j++, x += kTileBytes) {
        multiply_step<kTokenTiles>(w + j * 2 * kTileBytes, x, x_stride, [](size_t) {});
        if (unpack.panel)
          for (size_t part = 4 * j / steps; part < 4 * (j + 1) / steps; part++) unpack.run(part, values, there);
        state.fetch.step();
        state.results.step();
      }
    }
  }
  state.results.finish();
  TILE_STORE(0, sums, 64);
  TILE_STORE(1, sums + kTileBytes, 64);
  if (kTokenTiles > 1) {
    TILE_STORE(2, sums + 2 * kTileBytes, 64);
    TILE_STORE(3, sums + 3 * kTileBytes, 64);
  }
  if (kTokenTiles > 2) {
    TILE_STORE(4, sums + 4 * kTileBytes, 64);
    TILE_STORE(5, sums + 5 * kTileBytes, 64);
  }
}

/// `whole` cut into the fewest parts of at most `limit`, as even as can be: the size of the first.
size_t even_part(size_t whole, size_t limit) {
  const size_t parts = (whole + limit - 1) / limit;
  return (whole + parts - 1) / parts;
}

template <typename Weights>
void run(const Weights& w, size_t first, size_t last, const void* packed, size_t tokens, const GemmOutput& output,
         void* scratch) {
  const size_t blocks = w.cols / kBlockCols, tiles = (tokens + kTileTokens - 1) / kTileTokens;
  State state = {make_values(), (char*)scratch, 0, {}, {}};
  char* sums[2] = {state.slots + 2 * kSlot, state.slots + 2 * kSlot + kSums};
  uint16_t* words = (uint16_t*)(sums[1] + kSums);
  Panel<Weights> panels[2] = {Panel<Weights>(words), Panel<Weights>(words + panel_words(blocks))};
  Panel<Weights> *panel = &panels[0], *other = &panels[1];

  configure_tiles();
  state.fetch.start(Panel<Weights>::extent(w, first, last - first < kRows ? last : first + kRows), 1);
  state.fetch.step();
  panel->locate(w, first, last);
  for (size_t part = 0; part < 4; part++) Unpack<Weights>(panel, 0, blocks).run(part, state.values, state.slots);
  for (size_t chunk = 0, chunk_tiles; chunk < tiles; chunk += chunk_tiles) {
    chunk_tiles = even_part(tiles - chunk, kChunkTiles);
    const bool is_last_chunk = chunk + chunk_tiles == tiles;
    for (size_t n = first; n < last; n += kRows) {
      const bool is_last_panel = n + kRows >= last;
      const size_t after = is_last_panel ? first : n + kRows, until = after + kRows < last ? after + kRows : last;
      if (!(is_last_panel && is_last_chunk)) {
        const size_t passes = (chunk_tiles + kPassTiles - 1) / kPassTiles;
        state.fetch.start(Panel<Weights>::extent(w, after, until), passes * blocks);
        Panel<Weights>::prefetch_exponents(w, after, until);
      }
      for (size_t tile = 0, count; tile < chunk_tiles; tile += count) {
        count = even_part(chunk_tiles - tile, kPassTiles);
        const Panel<Weights>* next = panel;
        if (tile + count == chunk_tiles) {
          next = is_last_panel && is_last_chunk ? nullptr : other;
          if (next) other->locate(w, after, last);
        }
        const char* x = (const char*)packed + (chunk + tile) * blocks * kTileBytes;
        const auto pass = count == 3 ? multiply<3, Weights> : count == 2 ? multiply<2, Weights> : multiply<1, Weights>;
        pass(*panel, next, x, blocks, state, sums[0]);
        const size_t m = (chunk + tile) * kTileTokens, here = count * kTileTokens;
        state.results.sums = sums[0];
        state.results.tile = 0;
        state.results.tiles = 2 * count;
        state.results.out = output.out + m * output.stride + n;
        state.results.stride = output.stride;
        state.results.rows = last - n < kRows ? last - n : kRows;
        state.results.tokens = tokens - m < here ? tokens - m : here;
        state.results.bias = output.bias ? output.bias + n : nullptr;
        char* used = sums[0];
        sums[0] = sums[1];
        sums[1] = used;
      }
      Panel<Weights>* done = panel;
      panel = other;
      other = done;
    }
  }
  state.results.finish();
  release_tiles();
}

}  // namespace

const Gemm<Mxfp4> kAmxGemmMxfp4 = {kMaxVectors + 1, kTileTokens, kRows, 1440, packed_bytes, scratch_bytes, pack,
                                   run<Mxfp4>};

void amx_gemm_mxfp4_blocks(const Mxfp4Blocks& w, size_t first, size_t last, const void* packed, size_t tokens,
                           const GemmOutput& output, void* scratch) {
  run(w, first, last, packed, tokens, output, scratch);
}

}  // namespace gptoss
