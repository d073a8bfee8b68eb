// Adapters for the standard library: std::vector, std::array, std::span, C arrays, and Tensor itself.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/adapter.hpp>
#include <layerscope/core/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Shape [size]. Not std::vector<bool>, which has no elements in memory.
template <Element T, class Allocator>
requires(!std::is_same_v<T, bool>) struct adapter<std::vector<T, Allocator>> {
  static TensorView<T> view(const std::vector<T, Allocator>& x) {
    return {x.data(), {static_cast<std::int64_t>(x.size())}};
  }
};

/// Shape [n].
template <Element T, std::size_t n>
struct adapter<std::array<T, n>> {
  static TensorView<T> view(const std::array<T, n>& x) { return {x.data(), {static_cast<std::int64_t>(n)}}; }
};

/// Shape [size].
template <Element T, std::size_t n>
struct adapter<std::span<T, n>> {
  static constexpr bool borrows = true;
  static TensorView<std::remove_const_t<T>> view(std::span<T, n> x) {
    return {x.data(), {static_cast<std::int64_t>(x.size())}};
  }
};

/// Shape of the array: float x[2][3] is [2, 3].
template <class T, std::size_t n>
requires Element<std::remove_all_extents_t<T>>
struct adapter<T[n]> {
  using Scalar = std::remove_const_t<std::remove_all_extents_t<T>>;

  static TensorView<Scalar> view(const T (&x)[n]) {
    Shape shape;
    add_extents<T[n]>(shape);
    return {reinterpret_cast<const Scalar*>(&x), shape};
  }

 private:
  template <class Array>
  static void add_extents(Shape& shape) {
    if constexpr (std::is_array_v<Array>) {
      shape.push_back(static_cast<std::int64_t>(std::extent_v<Array>));
      add_extents<std::remove_extent_t<Array>>(shape);
    }
  }
};

template <>
struct adapter<Tensor> {
  static constexpr bool borrows = true;  // the view shares the storage
  static AnyView view(const Tensor& x) { return x.view(); }
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
