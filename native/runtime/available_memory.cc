#include "available_memory.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gptoss {

namespace {

/// The rest of the first line with `key` in it, after the key. Without C++ streams, which need a newer glibc than Node.
std::optional<std::string> find_line(const std::string& path, std::string_view key) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "r"), std::fclose);
  for (char line[4096]; file && std::fgets(line, sizeof line, file.get());) {
    const std::string_view text(line);
    const size_t at = text.find(key);
    if (at == text.npos) continue;
    const std::string_view rest = text.substr(at + key.size());
    return std::string(rest.substr(0, rest.find('\n')));
  }
  return std::nullopt;
}

/// The number in a text; SIZE_MAX where there is none, as in a limit of "max".
size_t number_in(const std::optional<std::string>& text) {
  size_t number = SIZE_MAX;
  if (!text) return number;
  const size_t digits = text->find_first_of("0123456789");
  if (digits != text->npos) std::from_chars(text->data() + digits, text->data() + text->size(), number);
  return number;
}

/// Of the group that /proc/self/cgroup names, or of the root, which is what a container calls its own group.
size_t limit_of_group(const std::string& root, std::string_view key, const std::string& folder, const std::string& file) {
  const std::string group = find_line(root + "/proc/self/cgroup", key).value_or("");
  const std::string groups = root + "/sys/fs/cgroup" + folder;
  return std::min(number_in(find_line(groups + group + file, "")), number_in(find_line(groups + file, "")));
}

}  // namespace

size_t available_memory(const std::string& root) {
  const size_t kilobytes = number_in(find_line(root + "/proc/meminfo", "MemAvailable:"));
  const size_t system = kilobytes == SIZE_MAX ? SIZE_MAX : kilobytes * 1024;
  return std::min({system, limit_of_group(root, "0::", "", "/memory.max"),
                   limit_of_group(root, ":memory:", "/memory", "/memory.limit_in_bytes")});
}

}  // namespace gptoss
