// Random weights in each of the kernels' layouts, with the values they stand for.

#pragma once

#include "support.h"

namespace gptoss::testing {

enum class Kind {
  kRandom,
  /// Largest magnitudes only, so that whatever can saturate does; such activations are exact in 8 bits.
  kExtreme,
};

inline float weight_value(Random& random, Kind kind) {
  return kind == Kind::kRandom ? random.normal() : random.bits() % 2 ? 1.0f : -1.0f;
}

/// Values [N, K] as the layout gives them back, whatever it rounded.
struct Values {
  size_t rows, cols;
  std::vector<float> values;
  float at(size_t n, size_t k) const { return values[n * cols + k]; }
};

struct RandomMxfp4 {
  Guarded<uint8_t> blocks, scales;
  Values exact;
  Mxfp4 weights() const { return {blocks.data(), scales.data(), exact.rows, exact.cols}; }
};

struct Exponents {
  size_t least, most;
};

inline RandomMxfp4 random_mxfp4(Random& random, size_t rows, size_t cols, Kind kind, Exponents exponents) {
  static const float kValues[16] = {0, .5f, 1, 1.5f, 2, 3, 4, 6, -0.f, -.5f, -1, -1.5f, -2, -3, -4, -6};
  RandomMxfp4 made = {Guarded<uint8_t>(rows * cols / 2), Guarded<uint8_t>(rows * cols / 32),
                      {rows, cols, std::vector<float>(rows * cols)}};
  const bool is_one_sided = random.bits() % 2;  // all sums as large as they get
  for (size_t i = 0; i < rows * cols / 2; i++)
    made.blocks[i] = static_cast<uint8_t>(kind == Kind::kRandom ? random.bits() >> 24
                                          : is_one_sided        ? 0x77
                                                                : random.one_of({0x77, 0x7f, 0xf7, 0xff}));
  for (size_t i = 0; i < rows * cols / 32; i++)
    made.scales[i] = kind == Kind::kRandom && random.bits() % 16 == 0 ? 0 : static_cast<uint8_t>(random.between(exponents.least, exponents.most));
  for (size_t i = 0; i < rows * cols; i++) {
    const uint8_t byte = made.blocks[i / 2];
    made.exact.values[i] = std::ldexp(kValues[i % 2 ? byte >> 4 : byte & 15], made.scales[i / 32] - 127);
  }
  return made;
}

inline RandomMxfp4 random_mxfp4(Random& random, size_t rows, size_t cols, Kind kind) {
  return random_mxfp4(random, rows, cols, kind, {122, 130});
}

/// The same weights in the blocks of a GGUF file, rows dealt out to its parts, in memory that ends where they do.
struct GgufBlocks {
  std::vector<Guarded<uint8_t>> parts;
  Mxfp4Blocks weights;
};

inline GgufBlocks gguf_blocks(const RandomMxfp4& from, size_t parts, bool pairs_halves) {
  const size_t rows = from.exact.rows, blocks = from.exact.cols / 32;
  GgufBlocks made = {{}, {{nullptr, nullptr}, parts, rows, from.exact.cols}};
  for (size_t part = 0; part < parts; part++) {
    made.parts.emplace_back(rows / parts * made.weights.row_bytes());
    made.weights.part[part] = made.parts[part].data();
  }
  for (size_t row = 0; row < rows; row++) {
    for (size_t b = 0; b < blocks; b++) {
      uint8_t* to = made.parts[row % parts].data() + (row / parts * blocks + b) * Mxfp4Blocks::kBlockBytes;
      const uint8_t* bytes = from.blocks.data() + (row * blocks + b) * 16;
      const auto nibble = [&](size_t element) { return element % 2 ? bytes[element / 2] >> 4 : bytes[element / 2] & 15; };
      to[0] = from.scales.data()[row * blocks + b];
      for (size_t j = 0; j < 16; j++)
        to[1 + j] = pairs_halves ? static_cast<uint8_t>(nibble(j) | nibble(j + 16) << 4) : bytes[j];
    }
  }
  return made;
}

struct RandomDense8 {
  Guarded<uint8_t> values;
  Guarded<uint8_t> scales;
  Values exact;
  Dense8 weights() const {
    return {values.data(), reinterpret_cast<const uint16_t*>(scales.data()), exact.rows, exact.cols};
  }
};

inline RandomDense8 random_dense8(Random& random, size_t rows, size_t cols, Kind kind) {
  const size_t panels = (rows + 15) / 16, padded = (cols + 63) / 64 * 64;
  RandomDense8 made = {aligned_bytes(panels * 16 * padded), aligned_bytes(panels * 16 * padded / 32 * 2),
                       {rows, cols, std::vector<float>(rows * cols)}};
  auto* scales = reinterpret_cast<uint16_t*>(made.scales.data());
  std::memset(made.values.data(), 128, made.values.size());
  std::memset(made.scales.data(), 0, made.scales.size());
  const bool is_one_sided = random.bits() % 2;
  for (size_t n = 0; n < rows; n++) {
    for (size_t k = 0; k < cols; k++) {
      uint16_t* scale = scales + n / 16 * (padded / 32) * 16 + k / 32 * 16 + n % 16;
      if (k % 32 == 0) *scale = to_bf16(0.01f + 0.01f * std::fabs(random.uniform()));
      const int extreme = is_one_sided || random.bits() % 2 ? 127 : -127;
      const int value = kind == Kind::kRandom ? static_cast<int>(random.between(0, 254)) - 127 : extreme;
      made.values[n / 16 * 16 * padded + k / 4 * 64 + n % 16 * 4 + k % 4] = static_cast<uint8_t>(value + 128);
      made.exact.values[n * cols + k] = static_cast<float>(value) * from_bf16(*scale);
    }
  }
  return made;
}

struct RandomBf16 {
  Guarded<uint8_t> values;
  Values exact;
  DenseBf16 weights() const { return {values.data(), exact.rows, exact.cols}; }
};

inline RandomBf16 random_bf16(Random& random, size_t rows, size_t cols, Kind kind) {
  RandomBf16 made = {Guarded<uint8_t>(2 * rows * cols), {rows, cols, std::vector<float>(rows * cols)}};
  for (size_t i = 0; i < rows * cols; i++) {
    const uint16_t bits = to_bf16(weight_value(random, kind));
    std::memcpy(made.values.data() + 2 * i, &bits, 2);
    made.exact.values[i] = from_bf16(bits);
  }
  return made;
}

struct RandomF32 {
  Guarded<uint8_t> values;
  Values exact;
  DenseF32 weights() const { return {values.data(), exact.rows, exact.cols}; }
};

inline RandomF32 random_f32(Random& random, size_t rows, size_t cols, Kind kind) {
  RandomF32 made = {Guarded<uint8_t>(4 * rows * cols), {rows, cols, std::vector<float>(rows * cols)}};
  for (size_t i = 0; i < rows * cols; i++) {
    made.exact.values[i] = weight_value(random, kind);
    std::memcpy(made.values.data() + 4 * i, &made.exact.values[i], 4);
  }
  return made;
}

/// Activations [M, K] at any stride; some blocks of 32 are zero, tiny, or dominated by one value.
inline void random_activations(Random& random, float* x, size_t cols, Kind kind) {
  for (size_t k = 0; k < cols; k += 32) {
    const float size = kind == Kind::kExtreme ? 1 : random.one_of({1.0f, 1.0f, 1.0f, 0.0f, 1e-4f, 1e-39f});
    for (size_t i = k; i < cols && i < k + 32; i++) x[i] = weight_value(random, kind) * size;
    if (kind == Kind::kRandom && random.bits() % 8 == 0) x[k + random.bits() % (cols - k < 32 ? cols - k : 32)] *= 40;
  }
}

/// Row n times x, and how far rounding may take it: six standard deviations of activations in 8 bits with one scale for
/// 32 (or, for tiles, of both factors in bfloat16), and the rounding of float sums.
struct Dot {
  double value, bound;
};
enum class Precision { kFloat, kInt8, kInt8OrBf16 };

inline Dot exact_dot(const Values& weights, size_t n, const float* x, Precision precision) {
  double value = 0, magnitude = 0, variance = 0;
  for (size_t block = 0; block < weights.cols; block += 32) {
    const size_t end = weights.cols < block + 32 ? weights.cols : block + 32;
    double largest = 0;
    for (size_t k = block; k < end; k++) largest = std::fmax(largest, std::fabs(x[k]));
    for (size_t k = block; k < end; k++) {
      const double w = weights.at(n, k), product = w * x[k];
      value += product;
      magnitude += std::fabs(product);
      const double step = largest / 127, tile = 0x1p-8 * product;
      if (precision != Precision::kFloat) variance += w * w * step * step / 12;
      if (precision == Precision::kInt8OrBf16) variance += tile * tile / 6;
    }
  }
  // Blocks whose scale is no normal number count as zeros.
  const double tiny = precision == Precision::kFloat ? 0 : 1e-34 * static_cast<double>(weights.cols);
  return {value, 6 * std::sqrt(variance) + 3e-6 * magnitude + tiny};
}

}  // namespace gptoss::testing
