// Attention through the cache against f64: several sequences in one call, chunks, windows, sinks, blocks in any order,
// blocks that were let go of, and contexts long enough to be cut between threads.

#include <algorithm>

#include "ops_bench.h"
#include "tests.h"

namespace gptoss::testing {

namespace {

struct Shape {
  size_t heads, kv_heads, head_dim, block_tokens, window;
  bool is_int8 = false;
};

/// One sequence's history on paper, and its block table.
struct History {
  std::vector<float> keys, values;  // [positions, kv_heads * head_dim], rounded as the cache rounds
  std::vector<int32_t> blocks;
  size_t positions = 0;
  size_t first_block = 0;
};

/// `rounds`: queries are rounded to bfloat16 first.
std::vector<double> expected(const Shape& s, const History& history, size_t position, const float* q, bool rounds,
                             const float* sinks) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(s.head_dim));
  const size_t width = s.kv_heads * s.head_dim, group = s.heads / s.kv_heads;
  const size_t first = s.window == 0 || position < s.window ? 0 : position - s.window + 1;
  std::vector<double> out(s.heads * s.head_dim);
  for (size_t h = 0; h < s.heads; h++) {
    std::vector<double> scores;
    double largest = sinks[h];
    for (size_t p = first; p <= position; p++) {
      double score = 0;
      for (size_t d = 0; d < s.head_dim; d++) {
        const float scaled = q[h * s.head_dim + d] * scale;
        score += static_cast<double>(rounds ? from_bf16(to_bf16(scaled)) : scaled) *
                 history.keys[p * width + h / group * s.head_dim + d];
      }
      scores.push_back(score);
      largest = std::fmax(largest, scores.back());
    }
    double sum = std::exp(sinks[h] - largest);
    for (double score : scores) sum += std::exp(score - largest);
    for (size_t i = 0; i < scores.size(); i++) {
      const double p = std::exp(scores[i] - largest) / sum;
      for (size_t d = 0; d < s.head_dim; d++)
        out[h * s.head_dim + d] += p * history.values[(first + i) * width + h / group * s.head_dim + d];
    }
  }
  return out;
}

class Session {
 public:
  Session(Bench& bench, Random& random, const Shape& shape, size_t sequences, size_t blocks)
      : bench_(bench), random_(random), shape_(shape), histories_(sequences), sinks_(bench.random_vector(random, shape.heads)) {
    cache_.layout = {shape.head_dim, shape.block_tokens, shape.is_int8};
    cache_.kv_heads = shape.kv_heads;
    for (size_t layer = 0; layer < 2; layer++) {
      cache_.layers.emplace_back(blocks * cache_.block_bytes(), &bench.bytes);
      // What an earlier sequence may have left.
      uint16_t* memory = cache_.layers.back().as<uint16_t>();
      for (size_t i = 0; i < blocks * cache_.block_bytes() / 2; i++) memory[i] = to_bf16(random.normal());
    }
    clear_padding(blocks);
    for (size_t i = 0; i < blocks; i++) free_.push_back(static_cast<int32_t>(i));
    for (size_t i = blocks; i > 1; i--) std::swap(free_[i - 1], free_[random.between(0, i - 1)]);
  }

  /// Appends counts[i] tokens to sequence i in one call; writes history without computing where `silent`.
  void step(const std::vector<size_t>& counts, Report& report) {
    size_t rows = 0;
    for (size_t count : counts) rows += count;
    const size_t width = shape_.kv_heads * shape_.head_dim;
    const Tensor q = bench_.random_tensor(random_, rows, shape_.heads * shape_.head_dim, 2);
    const Tensor k = bench_.random_tensor(random_, rows, width), v = bench_.random_tensor(random_, rows, width);
    Tensor out = bench_.tensor(rows, q.cols);
    std::vector<Sequence> sequences;
    size_t row = 0;
    for (size_t i = 0; i < counts.size(); i++) {
      if (counts[i] == 0) continue;
      History& history = histories_[i];
      sequences.push_back({row, counts[i], history.positions, 0, nullptr});
      for (size_t j = row * width; j < (row + counts[i]) * width; j += shape_.head_dim) {
        append_rounded(history.keys, k.row(0) + j);
        append_rounded(history.values, v.row(0) + j);
      }
      const size_t before = history.positions;
      history.positions += counts[i];
      row += counts[i];
      make_room(history, before);
      sequences.back().first_block = history.first_block;
      sequences.back().blocks = history.blocks.data();
    }
    bench_.scratch.reset();
    attention(bench_.machine, q, k, v, sinks_, cache_, {1, shape_.window}, sequences, out);
    for (size_t i = 0, s = 0; i < counts.size(); i++) {
      if (counts[i] == 0) continue;
      const Sequence& sequence = sequences[s++];
      for (size_t t = 0; t < counts[i]; t++) {
        if (counts[i] > 40 && t % 7 != 0 && t + 1 != counts[i]) continue;
        const size_t position = sequence.position + t;
        // Keys, values and queries were rounded on paper too; what is left are sums of floats, and probabilities that a
        // kernel may round to 8 bits of mantissa.
        const bool rounds = bench_.machine.kernels.attend_rounds && !shape_.is_int8;
        expect_row(report, out.row(sequence.start + t),
                   expected(shape_, histories_[i], position, q.row(sequence.start + t), rounds, sinks_.data()),
                   rounds ? 4e-3 : 1e-4,
                   text("attention, %s: %zu heads on %zu of %zu, blocks of %zu, window %zu, position %zu",
                        shape_.is_int8 ? "int8" : "bf16", shape_.heads,
                        shape_.kv_heads, shape_.head_dim, shape_.block_tokens, shape_.window, position));
      }
    }
  }

