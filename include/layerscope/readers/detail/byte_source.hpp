// What readers read from: a regular file or memory, at offsets, never beyond the end.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/detail/input_file.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/readers/options.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

class ByteSource {
 public:
  /// Opens a regular file.
  explicit ByteSource(const std::string& path);
  /// Borrows memory.
  explicit ByteSource(std::span<const std::byte> memory);

  std::uint64_t size() const noexcept { return size_; }
  const std::string& name() const noexcept { return name_; }

  /// Fills `out` from `offset` on. Throws Error(format) when that leaves the source; `what` names the part read.
  void read(std::uint64_t offset, std::span<std::byte> out, std::string_view what) const;

  /// Throws an Error whose message begins with the name and the byte offset.
  [[noreturn]] void fail(ErrorCode code, std::uint64_t offset, const std::string& reason) const;

 private:
  std::string name_;
  std::uint64_t size_ = 0;
  std::span<const std::byte> memory_;
  std::shared_ptr<const InputFile> file_;
};

/// The bytes of a tensor that a file declares at `offset`, checked against options.max_bytes and `available` bytes.
std::size_t checked_payload(const ByteSource& source, std::uint64_t offset, DType dtype, const Shape& shape,
                            std::uint64_t available, const ReadOptions& options);

/// Reads the elements at `offset`, stored in the byte order `order`, into a tensor. Bytes of a bool become 0 or 1.
enum class ByteOrder : std::uint8_t { little, big };
Tensor read_elements(const ByteSource& source, std::uint64_t offset, DType dtype, const Shape& shape, ByteOrder order);

/// Puts freshly read elements in the machine's byte order, and bools in the two values that C++ allows them.
void normalise_elements(std::span<std::byte> bytes, DType dtype, ByteOrder order);

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/byte_source_inl.hpp>
#endif
