#include "mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "failure.h"

namespace gptoss {

namespace {

Failure io_failure(const std::string& path, const char* what) {
  return Failure("checkpoint/io", path + ": " + what + ": " + std::strerror(errno));
}

}  // namespace

MappedFile::MappedFile(const std::string& path, int descriptor, size_t bytes) : bytes_(bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
  if (data == MAP_FAILED) throw io_failure(path, "could not be mapped into memory");
  data_ = static_cast<const uint8_t*>(data);
}

MappedFile::~MappedFile() { munmap(const_cast<uint8_t*>(data_), bytes_); }

MappedRange MappedFiles::map(const std::string& path, uint64_t offset, uint64_t bytes) {
  std::shared_ptr<MappedFile> file = files_[path].lock();
  if (file == nullptr) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throw io_failure(path, "could not be opened");
    try {
      const off_t bytes = lseek(descriptor, 0, SEEK_END);
      if (bytes < 0) throw io_failure(path, "has no size");
      if (bytes == 0) throw Failure("checkpoint/truncated", path + ": is empty");
      file = std::make_shared<MappedFile>(path, descriptor, static_cast<size_t>(bytes));
    } catch (...) {
      close(descriptor);
      throw;
    }
    close(descriptor);
    files_[path] = file;
  }
  if (offset > file->bytes() || bytes > file->bytes() - offset) {
    throw Failure("checkpoint/truncated", path + ": has " + std::to_string(file->bytes()) + " bytes, a tensor needs " +
                                              std::to_string(bytes) + " from " + std::to_string(offset));
  }
  return {file, file->data() + offset, static_cast<size_t>(bytes)};
}

}  // namespace gptoss
