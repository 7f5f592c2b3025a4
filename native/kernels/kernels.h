// The seam between operations and arithmetic: one table of functions per instruction set.
//
// Owns the data layouts that both sides agree on, and the contract of every kernel. A kernel computes on one thread,
// allocates nothing, and knows neither threads nor routing nor caches' block tables: native/ops/ cuts the work up.
// An operation never knows an instruction set.
//
// Where a kernel lives: native/kernels/<variant>/<operation>.cc, all files of one folder compiled with one set of
// flags, and native/kernels/<variant>/table.cc fills the table. Such files must include only this header,
// <immintrin.h>/<arm_neon.h>, <stddef.h>, <stdint.h>, <string.h> and <math.h>, and keep every helper `static`:
// an inline function of the C++ library compiled with AVX-512 may be the copy that the linker keeps for everyone.
//
// Letters: M tokens (rows of activations), N rows of a weight (outputs), K columns of a weight (inputs).

#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace gptoss {

// ---------------------------------------------------------------------------------------------------------------
// Weights

/// Experts' weights as Hugging Face files hold them, one expert: N rows of K/32 blocks. Memory-mapped: no alignment
/// may be assumed, and not a byte past the end may be read.
struct Mxfp4 {
  const uint8_t* blocks;  // [N, K/32, 16]; low nibble = even element, high nibble = odd
  const uint8_t* scales;  // [N, K/32]; 2^(byte - 127)
  size_t rows;
  size_t cols;  // a multiple of 32
};

/// The same as a GGUF file holds them: blocks of 17 bytes, the exponent first. Gate and up may lie apart. The columns of
/// a block are in whatever order the activations were prepared in.
struct Mxfp4Blocks {
  static constexpr size_t kBlockBytes = 17;
  const uint8_t* part[2];  // row r is row r / parts of part r % parts
  size_t parts;            // 1 or 2
  size_t rows;
  size_t cols;
  size_t row_bytes() const { return cols / 32 * kBlockBytes; }
  const uint8_t* row(size_t r) const { return part[r % parts] + r / parts * row_bytes(); }
};

/// Dense weights in 8 bits, made at load: panels of 16 rows, so that one vector holds 4 columns of 16 rows.
/// Values are stored with 128 added. Rows past the last are zeros with scale 0; K is padded to 64 with zeros (128).
/// 64-byte aligned.
struct Dense8 {
  const uint8_t* values;   // [ceil(N/16), K64/4, 16 rows, 4 columns], value = byte - 128, |value| <= 127
  const uint16_t* scales;  // [ceil(N/16), K64/32, 16 rows] bfloat16
  size_t rows;
  size_t cols;  // K as the model has it
  /// K64
  size_t padded_cols() const { return (cols + 63) / 64 * 64; }
};
constexpr size_t kPanelRows = 16;
constexpr size_t kBlockCols = 32;

/// A block of activations with a smaller scale than this is zeros: its inverse would not be a float.
constexpr float kSmallestScale = 1e-37f;

/// Dense weights as the official files hold them. Memory-mapped, like Mxfp4: no alignment.
struct DenseBf16 {
  const uint8_t* values;  // [N, K] bfloat16
  size_t rows;
  size_t cols;
};

/// Dense weights of files that hold floats. Memory-mapped or copied; no alignment.
struct DenseF32 {
  const uint8_t* values;  // [N, K] float
  size_t rows;
  size_t cols;
};

// ---------------------------------------------------------------------------------------------------------------
// Matrix times matrix: prefill.
//
// The operation first packs the activations of a group of tokens (on all threads, each a range of tokens), then runs
// ranges of weight rows (on all threads; ranges are handed out dynamically). For the experts a group is the tokens
// that chose one expert; it may be as small as `min_tokens` and as large as the batch.

/// Activations to pack: row i of the group is `x + (rows ? rows[i] : i) * stride`, K floats, not aligned.
struct GemmInput {
  const float* x;
  size_t stride;        // in floats
  const int32_t* rows;  // the group's rows in x, or null for all of them in order
  size_t tokens;        // M
  size_t cols;          // K
};

struct GemmOutput {
  float* out;         // out[m * stride + n] is written, not added to
  size_t stride;      // in floats, >= N
  const float* bias;  // [N], or null
};

template <typename Weights>
struct Gemm {
  /// Below this many tokens the operation uses the matrix-vector kernels.
  size_t min_tokens;
  /// Ranges of tokens given to `pack` start at multiples of this (and end at one, or at M).
  size_t token_tile;
  /// Ranges of weight rows given to `run` start at multiples of this (and end at one, or at N).
  size_t row_tile;
  /// How many rows one `run` should get when there are plenty: enough to reuse what it unpacks, few enough to balance.
  size_t rows_per_task;

  /// Bytes of a packed group; also the scratch that each thread needs in `run`. Both are 64-byte aligned.
  size_t (*packed_bytes)(size_t tokens, size_t cols);
  size_t (*scratch_bytes)(size_t tokens, size_t cols);

  /// Packs tokens [first, last) of the group into their places in `packed`.
  void (*pack)(const GemmInput& input, size_t first, size_t last, void* packed);
  /// Rows [first, last) of the weight times all packed tokens.
  void (*run)(const Weights& weights, size_t first, size_t last, const void* packed, size_t tokens,
              const GemmOutput& output, void* scratch);
};

// ---------------------------------------------------------------------------------------------------------------
// Matrix times a few vectors: decode. Bound by memory: every weight is read once, for all vectors.

/// The most activations that one matrix-vector call takes; the operation splits larger groups.
constexpr size_t kMaxVectors = 8;

