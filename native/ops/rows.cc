// Operations on rows, one independent of the other.

#include <cstring>

#include "ops.h"
#include "q8_0.h"

namespace gptoss {

namespace {

/// One row of a matrix of which only the 8-bit panels were kept.
void widen_dense8(const Dense8& w, size_t row, float* out) {
  const size_t panel = row / kPanelRows, lane = row % kPanelRows, padded = w.padded_cols();
  const uint8_t* values = w.values + panel * kPanelRows * padded + lane * 4;
  const uint16_t* scales = w.scales + panel * kPanelRows * (padded / kBlockCols) + lane;
  for (size_t k = 0; k < w.cols; k++) {
    const uint32_t bits = static_cast<uint32_t>(scales[k / kBlockCols * kPanelRows]) << 16;
    float scale;
    std::memcpy(&scale, &bits, sizeof scale);
    out[k] = static_cast<float>(values[k / 4 * 4 * kPanelRows + k % 4] - 128) * scale;
  }
}

}  // namespace

void embed(const Machine& machine, const Matrix& table, const int32_t* tokens, Tensor& out) {
  const uint8_t* values = table.values.data();
  for_rows(machine, out.rows, out.cols, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; i++) {
      const size_t row = static_cast<size_t>(tokens[i]);
      if (values == nullptr) {
        widen_dense8(table.dense8(), row, out.row(i));
      } else if (table.is_q8_0) {
        widen_q8_0(values + row * q8_0_bytes(table.cols), table.cols, out.row(i));
      } else if (table.is_f32) {
        std::memcpy(out.row(i), values + row * table.cols * sizeof(float), table.cols * sizeof(float));
      } else {
        machine.kernels.widen_bf16(values + row * table.cols * sizeof(uint16_t), table.cols, out.row(i));
      }
    }
  });
}

void rms_norm(const Machine& machine, const Tensor& x, const Vector& scale, float epsilon, Tensor& out) {
  for_rows(machine, x.rows, x.cols, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; i++)
      machine.kernels.rms_norm(x.row(i), scale.data(), epsilon, x.cols, out.row(i));
  });
}

void rope(const Machine& machine, const Tensor& x, size_t head_dim, const float* cos, const float* sin, Tensor& out) {
  const size_t half = head_dim / 2;
  for_rows(machine, x.rows, x.cols, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; i++)
      machine.kernels.rope(x.row(i), x.cols / head_dim, head_dim, cos + i * half, sin + i * half, out.row(i));
  });
}

void add(const Machine& machine, const Tensor& a, const Tensor& b, Tensor& out) {
  for_rows(machine, a.rows, a.cols, [&](size_t first, size_t last) {
    machine.kernels.add(a.row(first), b.row(first), (last - first) * a.cols, out.row(first));
  });
}

void gather(const Machine& machine, const Tensor& x, const int32_t* rows, Tensor& out) {
  for_rows(machine, out.rows, out.cols, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; i++)
      std::memcpy(out.row(i), x.row(static_cast<size_t>(rows[i])), x.cols * sizeof(float));
  });
}

}  // namespace gptoss
