// Reads the elements of a strided view: conversion of one, and visits in row-major order in the longest runs that the
// strides allow. Templates only, so that any source may include it.
#pragma once

#include <layerscope/core/finite.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

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

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
