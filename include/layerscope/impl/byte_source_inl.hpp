// Body of readers/detail/byte_source.hpp.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/impl/byteswap_inl.hpp>
#include <layerscope/readers/detail/byte_source.hpp>

#include <bit>
#include <cstring>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

LAYERSCOPE_INLINE ByteSource::ByteSource(const std::string& path)
    : name_("\"" + path + "\""), file_(std::make_shared<const InputFile>(path)) {
  size_ = file_->size();
}

LAYERSCOPE_INLINE ByteSource::ByteSource(std::span<const std::byte> memory)
    : name_("memory"), size_(memory.size()), memory_(memory) {}

LAYERSCOPE_INLINE void ByteSource::read(std::uint64_t offset, std::span<std::byte> out, std::string_view what) const {
  if (offset > size_ || out.size() > size_ - offset) {
    fail(ErrorCode::format, offset,
         std::string(what) + " needs " + to_text(out.size()) + " bytes; the file ends at byte " + to_text(size_));
  }
  if (out.empty()) return;
  if (file_ != nullptr) {
    file_->read(offset, out);
  } else {
    std::memcpy(out.data(), memory_.data() + offset, out.size());
  }
}

LAYERSCOPE_INLINE void ByteSource::fail(ErrorCode code, std::uint64_t offset, const std::string& reason) const {
  throw Error(code, name_ + ", byte " + to_text(offset) + ": " + reason);
}

LAYERSCOPE_INLINE std::size_t checked_payload(const ByteSource& source, std::uint64_t offset, DType dtype,
                                              const Shape& shape, std::uint64_t available, const ReadOptions& options) {
  std::size_t bytes = 0;
  try {
    bytes = byte_count(dtype, shape);
  } catch (const Error& error) {
    source.fail(error.code(), offset, error.what());
  }
  if (bytes > available) {
    source.fail(ErrorCode::format, offset,
                std::string(name(dtype)) + " " + to_text(shape) + " needs " + to_text(bytes) + " bytes; at most " +
                    to_text(available) + " can follow");
  }
  if (bytes > options.max_bytes) {
    source.fail(ErrorCode::too_large, offset,
                std::string(name(dtype)) + " " + to_text(shape) + " has " + to_text(bytes) +
                    " bytes; expected at most max_bytes = " + to_text(options.max_bytes));
  }
  return bytes;
}

LAYERSCOPE_INLINE void normalise_elements(std::span<std::byte> bytes, DType dtype, ByteOrder order) {
  if (dtype == DType::boolean) {
    for (std::byte& value : bytes) value = value == std::byte{0} ? std::byte{0} : std::byte{1};
  }
  const bool native = (order == ByteOrder::little) == (std::endian::native == std::endian::little);
  if (!native) swap_bytes(bytes.data(), bytes.size(), size_of(dtype));
}

LAYERSCOPE_INLINE Tensor read_elements(const ByteSource& source, std::uint64_t offset, DType dtype, const Shape& shape,
                                       ByteOrder order) {
  const std::size_t bytes = byte_count(dtype, shape);
  std::shared_ptr<std::byte> storage = allocate_bytes(bytes);
  source.read(offset, {storage.get(), bytes}, "the elements");
  normalise_elements({storage.get(), bytes}, dtype, order);
  return {dtype, shape, std::move(storage)};
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
