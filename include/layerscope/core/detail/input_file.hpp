// A regular file open for reading at offsets, shared by core/io and the readers. Never mapped: a mapped file that
// somebody truncates kills the process with SIGBUS.
#pragma once

#include <layerscope/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

class InputFile {
 public:
  /// Throws Error(io) when the file cannot be opened, Error(unsupported) for a directory, pipe or device.
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  std::uint64_t size() const noexcept { return size_; }

  /// Fills `out` from `offset` on. Throws Error(io) on failure or when the file has become shorter.
  void read(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/input_file_inl.hpp>
#endif
