// v8: the kernel that ships. As v7, with the work beside the products spread between them, activations loaded past the
// first-level cache, memory fetched along four streams, results written during the next pass, and at most 144 tokens
// between two visits of a panel.
#include "../../../native/kernels/amx/mxfp4_gemm.cc"

#include "ladder.h"

const ladder::Kernel ladder::v8 = {1, gptoss::kTileTokens, gptoss::kRows, 480, gptoss::packed_bytes, gptoss::scratch_bytes, gptoss::pack, gptoss::run};
