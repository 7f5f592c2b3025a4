// The sets of kernels in this binary, best first, and which of them this machine can run.

#pragma once

#include <string>
#include <vector>

#include "../kernels/kernels.h"

namespace gptoss {

struct Variant {
  Kernels kernels;  // only its names where this machine lacks what it needs
  uint32_t needs;  // features of cpu.h
};

const std::vector<Variant>& variants();

struct Choice {
  const Kernels* kernels;  // null when `reason` says why there are none
  std::string reason;
};

/// The best set that runs here, or the one called `name`.
Choice choose_kernels(const std::string& name);

}  // namespace gptoss
