#include "profile.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace gptoss {

namespace {

double seconds(std::chrono::steady_clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

Profile::Profile() {
  const char* value = std::getenv("GPT_OSS_PROFILE");
  is_on_ = value != nullptr && *value != '\0' && *value != '0';
}

void Profile::begin() {
  start_ = Clock::now();
  if (!has_end_) return;
  const double waited = seconds(start_ - end_);
  add(waited < 1e-3 ? "waiting for commands" : "between steps", waited, 0);
}

void Profile::end(const std::string& name, size_t bytes) {
  end_ = Clock::now();
  has_end_ = true;
  add(name, seconds(end_ - start_), bytes);
}

void Profile::add(const std::string& name, double time, size_t bytes) {
  Entry& entry = entries_[name];
  entry.calls++;
  entry.seconds += time;
  entry.bytes += static_cast<double>(bytes);
}

void Profile::print() {
  std::vector<std::pair<std::string, Entry>> all(entries_.begin(), entries_.end());
  entries_.clear();
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  if (!all.empty()) std::fprintf(stderr, "%-36s %9s %11s %9s %7s\n", "operation", "calls", "total ms", "us each", "GB/s");
  for (const auto& [name, entry] : all) {
    const double calls = static_cast<double>(entry.calls);
    std::fprintf(stderr, "%-36s %9zu %11.1f %9.1f", name.c_str(), entry.calls, 1e3 * entry.seconds,
                 1e6 * entry.seconds / calls);
    if (entry.bytes > 0) std::fprintf(stderr, " %7.1f", entry.bytes / entry.seconds / 1e9);
    std::fputc('\n', stderr);
  }
}

}  // namespace gptoss
