// The steps of the ladder: each is a complete matrix-matrix kernel behind the seam of native/kernels/kernels.h.
#pragma once

#include "../../../native/kernels/kernels.h"

namespace ladder {

using Kernel = gptoss::Gemm<gptoss::Mxfp4>;

extern const Kernel v1, v2, v3, v4, v5, v6, v7, v8;

}  // namespace ladder
