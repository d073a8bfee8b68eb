// Read-only strided views of tensors that somebody else owns: AnyView with a run-time element type, TensorView<T> with
// a compile-time one. Both are cheap values. A view may also carry a counted handle to the storage it reads.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/dtype.hpp>
#include <layerscope/core/shape.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace layerscope::inline LAYERSCOPE_ABI {

template <Element T>
class TensorView;

/// Keeps the storage behind a view alive; null for a view that only borrows.
using Owner = std::shared_ptr<const void>;

/// A view whose element type is known at run time: what every algorithm takes.
class AnyView {
 public:
  AnyView() = default;
  /// `data` points at element [0, …, 0]; `strides` are in elements. Throws Error(invalid_argument) when the ranks
  /// differ or an extent is negative, Error(too_large) when an extent product or an element's offset exceeds 64 bits,
  /// and Error(invalid_argument) for a null pointer to one or more elements.
  AnyView(const void* data, DType dtype, const Shape& shape, const Strides& strides, Owner owner = nullptr);
  /// Row-major without gaps.
  AnyView(const void* data, DType dtype, const Shape& shape, Owner owner = nullptr);

  const void* data() const noexcept { return data_; }
  DType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }
  const Strides& strides() const noexcept { return strides_; }
  int rank() const noexcept { return shape_.rank(); }
  std::int64_t extent(int axis) const noexcept { return shape_[axis]; }
  std::int64_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const Owner& owner() const noexcept { return owner_; }
  /// True when the elements lie row-major without gaps.
  bool contiguous() const noexcept;

  /// Entries start, start + step … (`count` of them) along `axis`. Throws Error(invalid_argument) outside the extents.
  AnyView narrow(int axis, std::int64_t start, std::int64_t count, std::int64_t step = 1) const;
  /// Entry `index` along `axis`, which disappears.
  AnyView select(int axis, std::int64_t index) const;
  /// Axes in the order given: permute({1, 0}) transposes a matrix.
  AnyView permute(std::initializer_list<int> axes) const;
  AnyView permute(std::span<const int> axes) const;
  /// The same elements in another shape, without a copy; std::nullopt where strides make that impossible.
  /// Throws Error(invalid_argument) when the element counts differ.
  std::optional<AnyView> reshape(const Shape& shape) const;
  /// The same view, holding `owner`.
  AnyView with_owner(Owner owner) const;

  /// The typed view. Throws Error(invalid_argument) unless the element type is exactly T.
  template <Element T>
  TensorView<T> as() const;

 private:
  const void* data_ = nullptr;
  DType dtype_ = DType::f32;
  Shape shape_{0};
  Strides strides_{1};
  std::int64_t size_ = 0;
  Owner owner_;
};

/// A view of elements of type T. Converts to AnyView implicitly.
template <Element T>
class TensorView {
 public:
  using value_type = T;

  TensorView() = default;
  TensorView(const T* data, const Shape& shape, const Strides& strides, Owner owner = nullptr)
      : view_(data, dtype_of<T>, shape, strides, std::move(owner)) {}
  TensorView(const T* data, const Shape& shape, Owner owner = nullptr)
      : view_(data, dtype_of<T>, shape, std::move(owner)) {}

  operator AnyView() const noexcept { return view_; }  // NOLINT(google-explicit-constructor): its type forgotten
  AnyView any() const noexcept { return view_; }

  const T* data() const noexcept { return static_cast<const T*>(view_.data()); }
  const Shape& shape() const noexcept { return view_.shape(); }
  const Strides& strides() const noexcept { return view_.strides(); }
  int rank() const noexcept { return view_.rank(); }
  std::int64_t extent(int axis) const noexcept { return view_.extent(axis); }
  std::int64_t size() const noexcept { return view_.size(); }
  bool empty() const noexcept { return view_.empty(); }
  bool contiguous() const noexcept { return view_.contiguous(); }

  /// Element at one index per axis; unchecked.
  template <std::convertible_to<std::int64_t>... Index>
  const T& operator()(Index... index) const noexcept {
    std::int64_t offset = 0;
    int axis = 0;
    ((offset += static_cast<std::int64_t>(index) * view_.strides()[axis++]), ...);
    return data()[offset];
  }

 private:
  friend class AnyView;
  explicit TensorView(AnyView view) : view_(std::move(view)) {}

  AnyView view_{nullptr, dtype_of<T>, Shape{0}};
};

namespace detail {
[[noreturn]] void throw_wrong_dtype(DType found, DType expected);
}

template <Element T>
TensorView<T> AnyView::as() const {
  if (dtype_ != dtype_of<T>) detail::throw_wrong_dtype(dtype_, dtype_of<T>);
  return TensorView<T>(*this);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/tensor_view_inl.hpp>
#endif
