#include "../avx2/table.h"

#ifndef __AVXVNNI__
#error "compiled without AVX-VNNI"
#endif

namespace gptoss {

Kernels avx2vnni_kernels() { return table(); }

}  // namespace gptoss
