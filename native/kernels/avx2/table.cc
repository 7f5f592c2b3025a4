#include "table.h"

#ifdef __AVXVNNI__
#error "these flags are avx2vnni's"
#endif

namespace gptoss {

Kernels avx2_kernels() { return table(); }

}  // namespace gptoss
