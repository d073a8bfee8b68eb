// Body of core/tensor_view.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <limits>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

LAYERSCOPE_INLINE void throw_wrong_dtype(DType found, DType expected) {
  throw Error(ErrorCode::invalid_argument,
              std::string("view: elements are ") + name(found) + "; expected " + name(expected));
}

/// Every byte offset reachable through the strides must fit in 63 bits, or pointer arithmetic would overflow.
inline void check_reach(const Shape& shape, const Strides& strides, std::size_t element_bytes) {
  std::int64_t low = 0;
  std::int64_t high = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    std::int64_t span = 0;
    std::int64_t& side = strides[axis] < 0 ? low : high;
    if (__builtin_mul_overflow(shape[axis] - 1, strides[axis], &span) || __builtin_add_overflow(side, span, &side)) {
      throw Error(ErrorCode::too_large, "view: strides " + to_text(strides) + " over the extents " + to_text(shape) +
                                            " reach beyond 2^63 - 1 elements");
    }
  }
  std::int64_t bytes = 0;
  if (__builtin_sub_overflow(high, low, &bytes) ||
      __builtin_mul_overflow(bytes, static_cast<std::int64_t>(element_bytes), &bytes)) {
    throw Error(ErrorCode::too_large, "view: strides " + to_text(strides) + " over the extents " + to_text(shape) +
                                          " reach beyond 2^63 - 1 bytes");
  }
}

/// Whether an axis of stride `outer` goes on where one of `extent` entries of stride `inner` ends.
inline bool goes_on(std::int64_t outer, std::int64_t inner, std::int64_t extent) noexcept {
  std::int64_t end = 0;  // one entry beyond the reach that was checked
  return !__builtin_mul_overflow(inner, extent, &end) && outer == end;
}

inline void check_axis(int axis, const Shape& shape) {
  if (axis < 0 || axis >= shape.rank()) {
    throw Error(ErrorCode::invalid_argument, "view: axis " + to_text(axis) + " does not exist in the shape " +
                                                 to_text(shape) + "; expected 0 to " + to_text(shape.rank() - 1));
  }
}

}  // namespace detail

LAYERSCOPE_INLINE AnyView::AnyView(const void* data, DType dtype, const Shape& shape, const Strides& strides,
                                   Owner owner)
    : data_(data),
      dtype_(dtype),
      shape_(shape),
      strides_(strides),
      size_(element_count(shape)),
      owner_(std::move(owner)) {
  if (shape.rank() != strides.rank()) {
    throw Error(ErrorCode::invalid_argument,
                "view: strides " + to_text(strides) + " given for the shape " + to_text(shape) + "; expected one each");
  }
  if (size_ == 0) return;
  if (data == nullptr) {
    throw Error(ErrorCode::invalid_argument, "view: null pointer given for the shape " + to_text(shape));
  }
  detail::check_reach(shape, strides, size_of(dtype));
}

LAYERSCOPE_INLINE AnyView::AnyView(const void* data, DType dtype, const Shape& shape, Owner owner)
    : AnyView(data, dtype, shape, row_major_strides(shape), std::move(owner)) {}

LAYERSCOPE_INLINE bool AnyView::contiguous() const noexcept {
  if (size_ == 0) return true;
  std::int64_t expected = 1;
  for (int axis = rank() - 1; axis >= 0; --axis) {
    if (shape_[axis] != 1 && strides_[axis] != expected) return false;
    expected *= shape_[axis];
  }
  return true;
}

