// MXFP4 experts times many tokens: 16 rows become a panel of signed bytes, which all tokens then use.

#include "int8.h"

namespace gptoss {
namespace {

/// 4 rows of 16 bytes to 4 vectors, each 4 bytes of every row.
inline void store_columns(const int8x16_t* rows, uint8_t* out) {
  int32x4_t words[4];
  for (size_t i = 0; i < 4; i++) words[i] = vreinterpretq_s32_s8(rows[i]);
  const int64x2_t a = vreinterpretq_s64_s32(vtrn1q_s32(words[0], words[1]));
  const int64x2_t b = vreinterpretq_s64_s32(vtrn2q_s32(words[0], words[1]));
  const int64x2_t c = vreinterpretq_s64_s32(vtrn1q_s32(words[2], words[3]));
  const int64x2_t d = vreinterpretq_s64_s32(vtrn2q_s32(words[2], words[3]));
  vst1q_u8(out, vreinterpretq_u8_s64(vtrn1q_s64(a, c)));
  vst1q_u8(out + 64, vreinterpretq_u8_s64(vtrn1q_s64(b, d)));
  vst1q_u8(out + 128, vreinterpretq_u8_s64(vtrn2q_s64(a, c)));
  vst1q_u8(out + 192, vreinterpretq_u8_s64(vtrn2q_s64(b, d)));
}

struct Format {
  static constexpr bool kIsSplit = true;
  static constexpr float kActivationScale = 0.5f;  // the weights' values are doubled
  static int32_t start(const int8_t*) { return 0; }

  static Panel unpack(const Mxfp4& weights, size_t row, uint8_t* values, float* scales) {
    const size_t row_bytes = weights.cols / 2;
    for (size_t r = 0; r < kPanelRows; r += 4) {
      const uint8_t* rows[4];
      for (size_t i = 0; i < 4; i++) {
        const size_t present = row + r + i < weights.rows ? row + r + i : weights.rows - 1;
        rows[i] = weights.blocks + present * row_bytes;
      }
      for (size_t offset = 0; offset < row_bytes; offset += 16) {
        int8x16_t even[4], odd[4];
        for (size_t i = 0; i < 4; i++) {
          if (offset % 64 == 0) __builtin_prefetch(rows[i] + offset + 4 * row_bytes);
          const uint8x16_t bytes = vld1q_u8(rows[i] + offset);
          even[i] = low_nibbles(bytes);
          odd[i] = high_nibbles(bytes);
        }
        store_columns(even, values + offset * 32 + 4 * r);
        store_columns(odd, values + offset * 32 + 256 + 4 * r);
      }
    }
    mxfp4_panel_scales(weights, row, scales);
    return {values, scales};
  }

  static void multiply(const Panel& panel, const TokenBlock* tokens, size_t blocks, float out[][kPanelRows]) {
    multiply_tile(panel, tokens, blocks, [](const uint8_t* p) { return vreinterpretq_s8_u8(vld1q_u8(p)); }, out);
  }
};

}  // namespace

extern const Gemm<Mxfp4> kNeonGemmMxfp4 = int8_gemm<Format, Mxfp4>(5);

}  // namespace gptoss
