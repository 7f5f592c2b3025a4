// Panels of 32 rows of MXFP4 in either layout of a file, as they are unpacked into tiles: vectors of nibbles, and for every
// word of one its block's exponent.

#pragma once

#include "tiles.h"

namespace gptoss {
namespace {

constexpr size_t kRows = 2 * kTileRows;

/// A scale under 2^(61 - 127) counts as that: the unpacker's zero needs the room.
constexpr uint8_t kSmallestExponent = 61;

inline size_t padded_blocks(size_t blocks) { return (blocks + 3) / 4 * 4; }
/// What a panel needs beside itself.
inline size_t panel_words(size_t blocks) { return kRows * padded_blocks(blocks); }

/// Four blocks, or two or one repeated; exponents are shifted to their place in a bfloat16.
struct Words {
  __m512i nibbles, exponents;
};

inline __m512i two_blocks(const uint8_t* first, const uint8_t* second) {
  const __m256i both = _mm256_loadu2_m128i((const __m128i*)second, (const __m128i*)first);
  return _mm512_broadcast_i64x4(both);
}
inline __m512i one_block(const uint8_t* from) { return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)from)); }
inline __m512i two_exponents(uint16_t first, uint16_t second) {
  return _mm512_mask_set1_epi16(_mm512_set1_epi16((short)first), 0xff00ff00, (short)second);
}

/// The memory of a panel, in two halves.
struct Extent {
  const uint8_t* half[2];
  size_t half_bytes;
};

/// `row` of rows [n, last), the last of which is repeated.
inline size_t panel_row(size_t row, size_t n, size_t last) { return n + row < last ? n + row : last - 1; }

template <typename Weights>
struct Panel;

/// Safetensors: exponents lie apart, and are made ready once for all passes.
template <>
struct Panel<Mxfp4> {
  const uint8_t* start[kRows];
  uint16_t* exponents;  // [32][stride]
  size_t stride = 0;

  /// `memory` is panel_words() long.
  explicit Panel(uint16_t* memory) : exponents(memory) {}

  void locate(const Mxfp4& w, size_t n, size_t last) {
    const size_t blocks = w.cols / kBlockCols;
    stride = padded_blocks(blocks);
    for (size_t r = 0; r < kRows; r++) {
      const size_t row = panel_row(r, n, last);
      start[r] = w.blocks + row * blocks * 16;
      const uint8_t* from = w.scales + row * blocks;
      uint16_t* to = exponents + r * stride;
      for (size_t b = 0; b < blocks; b += 32) {
        const __mmask32 mask = blocks - b < 32 ? (1u << (blocks - b)) - 1 : 0xffffffffu;
        const __m256i e = _mm256_max_epu8(_mm256_maskz_loadu_epi8(mask, from + b), _mm256_set1_epi8(kSmallestExponent));
        _mm512_mask_storeu_epi16(to + b, mask, _mm512_slli_epi16(_mm512_cvtepu8_epi16(e), 7));
      }
    }
  }

  /// Rows from `row` on, at `block`.
  struct Rows {
    const uint8_t* const* start;
    const uint16_t* exponents;
    size_t skip, stride;

    Words four(size_t r) const {
      const int a = 0x01000100, b = 0x03020302, c = 0x05040504, d = 0x07060706;
      int64_t words;
      memcpy(&words, exponents + r * stride, 8);
      const __m512i spread = _mm512_setr_epi32(a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d);
      return {_mm512_loadu_si512(start[r] + skip), _mm512_shuffle_epi8(_mm512_set1_epi64(words), spread)};
    }
    Words two(size_t r) const {
      const uint8_t* from = start[r] + skip;
      const uint16_t* e = exponents + r * stride;
      return {two_blocks(from, from + 16), two_exponents(e[0], e[1])};
    }
    Words one(size_t r) const {
      return {one_block(start[r] + skip), _mm512_set1_epi16((short)exponents[r * stride])};
    }
  };
  Rows rows(size_t row, size_t block) const { return {start + row, exponents + block + row * stride, block * 16, stride}; }

  static Extent extent(const Mxfp4& w, size_t first, size_t last) {
    const size_t row_bytes = w.cols / kBlockCols * 16, half = (last - first) * row_bytes / 2;
    const uint8_t* from = w.blocks + first * row_bytes;
    return {{from, from + half}, half};
  }
  static void prefetch_exponents(const Mxfp4& w, size_t first, size_t last) {
    const size_t blocks = w.cols / kBlockCols;
    for (size_t i = first * blocks; i < last * blocks; i += 64) _mm_prefetch((const char*)w.scales + i, _MM_HINT_T1);
  }
};

/// GGUF: exponents lie among the nibbles, and come with them.
template <>
struct Panel<Mxfp4Blocks> {
  static constexpr size_t kBytes = Mxfp4Blocks::kBlockBytes;
  const uint8_t* start[kRows];

  explicit Panel(uint16_t*) {}

  void locate(const Mxfp4Blocks& w, size_t n, size_t last) {
    for (size_t r = 0; r < kRows; r++) start[r] = w.row(panel_row(r, n, last));
  }

  struct Rows {
    const uint8_t* const* start;
    size_t skip;

    static uint16_t exponent(const uint8_t* block) {
      return (uint16_t)((*block < kSmallestExponent ? kSmallestExponent : *block) << 7);
    }
    Words four(size_t r) const {
      // Exponent i is byte i of 128-bit lane i: to the high bytes of the lane's words.
      const int a = 0x00800080, b = 0x01800180, c = 0x02800280, d = 0x03800380;
      const __m512i spread = _mm512_setr_epi32(a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d);
      // Three blocks end within the first 64 bytes.
      const __m512i places = _mm512_setr_epi64(0x0807060504030201, 0x100f0e0d0c0b0a09, 0x1918171615141312, 0x21201f1e1d1c1b1a,
                                               0x2a29282726252423, 0x3231302f2e2d2c2b, 0, 0);
      const uint8_t* from = start[r] + skip;
      const __m512i bytes = _mm512_loadu_si512(from), three = _mm512_permutexvar_epi8(places, bytes);
      const __m128i fourth = _mm_loadu_si128((const __m128i*)(from + 3 * kBytes + 1));
      const __m512i least = _mm512_set1_epi16(kSmallestExponent << 8);
      const __m512i exponents = _mm512_max_epu8(_mm512_shuffle_epi8(bytes, spread), least);
      return {_mm512_inserti32x4(three, fourth, 3), _mm512_srli_epi16(exponents, 1)};
    }
    Words two(size_t r) const {
      const uint8_t* from = start[r] + skip;
      return {two_blocks(from + 1, from + kBytes + 1), two_exponents(exponent(from), exponent(from + kBytes))};
    }
    Words one(size_t r) const {
      const uint8_t* from = start[r] + skip;
      return {one_block(from + 1), _mm512_set1_epi16((short)exponent(from))};
    }
  };
  Rows rows(size_t row, size_t block) const { return {start + row, block * kBytes}; }

  static Extent extent(const Mxfp4Blocks& w, size_t first, size_t last) {
    const size_t half = (last - first) * w.row_bytes() / 2;
    const uint8_t* from = w.row(first);
    return {{from, w.parts == 2 ? w.row(first + 1) : from + half}, half};
  }
  static void prefetch_exponents(const Mxfp4Blocks&, size_t, size_t) {}
};

}  // namespace
}  // namespace gptoss
