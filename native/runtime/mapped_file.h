// Files mapped into memory, once each however many weights lie in them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace gptoss {

class MappedFile {
 public:
  MappedFile(const std::string& path, int descriptor, size_t bytes);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  const uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
};

/// A range of a mapped file; keeps the mapping alive.
struct MappedRange {
  std::shared_ptr<MappedFile> file;
  const uint8_t* data = nullptr;
  size_t bytes = 0;
};

class MappedFiles {
 public:
  /// Throws Failure `checkpoint/io` when the file cannot be opened, `checkpoint/truncated` when it ends too early:
  /// touching a page past the end of a file would end the process.
  MappedRange map(const std::string& path, uint64_t offset, uint64_t bytes);
  void clear() { files_.clear(); }

 private:
  std::map<std::string, std::weak_ptr<MappedFile>> files_;
};

}  // namespace gptoss