LAYERSCOPE_INLINE AnyView AnyView::narrow(int axis, std::int64_t start, std::int64_t count, std::int64_t step) const {
  detail::check_axis(axis, shape_);
  const std::int64_t extent = shape_[axis];
  bool inside = start >= 0 && count >= 0 && start <= extent;
  if (inside && count > 0) {
    std::int64_t last = 0;
    inside = start < extent && !__builtin_mul_overflow(count - 1, step, &last) &&
             !__builtin_add_overflow(last, start, &last) && last >= 0 && last < extent;
  }
  if (!inside) {
    throw Error(ErrorCode::invalid_argument, "view: " + to_text(count) + " entries from " + to_text(start) +
                                                 " by step " + to_text(step) + " leave axis " + to_text(axis) +
                                                 " of extent " + to_text(extent));
  }
  AnyView result = *this;
  result.shape_[axis] = count;
  result.size_ = element_count(result.shape_);
  if (result.size_ > 0) {
    const std::int64_t bytes = static_cast<std::int64_t>(size_of(dtype_));
    result.data_ = static_cast<const std::byte*>(data_) + start * strides_[axis] * bytes;
    // With one entry left the stride is never used, and step * stride might overflow.
    if (count > 1) result.strides_[axis] = strides_[axis] * step;
  }
  return result;
}

LAYERSCOPE_INLINE AnyView AnyView::select(int axis, std::int64_t index) const {
  const AnyView row = narrow(axis, index, 1);
  AnyView result = row;
  result.shape_ = Shape();
  result.strides_ = Strides();
  for (int kept = 0; kept < rank(); ++kept) {
    if (kept == axis) continue;
    result.shape_.push_back(row.shape_[kept]);
    result.strides_.push_back(row.strides_[kept]);
  }
  return result;
}

LAYERSCOPE_INLINE AnyView AnyView::permute(std::span<const int> axes) const {
  bool seen[max_rank] = {};
  bool valid = static_cast<int>(axes.size()) == rank();
  for (const int axis : axes) {
    valid = valid && axis >= 0 && axis < rank() && !seen[axis];
    if (valid) seen[axis] = true;
  }
  if (!valid) {
    throw Error(ErrorCode::invalid_argument,
                "view: permute needs each axis of the shape " + to_text(shape_) + " exactly once");
  }
  AnyView result = *this;
  for (int i = 0; i < rank(); ++i) {
    result.shape_[i] = shape_[axes[static_cast<std::size_t>(i)]];
    result.strides_[i] = strides_[axes[static_cast<std::size_t>(i)]];
  }
  return result;
}

LAYERSCOPE_INLINE AnyView AnyView::permute(std::initializer_list<int> axes) const {
  return permute(std::span(axes.begin(), axes.size()));
}

LAYERSCOPE_INLINE std::optional<AnyView> AnyView::reshape(const Shape& shape) const {
  if (element_count(shape) != size_) {
    throw Error(ErrorCode::invalid_argument, "view: the shape " + to_text(shape_) + " has " + to_text(size_) +
                                                 " elements and cannot become " + to_text(shape));
  }
  AnyView result = *this;
  result.shape_ = shape;
  result.strides_ = row_major_strides(shape);
  if (size_ == 0 || contiguous()) return result;

  // Drop axes of extent 1 and merge neighbours that advance as one; then cut each merged run into new axes.
  Shape run_extents;
  Strides run_strides;
  for (int axis = 0; axis < rank(); ++axis) {
    if (shape_[axis] == 1) continue;
    const int last = run_extents.rank() - 1;
    if (last >= 0 && detail::goes_on(run_strides[last], strides_[axis], shape_[axis])) {
      run_extents[last] *= shape_[axis];
      run_strides[last] = strides_[axis];
    } else {
      run_extents.push_back(shape_[axis]);
      run_strides.push_back(strides_[axis]);
    }
  }
  int run = run_extents.rank() - 1;
  std::int64_t taken = 1;  // elements of the current run that inner new axes have used up
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (shape[axis] == 1) continue;
    if (taken == run_extents[run]) {
      --run;
      taken = 1;
    }
    if (run_extents[run] % (taken * shape[axis]) != 0) return std::nullopt;
    result.strides_[axis] = run_strides[run] * taken;
    taken *= shape[axis];
  }
  return result;
}

LAYERSCOPE_INLINE AnyView AnyView::with_owner(Owner owner) const {
  AnyView result = *this;
  result.owner_ = std::move(owner);
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
