// v1: unpack a row to floats, dot it with every token. What a compiler makes of the definition.
#include <string.h>

#include "ladder.h"

namespace {

const float kValues[16] = {0, .5f, 1, 1.5f, 2, 3, 4, 6, -0.f, -.5f, -1, -1.5f, -2, -3, -4, -6};

float power_of_two(uint8_t e) {
  const uint32_t bits = e == 0 ? 0x00400000u : (uint32_t)e << 23;
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

size_t packed_bytes(size_t tokens, size_t cols) { return tokens * cols * 4; }
size_t scratch_bytes(size_t, size_t cols) { return cols * 4; }

void pack(const gptoss::GemmInput& in, size_t first, size_t last, void* packed) {
  for (size_t m = first; m < last; m++)
    memcpy((float*)packed + m * in.cols, in.x + (in.rows ? (size_t)in.rows[m] : m) * in.stride, in.cols * 4);
}

void run(const gptoss::Mxfp4& w, size_t first, size_t last, const void* packed, size_t tokens,
         const gptoss::GemmOutput& output, void* scratch) {
  float* row = (float*)scratch;
  const size_t k = w.cols;
  for (size_t n = first; n < last; n++) {
    for (size_t i = 0; i < k; i++) {
      const uint8_t byte = w.blocks[(n * k + i) / 2];
      row[i] = kValues[i % 2 ? byte >> 4 : byte & 15] * power_of_two(w.scales[n * (k / 32) + i / 32]);
    }
    for (size_t m = 0; m < tokens; m++) {
      const float* x = (const float*)packed + m * k;
      float sum[16] = {};
      for (size_t i = 0; i < k; i += 16)
        for (size_t j = 0; j < 16; j++) sum[j] += row[i + j] * x[i + j];
      float total = output.bias ? output.bias[n] : 0;
      for (float s : sum) total += s;
      output.out[m * output.stride + n] = total;
    }
  }
}

}  // namespace

const ladder::Kernel ladder::v1 = {1, 1, 1, 480, packed_bytes, scratch_bytes, pack, run};
