// Body of core/detail/input_file.hpp.
#pragma once

#include <layerscope/core/detail/input_file.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/io.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

LAYERSCOPE_INLINE InputFile::InputFile(const std::string& path) : path_(path) {
  if (path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::invalid_argument, "io: \"" + path + "\" holds a NUL; expected a file name");
  }
  // Without O_NONBLOCK, opening a pipe waits for its writer.
  do {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) throw Error(ErrorCode::io, "io: open \"" + path + "\": " + errno_text(errno));
  struct stat found;
  if (fstat(descriptor_, &found) != 0) {
    const int code = errno;
    ::close(descriptor_);
    throw Error(ErrorCode::io, "io: stat \"" + path + "\": " + errno_text(code));
  }
  if (!S_ISREG(found.st_mode)) {
    ::close(descriptor_);
    throw Error(ErrorCode::unsupported, "io: \"" + path + "\" is a directory, pipe or device; expected a regular file");
  }
  size_ = static_cast<std::uint64_t>(found.st_size);
}

LAYERSCOPE_INLINE InputFile::~InputFile() {
  ::close(descriptor_);
}

LAYERSCOPE_INLINE void InputFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  constexpr std::size_t largest = std::size_t{1} << 30;
  while (!out.empty()) {
    const ssize_t done = ::pread(descriptor_, out.data(), (std::min)(out.size(), largest), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) throw Error(ErrorCode::io, "io: read \"" + path_ + "\": " + errno_text(errno));
    if (done == 0) {
      throw Error(ErrorCode::io, "io: \"" + path_ + "\" ended at byte " + to_text(offset) + "; expected " +
                                     to_text(out.size()) + " more");
    }
    out = out.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
