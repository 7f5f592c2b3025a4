// The tests of the native code, without Node: each compares with a formula in f64 and tells a Report.

#pragma once

#include "../kernels/kernels.h"
#include "support.h"

namespace gptoss::testing {

// Kernels of one table.
void test_matmul(const Kernels& kernels, Report& report);
void test_quantize(const Kernels& kernels, Report& report);
void test_rows(const Kernels& kernels, Report& report);
void test_attend(const Kernels& kernels, Report& report);

// Operations, on `threads` threads.
void test_linear(const Kernels& kernels, size_t threads, Report& report);
void test_moe(const Kernels& kernels, size_t threads, Report& report);
void test_gguf_experts(const Kernels& kernels, size_t threads, Report& report);
void test_attention(const Kernels& kernels, size_t threads, Report& report);

// What runs them.
void test_pool(Report& report);
void test_memory(Report& report);
void test_available_memory(Report& report);
void test_executor(const Kernels& kernels, Report& report);
void test_late_weights(const Kernels& kernels, Report& report);

}  // namespace gptoss::testing