 private:
  /// One head's numbers, as the cache gives them back.
  void append_rounded(std::vector<float>& history, const float* x) const {
    float largest = 0;
    for (size_t d = 0; d < shape_.head_dim; d++) largest = std::fmax(largest, std::fabs(x[d]));
    const float scale = largest / 127;
    for (size_t d = 0; d < shape_.head_dim; d++)
      history.push_back(shape_.is_int8 ? std::nearbyint(x[d] / scale) * scale : from_bf16(to_bf16(x[d])));
  }

  /// Padding of heads is zero from the start, and nothing writes there.
  void clear_padding(size_t blocks) {
    const size_t dims = cache_.layout.head_dim_padded();
    for (size_t layer = 0; layer < cache_.layers.size(); layer++)
      for (size_t b = 0; b < blocks; b++)
        for (size_t h = 0; h < shape_.kv_heads; h++)
          for (size_t slot = 0; slot < cache_.layout.groups() * 16; slot++)
            for (size_t d = slot < shape_.block_tokens ? shape_.head_dim : 0; d < dims; d++) {
              const size_t size = shape_.is_int8 ? 1 : 2;
              uint8_t* keys = static_cast<uint8_t*>(cache_.at(layer, b, h));
              uint8_t* values = keys + cache_.layout.half() * size;
              std::memset(keys + (slot / 16 * 16 * dims + d / 2 * 32 + slot % 16 * 2 + d % 2) * size, 0, size);
              std::memset(values + (slot / 2 * 2 * dims + 2 * d + slot % 2) * size, 0, size);
            }
  }

  /// Lets go of blocks that no query from `before` on can see, and takes new ones.
  void make_room(History& history, size_t before) {
    const size_t first = shape_.window == 0 || before < shape_.window ? 0 : before - shape_.window + 1;
    while (random_.bits() % 4 != 0 && (history.first_block + 1) * shape_.block_tokens <= first && !history.blocks.empty()) {
      free_.push_back(history.blocks.front());
      history.blocks.erase(history.blocks.begin());
      history.first_block++;
    }
    while ((history.first_block + history.blocks.size()) * shape_.block_tokens < history.positions) {
      if (free_.empty()) std::abort();
      history.blocks.push_back(free_.front());
      free_.erase(free_.begin());
    }
  }

  Bench& bench_;
  Random& random_;
  Shape shape_;
  std::vector<History> histories_;
  Vector sinks_;
  Cache cache_;
  std::vector<int32_t> free_;
};

}  // namespace

void test_attention(const Kernels& kernels, size_t threads, Report& report) {
  Random random(7);
  Bench bench(kernels, threads);
  for (const Shape& shape : {Shape{8, 1, 64, 16, 0}, Shape{8, 2, 64, 32, 128}, Shape{6, 2, 40, 5, 9}, Shape{4, 4, 16, 16, 1},
                             Shape{16, 2, 32, 64, 20}, Shape{3, 1, 8, 1, 0}, Shape{2, 1, 128, 128, 0}}) {
    for (const bool is_int8 : {false, true}) {
      Shape stored = shape;
      stored.is_int8 = is_int8;
      Session session(bench, random, stored, 3, 3 * (260 / shape.block_tokens + 2));
      for (size_t round = 0; round < 8; round++) {
        const size_t most = round < 2 ? 60 : 9;
        session.step({random.between(1, most), random.between(0, most), random.between(0, 2)}, report);
      }
    }
  }
  // A few queries over a long context are cut along positions.
  for (const bool is_int8 : {false, true}) {
    Session session(bench, random, {8, 2, 16, 64, 0, is_int8}, 2, 120);
    session.step({2600, 1100}, report);
    session.step({1, 1}, report);
    session.step({8, 3}, report);
    session.step({9, 1}, report);
  }
}

}  // namespace gptoss::testing