template <typename Weights>
struct Matvec {
  /// Ranges of weight rows given to `run` start at multiples of this (and end at one, or at N).
  size_t row_tile;
  /// Bytes of one prepared activation of K values (64-byte aligned).
  size_t (*activation_bytes)(size_t cols);
  /// Prepares columns [first, last) of one activation, `x` being its column 0; first and last are multiples of
  /// `col_tile` (or last is K): threads may prepare one activation together.
  size_t col_tile;
  void (*prepare)(const float* x, size_t first, size_t last, size_t cols, void* activation);
  /// out[v][n] = weight row n · activation v + bias[n], for n in [first, last) and v < vectors <= kMaxVectors.
  void (*run)(const Weights& weights, size_t first, size_t last, const void* const* activations, size_t vectors,
              const float* bias, float* const* out);
};

// ---------------------------------------------------------------------------------------------------------------
// Attention over the cache, with the softmax kept as a running maximum and sum, so that scores exist for one tile only.

/// The cache's storage of one key-value head in one block: keys, then values, bfloat16 or int8, both zero-padded to
/// `head_dim_padded` and to whole groups of 16 tokens. Pairs are what a bfloat16 dot product takes, and what a shift or
/// a mask widens to two vectors of floats.
///   keys   [groups, head_dim_padded/2, 16 tokens, 2 dimensions]
///   values [groups * 8 pairs of tokens, head_dim_padded, 2 tokens]
/// After int8 come their scales, f32, by token: of the keys [groups * 16], then of the values [groups * 16].
struct KvLayout {
  size_t head_dim;
  size_t block_tokens;
  bool is_int8 = false;
  size_t head_dim_padded() const { return (head_dim + 15) / 16 * 16; }
  size_t groups() const { return (block_tokens + 15) / 16; }
  /// Elements of the keys (and of the values) of one head in one block.
  size_t half() const { return groups() * 16 * head_dim_padded(); }
  /// Of one head in one block.
  size_t bytes() const { return is_int8 ? 2 * (half() + groups() * 16 * sizeof(float)) : 2 * half() * sizeof(uint16_t); }
};

/// The most token slots (whole groups, padding included) that one `attend` call sees.
constexpr size_t kTileSlots = 256;

/// Consecutive blocks of one sequence at one key-value head. Positions count from the start of blocks[0].
struct KvTile {
  const void* const* blocks;
  size_t first, last;  // visible positions [first, last)
};

/// `heads` query heads that share the key-value head; updated by every tile, empty when max is -infinity.
struct AttentionState {
  float* max;  // [heads]
  float* sum;  // [heads]
  float* acc;  // [heads, head_dim_padded], not yet divided by sum
};

// ---------------------------------------------------------------------------------------------------------------

/// One instruction set's arithmetic.
struct Kernels {
  const char* name;
  /// For people: "AVX-512 VNNI".
  const char* description;

  Matvec<Mxfp4> matvec_mxfp4;
  /// The same on the blocks of GGUF files, with activations that `matvec_mxfp4` prepared; null where there is none, and
  /// rows are taken apart first.
  void (*matvec_mxfp4_blocks)(const Mxfp4Blocks& weights, size_t first, size_t last, const void* const* activations,
                              size_t vectors, const float* bias, float* const* out);
  Matvec<Dense8> matvec_dense8;
  Matvec<DenseBf16> matvec_bf16;
  Matvec<DenseF32> matvec_f32;

  /// A null `run` means that there is none, and the operation multiplies kMaxVectors tokens at a time.
  Gemm<Mxfp4> gemm_mxfp4;
  /// Its `run` on the blocks of GGUF files, with what its `pack` made; null where there is none.
  void (*gemm_mxfp4_blocks)(const Mxfp4Blocks& weights, size_t first, size_t last, const void* packed, size_t tokens,
                            const GemmOutput& output, void* scratch);
  Gemm<Dense8> gemm_dense8;
  Gemm<DenseBf16> gemm_bf16;

  /// `q` [heads, head_dim_padded], already scaled by 1/sqrt(head_dim); `scores` is scratch, heads * kTileSlots floats,
  /// 64-byte aligned.
  void (*attend)(const float* q, size_t heads, const KvLayout& layout, const KvTile& tile, float* scores,
                 const AttentionState& state);
  /// Whether it rounds `q` and the probabilities to bfloat16 where the cache is in bfloat16.
  bool attend_rounds;

  /// Rows [16 * panel, 16 * panel + 16) of a matrix into a panel of Dense8.
  void (*quantize_panel_bf16)(const DenseBf16& weights, size_t panel, uint8_t* values, uint16_t* scales);
  void (*quantize_panel_f32)(const DenseF32& weights, size_t panel, uint8_t* values, uint16_t* scales);

  void (*rms_norm)(const float* x, const float* scale, float epsilon, size_t n, float* out);
  /// Half-split pairs (i, i + head_dim/2) of each head; cos and sin are [head_dim/2].
  void (*rope)(const float* x, size_t heads, size_t head_dim, const float* cos, const float* sin, float* out);
  /// `u` [2n] alternates gate and linear; out [n], which may be the front of `u`
  void (*swiglu)(const float* u, size_t n, float limit, float* out);
  void (*add)(const float* a, const float* b, size_t n, float* out);
  /// out += weight * y
  void (*add_scaled)(const float* y, float weight, size_t n, float* out);
  /// `x` is [n] bfloat16, anywhere.
  void (*widen_bf16)(const uint8_t* x, size_t n, float* out);
};

}  // namespace gptoss
