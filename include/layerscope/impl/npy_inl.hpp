// Body of core/npy.hpp.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/core/npy.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/byteswap_inl.hpp>

#include <array>
#include <bit>
#include <cstring>
#include <span>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// NumPy's name of an element type, "<f4"; bfloat16 as float32.
inline std::string npy_descr(DType dtype) {
  const DType stored = dtype == DType::bf16 ? DType::f32 : dtype;
  const std::size_t size = size_of(stored);
  const auto kind = [&] {
    switch (stored) {
      case DType::boolean: return 'b';
      case DType::u8:
      case DType::u16:
      case DType::u32:
      case DType::u64: return 'u';
      case DType::i8:
      case DType::i16:
      case DType::i32:
      case DType::i64: return 'i';
      case DType::f16:
      case DType::bf16:
      case DType::f32:
      case DType::f64: break;
    }
    return 'f';
  }();
  return std::string(1, size == 1 ? '|' : '<') + kind + to_text(size);
}

/// The elements as they stand in the file.
inline AnyView npy_payload(const AnyView& view) {
  AnyView stored = contiguous(view, view.dtype() == DType::bf16 ? DType::f32 : view.dtype());
  if constexpr (std::endian::native == std::endian::little) return stored;
  Tensor swapped = copy(stored);
  swap_bytes(swapped.mutable_raw(), swapped.bytes(), size_of(swapped.dtype()));
  return swapped.view();
}

inline std::span<const std::byte> bytes_of(const AnyView& view) {
  return {static_cast<const std::byte*>(view.data()), static_cast<std::size_t>(view.size()) * size_of(view.dtype())};
}

}  // namespace detail

LAYERSCOPE_INLINE std::string npy_header(DType dtype, const Shape& shape) {
  std::string dict = "{'descr': '" + detail::npy_descr(dtype) + "', 'fortran_order': False, 'shape': (";
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (axis > 0) dict += ", ";
    dict += to_text(shape[axis]);
  }
  dict += shape.rank() == 1 ? ",), }" : "), }";
  constexpr std::size_t preamble = 10;  // magic, version, 16-bit length
  const std::size_t total = (preamble + dict.size() + 1 + 63) / 64 * 64;
  dict.append(total - preamble - dict.size() - 1, ' ');
  dict += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dict.size() & 0xFFu);
  header += static_cast<char>(dict.size() >> 8);
  return header + dict;
}

LAYERSCOPE_INLINE std::vector<std::byte> encode_npy(const AnyView& view) {
  const std::string header = npy_header(view.dtype(), view.shape());
  const AnyView stored = detail::npy_payload(view);
  const std::span<const std::byte> payload = detail::bytes_of(stored);
  std::vector<std::byte> file(header.size() + payload.size());
  std::memcpy(file.data(), header.data(), header.size());
  if (!payload.empty()) std::memcpy(file.data() + header.size(), payload.data(), payload.size());
  return file;
}

LAYERSCOPE_INLINE void write_npy(const std::string& path, const AnyView& view, const PublishOptions& options) {
  const std::string header = npy_header(view.dtype(), view.shape());
  const AnyView stored = detail::npy_payload(view);
  const std::array pieces{std::as_bytes(std::span(header.data(), header.size())), detail::bytes_of(stored)};
  publish_file(path, std::span<const std::span<const std::byte>>(pieces), options);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
