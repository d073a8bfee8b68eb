// Body of readers/idx.hpp.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/impl/gzip_inl.hpp>
#include <layerscope/readers/detail/byte_source.hpp>
#include <layerscope/readers/idx.hpp>

#include <array>
#include <limits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

struct IdxHeader {
  DType dtype;
  Shape shape;
};

/// Parses a header that `read(out, what)` yields from the begin of the file on. Offsets in errors count decompressed
/// bytes.
template <class Read>
IdxHeader read_idx_header(const ByteSource& source, Read read) {
  std::array<std::byte, 4 + 4 * max_rank> bytes{};
  read(std::span(bytes).first(4), "the magic of IDX");
  if (bytes[0] != std::byte{0} || bytes[1] != std::byte{0}) {
    source.fail(ErrorCode::format, 0, "not an IDX file; expected it to begin with two zero bytes");
  }
  IdxHeader header{};
  switch (std::to_integer<unsigned>(bytes[2])) {
    case 0x08: header.dtype = DType::u8; break;
    case 0x09: header.dtype = DType::i8; break;
    case 0x0B: header.dtype = DType::i16; break;
    case 0x0C: header.dtype = DType::i32; break;
    case 0x0D: header.dtype = DType::f32; break;
    case 0x0E: header.dtype = DType::f64; break;
    default:
      source.fail(ErrorCode::format, 2,
                  "element type " + to_text(std::to_integer<unsigned>(bytes[2])) + "; expected 8, 9, 11, 12, 13 or 14");
  }
  const auto rank = std::to_integer<std::size_t>(bytes[3]);
  if (rank == 0) source.fail(ErrorCode::format, 3, "0 dimensions; expected 1 to 8");
  if (rank > static_cast<std::size_t>(max_rank)) {
    source.fail(ErrorCode::unsupported, 3, to_text(rank) + " dimensions; expected 1 to 8");
  }
  const std::span<std::byte> extents = std::span(bytes).subspan(4, 4 * rank);
  read(extents, "the extents");
  for (std::size_t axis = 0; axis < rank; ++axis) {
    std::int64_t extent = 0;
    for (std::size_t i = 0; i < 4; ++i) extent = extent << 8 | std::to_integer<std::int64_t>(extents[4 * axis + i]);
    header.shape.push_back(extent);
  }
  return header;
}

inline Tensor read_plain_idx(const ByteSource& source, const ReadOptions& options) {
  std::uint64_t offset = 0;
  const IdxHeader header = read_idx_header(source, [&](std::span<std::byte> out, std::string_view what) {
    source.read(offset, out, what);
    offset += out.size();
  });
  const std::size_t bytes =
      checked_payload(source, offset, header.dtype, header.shape, source.size() - offset, options);
  if (bytes != source.size() - offset) {
    source.fail(ErrorCode::format, offset + bytes,
                to_text(source.size() - offset - bytes) + " bytes are left over after the elements");
  }
  return read_elements(source, offset, header.dtype, header.shape, ByteOrder::big);
}

#ifdef LAYERSCOPE_WITH_ZLIB
inline Tensor read_gzip_idx(const ByteSource& source, const ReadOptions& options) {
  GzipReader stream(source);
  const IdxHeader header =
      read_idx_header(source, [&](std::span<std::byte> out, std::string_view what) { stream.read(out, what); });
  constexpr std::uint64_t expansion = 1032;  // deflate codes at most 258 bytes in 2 bits
  constexpr std::uint64_t unlimited = (std::numeric_limits<std::uint64_t>::max)();
  const std::uint64_t most = source.size() > unlimited / expansion ? unlimited : source.size() * expansion;
  const std::size_t bytes = checked_payload(source, 4, header.dtype, header.shape, most, options);
  std::shared_ptr<std::byte> storage = allocate_bytes(bytes);
  stream.read({storage.get(), bytes}, "the elements");
  stream.expect_end();
  normalise_elements({storage.get(), bytes}, header.dtype, ByteOrder::big);
  return {header.dtype, header.shape, std::move(storage)};
}
#endif

inline Tensor read_idx(const ByteSource& source, const ReadOptions& options) {
  std::array<std::byte, 2> magic{};
  source.read(0, magic, "the magic of IDX");
  if (magic[0] != std::byte{0x1F} || magic[1] != std::byte{0x8B}) return read_plain_idx(source, options);
#ifdef LAYERSCOPE_WITH_ZLIB
  return read_gzip_idx(source, options);
#else
  source.fail(ErrorCode::unsupported, 0,
              "compressed by gzip, and this program is built without LAYERSCOPE_WITH_ZLIB; expected a plain file");
#endif
}

}  // namespace detail

LAYERSCOPE_INLINE Tensor read_idx(const std::string& path, const ReadOptions& options) {
  return detail::read_idx(detail::ByteSource(path), options);
}

LAYERSCOPE_INLINE Tensor read_idx(std::span<const std::byte> file, const ReadOptions& options) {
  return detail::read_idx(detail::ByteSource(file), options);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
