// Body of core/shape.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/shape.hpp>

#include <algorithm>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE Dims::Dims(std::span<const std::int64_t> values) {
  if (values.size() > static_cast<std::size_t>(max_rank)) {
    throw Error(ErrorCode::invalid_argument, "shape: " + to_text(values.size()) + " dimensions exceed the 8 supported");
  }
  std::copy(values.begin(), values.end(), values_.begin());
  rank_ = static_cast<int>(values.size());
}

LAYERSCOPE_INLINE void Dims::push_back(std::int64_t value) {
  if (rank_ == max_rank) throw Error(ErrorCode::invalid_argument, "shape: 9 dimensions exceed the 8 supported");
  values_[static_cast<std::size_t>(rank_++)] = value;
}

LAYERSCOPE_INLINE std::int64_t element_count(const Shape& shape) {
  for (const std::int64_t extent : shape) {
    if (extent < 0) {
      throw Error(ErrorCode::invalid_argument,
                  "shape: extent " + to_text(extent) + " in " + to_text(shape) + " is negative; expected 0 or more");
    }
  }
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(count, extent, &count)) {
      throw Error(ErrorCode::too_large, "shape: the product of " + to_text(shape) + " exceeds 2^63 - 1 elements");
    }
  }
  return count;
}

LAYERSCOPE_INLINE Strides row_major_strides(const Shape& shape) {
  element_count(shape);
  Strides strides = shape;
  std::int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    // Only beside a zero extent, where no stride is ever used, can the other extents overflow.
    if (__builtin_mul_overflow(stride, (std::max<std::int64_t>)(shape[axis], 1), &stride)) stride = 0;
  }
  return strides;
}

LAYERSCOPE_INLINE std::string to_text(const Dims& dims) {
  std::string text = "[";
  for (int axis = 0; axis < dims.rank(); ++axis) {
    if (axis > 0) text += ", ";
    text += to_text(dims[axis]);
  }
  return text + "]";
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
