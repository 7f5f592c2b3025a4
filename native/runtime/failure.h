// The one exception of the native code. It never leaves it: the executor hands it to the next reader.

#pragma once

#include <stdexcept>
#include <string>

namespace gptoss {

/// `code` is one of src/base/error-codes.ts.
struct Failure : std::runtime_error {
  Failure(const char* code, const std::string& message) : std::runtime_error(message), code(code) {}
  const char* code;
};

}  // namespace gptoss
