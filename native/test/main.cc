// Runs the native tests without Node: every variant of this binary that this processor can run, or the named ones
// (`best` is the one that would be chosen).
//
//   native_test [variant…] [--only kernels|ops|runtime]
//
// Exits with 1 when anything fails, and when a variant that was named cannot run.

#include <functional>

#include "../runtime/cpu.h"
#include "../runtime/variants.h"
#include "tests.h"

using namespace gptoss;
using namespace gptoss::testing;

namespace {

struct Options {
  std::vector<std::string> names;
  std::string only;
  bool wants(const char* group) const { return only.empty() || only == group; }
};

bool run(const std::string& name, const std::function<void(Report&)>& test) {
  Report report;
  test(report);
  return report.finish(name);
}

bool test_kernels(const Kernels& kernels) {
  const std::string name = kernels.name;
  bool is_good = run(name + " matmul", [&](Report& report) { test_matmul(kernels, report); });
  is_good &= run(name + " quantize", [&](Report& report) { test_quantize(kernels, report); });
  is_good &= run(name + " rows", [&](Report& report) { test_rows(kernels, report); });
  is_good &= run(name + " attend", [&](Report& report) { test_attend(kernels, report); });
  return is_good;
}

bool test_ops(const Kernels& kernels) {
  bool is_good = true;
  for (size_t threads : {1, 3}) {
    const std::string name = std::string(kernels.name) + ", " + std::to_string(threads) + " threads, ";
    is_good &= run(name + "linear", [&](Report& report) { test_linear(kernels, threads, report); });
    is_good &= run(name + "moe", [&](Report& report) { test_moe(kernels, threads, report); });
    is_good &= run(name + "experts of GGUF files", [&](Report& report) { test_gguf_experts(kernels, threads, report); });
    is_good &= run(name + "attention", [&](Report& report) { test_attention(kernels, threads, report); });
  }
  return is_good;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; i++) {
    const std::string argument = arguments[i];
    if (argument == "--only" && i + 1 < count) {
      options.only = arguments[++i];
    } else {
      options.names.push_back(argument);
    }
  }
  std::printf("this processor: %s\n", feature_names(cpu_features()).c_str());
  std::vector<const Kernels*> chosen;
  for (const std::string& name : options.names) {
    const Choice choice = choose_kernels(name == "best" ? "" : name);
    if (choice.kernels == nullptr) {
      std::printf("%s\n", choice.reason.c_str());
      return 1;
    }
    chosen.push_back(choice.kernels);
  }
  if (options.names.empty()) {
    for (const Variant& variant : variants()) {
      const Choice choice = choose_kernels(variant.kernels.name);
      if (choice.kernels == nullptr) std::printf("not run: %s\n", choice.reason.c_str());
      if (choice.kernels != nullptr) chosen.push_back(choice.kernels);
    }
  }

  bool is_good = !chosen.empty();
  if (options.wants("runtime")) {
    is_good &= run("pool", test_pool);
    is_good &= run("memory and files", test_memory);
    is_good &= run("available memory", test_available_memory);
    is_good &= run("executor", [&](Report& report) { test_executor(*chosen.front(), report); });
    is_good &= run("late weights", [&](Report& report) { test_late_weights(*chosen.front(), report); });
  }
  for (const Kernels* kernels : chosen) {
    if (options.wants("kernels")) is_good &= test_kernels(*kernels);
    if (options.wants("ops")) is_good &= test_ops(*kernels);
  }
  std::printf(is_good ? "all good\n" : "FAILED\n");
  return is_good ? 0 : 1;
}
