// Body of core/tensor.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

template <class From>
std::int64_t to_integer(From value) noexcept {
  if constexpr (std::is_same_v<From, double>) {
    if (is_nan(value)) return 0;
    if (value <= -0x1p63) return (std::numeric_limits<std::int64_t>::min)();
    if (value >= 0x1p63) return (std::numeric_limits<std::int64_t>::max)();
    return static_cast<std::int64_t>(value);
  } else if constexpr (std::is_same_v<From, std::uint64_t>) {
    constexpr auto largest = (std::numeric_limits<std::int64_t>::max)();
    return value > static_cast<std::uint64_t>(largest) ? largest : static_cast<std::int64_t>(value);
  } else if constexpr (std::is_integral_v<From>) {
    return static_cast<std::int64_t>(value);
  } else {
    return to_integer(static_cast<double>(static_cast<float>(value)));
  }
}

template <class To, class From>
To convert_element(From value) noexcept {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<To, std::int64_t>) {
    return to_integer(value);
  } else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>) {
    return static_cast<To>(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

/// A view with axes of extent 1 dropped and neighbours that advance as one merged: the fewest, longest inner loops.
struct Loop {
  Shape extents;
  Strides strides;
};

inline Loop merged_loop(const AnyView& view) {
  Loop loop;
  for (int axis = 0; axis < view.rank(); ++axis) {
    if (view.extent(axis) == 1) continue;
    const int last = loop.extents.rank() - 1;
    if (last >= 0 && loop.strides[last] == view.strides()[axis] * view.extent(axis)) {
      loop.extents[last] *= view.extent(axis);
      loop.strides[last] = view.strides()[axis];
    } else {
      loop.extents.push_back(view.extent(axis));
      loop.strides.push_back(view.strides()[axis]);
    }
  }
  if (loop.extents.rank() == 0) {
    loop.extents.push_back(1);
    loop.strides.push_back(1);
  }
  return loop;
}

/// Calls `row(pointer, count, stride)` for every innermost run of the view, in row-major order.
template <class T, class Row>
void for_each_row(const AnyView& view, Row row) {
  if (view.empty()) return;
  const Loop loop = merged_loop(view);
  const int inner = loop.extents.rank() - 1;
  const T* const base = static_cast<const T*>(view.data());
  Dims index = loop.extents;
  for (int axis = 0; axis <= inner; ++axis) index[axis] = 0;
  for (;;) {
    std::int64_t offset = 0;
    for (int axis = 0; axis < inner; ++axis) offset += index[axis] * loop.strides[axis];
    row(base + offset, loop.extents[inner], loop.strides[inner]);
    int axis = inner - 1;
    while (axis >= 0 && ++index[axis] == loop.extents[axis]) index[axis--] = 0;
    if (axis < 0) return;
  }
}

template <class From, class To>
void convert_rows(const AnyView& view, To* out) {
  for_each_row<From>(view, [&out](const From* in, std::int64_t count, std::int64_t stride) {
    if (stride == 1) {
      if constexpr (std::is_same_v<From, To>) {
        std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(To));
      } else {
        for (std::int64_t i = 0; i < count; ++i) out[i] = convert_element<To>(in[i]);
      }
    } else {
      for (std::int64_t i = 0; i < count; ++i) out[i] = convert_element<To>(in[i * stride]);
    }
    out += count;
  });
}

}  // namespace detail

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
