// Body of core/tensor.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/elements_inl.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE std::size_t byte_count(DType dtype, const Shape& shape) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(element_count(shape), static_cast<std::int64_t>(size_of(dtype)), &bytes)) {
    throw Error(ErrorCode::too_large, "tensor: the bytes of " + to_text(shape) + " exceed 2^63 - 1");
  }
  return static_cast<std::size_t>(bytes);
}

LAYERSCOPE_INLINE std::shared_ptr<std::byte> allocate_bytes(std::size_t bytes) {
  constexpr std::align_val_t alignment{64};
  auto* const memory = static_cast<std::byte*>(::operator new((std::max<std::size_t>)(bytes, 1), alignment));
  return {memory, [](std::byte* p) { ::operator delete (p, std::align_val_t{64}); }};
}

LAYERSCOPE_INLINE Tensor::Tensor(DType dtype, const Shape& shape)
    : Tensor(dtype, shape, allocate_bytes(byte_count(dtype, shape))) {
  std::memset(storage_.get(), 0, bytes());
}

LAYERSCOPE_INLINE Tensor::Tensor(DType dtype, const Shape& shape, std::shared_ptr<std::byte> storage)
    : dtype_(dtype), shape_(shape), size_(element_count(shape)), storage_(std::move(storage)) {}

LAYERSCOPE_INLINE std::byte* Tensor::mutable_raw() {
  if (storage_.use_count() > 1) {
    std::shared_ptr<std::byte> mine = allocate_bytes(bytes());
    std::memcpy(mine.get(), storage_.get(), bytes());
    storage_ = std::move(mine);
  }
  return storage_.get();
}

LAYERSCOPE_INLINE AnyView Tensor::view() const {
  return AnyView(storage_.get(), dtype_, shape_, storage_);
}

LAYERSCOPE_INLINE void convert_into(const AnyView& view, DType dtype, void* out) {
  if (view.dtype() == dtype && view.contiguous()) {
    if (!view.empty()) std::memcpy(out, view.data(), static_cast<std::size_t>(view.size()) * size_of(dtype));
    return;
  }
  visit_dtype(view.dtype(), [&](auto element) {
    using From = decltype(element);
    if (dtype == dtype_of<From>) return detail::convert_rows<From>(view, static_cast<From*>(out));
    if (dtype == DType::f32) return detail::convert_rows<From>(view, static_cast<float*>(out));
    if (dtype == DType::f64) return detail::convert_rows<From>(view, static_cast<double*>(out));
    if (dtype == DType::i64) return detail::convert_rows<From>(view, static_cast<std::int64_t*>(out));
    throw Error(ErrorCode::unsupported, std::string("convert: ") + name(view.dtype()) + " to " + name(dtype) +
                                            "; expected float32, float64, int64 or the type it has");
  });
}

LAYERSCOPE_INLINE Tensor convert(const AnyView& view, DType dtype) {
  Tensor result(dtype, view.shape(), allocate_bytes(byte_count(dtype, view.shape())));
  convert_into(view, dtype, result.mutable_raw());
  return result;
}

LAYERSCOPE_INLINE Tensor copy(const AnyView& view) {
  return convert(view, view.dtype());
}

LAYERSCOPE_INLINE AnyView contiguous(const AnyView& view, DType dtype) {
  if (view.dtype() == dtype && view.contiguous()) return view;
  return convert(view, dtype).view();
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
