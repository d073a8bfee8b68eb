// How layerscope sees tensors of other libraries: the trait `adapter<X>` and the function view(x) that finds it.
//
// To support your own type, specialise the trait:
//
//   template <>
//   struct layerscope::adapter<MyTensor> {
//     static layerscope::TensorView<float> view(const MyTensor& x) { return {x.data(), {x.rows(), x.columns()}}; }
//   };
//
// An adapter of a type that may live on another device may add two functions, which the recorder prefers to view():
//   static Shape shape(const X& x);                              // extents, without touching the elements
//   static AnyView read(const X& x, const Shape& extents);       // the leading `extents` of each axis, in host memory
// and one that says what a view of a temporary keeps alive, where that is less than the whole object:
//   static AnyView take(X&& x);
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Specialised per outside type. `view(const X&)` returns a TensorView<T> or an AnyView. A member
/// `static constexpr bool borrows = true` says that X itself does not own its elements (span, Map), so that a view of a
/// temporary X is as good as one of a named X.
template <class X>
struct adapter;

/// Types that view() accepts.
template <class X>
concept Adaptable = requires(const std::remove_cvref_t<X>& x) {
  { adapter<std::remove_cvref_t<X>>::view(x) } -> std::convertible_to<AnyView>;
};

template <Element T>
struct adapter<TensorView<T>> {
  static constexpr bool borrows = true;
  static const TensorView<T>& view(const TensorView<T>& x) noexcept { return x; }
};

template <>
struct adapter<AnyView> {
  static constexpr bool borrows = true;
  static const AnyView& view(const AnyView& x) noexcept { return x; }
};

namespace detail {

/// False, for the static_assert of a specialisation that is there to say why a type has no view.
template <class X>
inline constexpr bool never = false;

template <class X>
inline constexpr bool borrows = false;
template <class X>
requires requires {
  adapter<X>::borrows;
}
inline constexpr bool borrows<X> = adapter<X>::borrows;

template <class X>
constexpr void require_adapter() {
  static_assert(
      Adaptable<X>,
      "layerscope: no adapter for this type. Include the header of its library (<layerscope/adapters/X.hpp>, X being "
      "std, eigen, torch, dlpack, opencv, xtensor, armadillo, mdspan, dlib), or specialise layerscope::adapter<X> "
      "as <layerscope/core/adapter.hpp> shows.");
}

}  // namespace detail

/// The elements of `x`, without a copy where its memory can be read in place.
/// An lvalue is borrowed: it must outlive the view. An rvalue is moved into the view, which then owns it.
template <class X>
auto view(X&& x) {
  using Value = std::remove_cvref_t<X>;
  detail::require_adapter<Value>();
  if constexpr (Adaptable<Value>) {
    if constexpr (std::is_lvalue_reference_v<X> || detail::borrows<Value>) {
      return adapter<Value>::view(x);
    } else {
      static_assert(!std::is_const_v<std::remove_reference_t<X>>,
                    "layerscope: a const rvalue cannot be moved into a view");
      if constexpr (requires { adapter<Value>::take(std::forward<X>(x)); }) {
        return adapter<Value>::take(std::forward<X>(x));
      } else {
        auto held = std::make_shared<Value>(std::forward<X>(x));
        const AnyView borrowed = adapter<Value>::view(*held);
        if (borrowed.owner()) return AnyView(borrowed);  // of a copy that the adapter had to make
        return borrowed.with_owner(std::move(held));
      }
    }
  }
}

/// A view of memory by pointer and shape, row-major; it must outlive the view.
template <Element T>
TensorView<std::remove_const_t<T>> view(T* data, const Shape& shape) {
  return {data, shape};
}

/// A view of memory by pointer, shape and strides in elements; it must outlive the view.
template <Element T>
TensorView<std::remove_const_t<T>> view(T* data, const Shape& shape, const Strides& strides) {
  return {data, shape, strides};
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
