// How much memory this process could get without taking it from others.

#pragma once

#include <cstddef>
#include <string>

namespace gptoss {

/// What the system has, or the control group that this process runs in (a container's limit) if that is less.
/// SIZE_MAX where neither is known. `root` is where /proc and /sys lie.
size_t available_memory(const std::string& root = "");

}  // namespace gptoss
