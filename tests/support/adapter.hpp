// A view against the plain row-major copy that is made with the library's own element access.
#pragma once

#include <layerscope/core/tensor.hpp>

#include "support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace layerscope_test {

/// Element `i` of a sequence of any bits that the type has, NaN and -0 among them.
template <class T>
T pattern(std::size_t i) {
  std::uint64_t bits = (static_cast<std::uint64_t>(i) + 1) * 0x9E3779B97F4A7C15u;
  bits = (bits ^ (bits >> 31)) * 0xBF58476D1CE4E5B9u;
  bits ^= bits >> 29;
  if constexpr (std::is_same_v<T, bool>) {
    return bits % 3 == 0;
  } else {
    T value{};
    std::memcpy(static_cast<void*>(&value), &bits, sizeof value);
    return value;
  }
}

/// The copy of `view` has the type, the shape and the bits of `plain`.
inline void check_same(const layerscope::AnyView& view, const layerscope::Tensor& plain) {
  REQUIRE(view.dtype() == plain.dtype());
  REQUIRE(view.shape() == plain.shape());
  const layerscope::Tensor copy = layerscope::copy(view);
  CHECK(copy.bytes() == plain.bytes());
  CHECK(std::memcmp(copy.raw(), plain.raw(), plain.bytes()) == 0);
}

/// The copy of `view` has this shape and, bit by bit, the elements at(index); at() takes a Dims of one index an axis.
template <class T, class F>
void check_copy(const layerscope::AnyView& view, const layerscope::Shape& shape, F at) {
  layerscope::Tensor plain(layerscope::dtype_of<T>, shape);
  std::byte* out = plain.mutable_raw();
  layerscope::Dims index = shape;
  for (int axis = 0; axis < shape.rank(); ++axis) index[axis] = 0;
  for (std::int64_t i = 0; i < plain.size(); ++i, out += sizeof(T)) {
    const auto value = at(index);
    static_assert(sizeof value == sizeof(T));
    std::memcpy(out, &value, sizeof value);
    for (int axis = shape.rank() - 1; axis >= 0 && ++index[axis] == shape[axis]; --axis) index[axis] = 0;
  }
  check_same(view, plain);
}

/// What an object of the library gives: a view that reads in place, of memory that starts at `data`.
inline void check_borrowed(const layerscope::AnyView& view, const void* data) {
  CHECK(view.data() == data);
  CHECK(view.owner() == nullptr);
}

}  // namespace layerscope_test
