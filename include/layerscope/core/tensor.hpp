// An owning, row-major tensor with value semantics, and the conversions that fill one from any view.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Owned elements, row-major without gaps, aligned to 64 bytes. Copies share the storage until one of them is written
/// through mutable_data(), which then takes a copy of its own: cheap to pass on, safe to change.
class Tensor {
 public:
  Tensor() = default;
  /// Zeros. Throws Error(too_large) when the bytes exceed 2^63 − 1, std::bad_alloc when memory is short.
  Tensor(DType dtype, const Shape& shape);
  /// Adopts `storage`, which must hold the bytes of `shape`.
  Tensor(DType dtype, const Shape& shape, std::shared_ptr<std::byte> storage);

  DType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }
  int rank() const noexcept { return shape_.rank(); }
  std::int64_t extent(int axis) const noexcept { return shape_[axis]; }
  std::int64_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::size_t bytes() const noexcept { return static_cast<std::size_t>(size_) * size_of(dtype_); }

  const void* raw() const noexcept { return storage_.get(); }
  /// The elements. Throws Error(invalid_argument) unless the element type is exactly T.
  template <Element T>
  const T* data() const {
    if (dtype_ != dtype_of<T>) detail::throw_wrong_dtype(dtype_, dtype_of<T>);
    return reinterpret_cast<const T*>(storage_.get());
  }
  /// The elements, writable; takes a private copy first when another Tensor or view shares them.
  template <Element T>
  T* mutable_data() {
    if (dtype_ != dtype_of<T>) detail::throw_wrong_dtype(dtype_, dtype_of<T>);
    return reinterpret_cast<T*>(mutable_raw());
  }
  std::byte* mutable_raw();

  /// A view that shares the storage and so outlives this object.
  AnyView view() const;
  operator AnyView() const { return view(); }  // NOLINT(google-explicit-constructor): as std::string to string_view

 private:
  DType dtype_ = DType::f32;
  Shape shape_{0};
  std::int64_t size_ = 0;
  std::shared_ptr<std::byte> storage_;
};

/// The bytes of a tensor of this type and shape. Throws Error(too_large) beyond 2^63 − 1.
std::size_t byte_count(DType dtype, const Shape& shape);

/// Uninitialised bytes, aligned to 64. Throws std::bad_alloc.
std::shared_ptr<std::byte> allocate_bytes(std::size_t bytes);

/// A row-major copy of the view, element type kept.
Tensor copy(const AnyView& view);

/// A row-major copy converted to float32, float64, int64 (truncated and saturated, NaN becomes 0) or the type it has.
/// Throws Error(unsupported) for another target.
Tensor convert(const AnyView& view, DType dtype);

/// As convert(), into memory of the caller that holds view.size() elements of `dtype`.
void convert_into(const AnyView& view, DType dtype, void* out);

/// The view itself when it is row-major of the type wanted already, else a view that owns a converted copy.
AnyView contiguous(const AnyView& view, DType dtype);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/tensor_inl.hpp>
#endif
