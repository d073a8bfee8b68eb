// Adapters for xtensor: xarray, xtensor, xtensor_fixed, what adapt() makes, views of these, and expressions.
//
// Shape and strides are those of the expression, in any storage order; xtensor's stride of 0 for an extent of 1 is
// never used. What lies in memory at fixed strides is borrowed. Everything else (a + b, a reduction, a view with
// keep(), drop() or a mask, a broadcast) is evaluated once into an array that the view owns.
//
// xt::adapt(pointer, …) and xt::view(named, …) own no elements: what is behind them must outlive the view, also where
// they are temporaries themselves.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/adapter.hpp>
#include <layerscope/core/detail/dims_of.hpp>

#include <xtensor/xarray.hpp>
#include <xtensor/xexpression.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

template <class X>
concept Xtensor = xt::is_xexpression<X>::value;

/// std::vector<bool>, which adapt() takes: it declares data(), and has no elements in memory.
template <class Storage>
inline constexpr bool xtensor_packed = false;
template <class Allocator>
inline constexpr bool xtensor_packed<std::vector<bool, Allocator>> = true;
template <class X>
concept XtensorPacked = xtensor_packed<std::remove_cvref_t<typename X::storage_type>>;

/// Whether the elements lie in memory, at fixed strides.
template <class X>
concept XtensorInMemory = !XtensorPacked<X> && requires(const X& x) {
  { x.data() } -> std::convertible_to<const typename X::value_type*>;
  { x.element(&x.shape()[0], &x.shape()[0]) } -> std::same_as<const typename X::value_type&>;
  x.strides()[0];
};

}  // namespace detail

/// Throws Error(invalid_argument) for more than eight dimensions.
template <detail::Xtensor X>
struct adapter<X> {
  using Value = std::remove_cv_t<typename X::value_type>;
  using T = std::conditional_t<Element<Value>, Value, float>;
  static constexpr bool borrows = !detail::XtensorInMemory<X>;  // an expression is evaluated by view()

  static TensorView<T> view(const X& x) {
    if constexpr (!Element<Value>) {
      static_assert(detail::never<X>,
                    "layerscope: the elements of this xtensor expression are no real numbers of at most 8 bytes; pass "
                    "xt::real(x), xt::imag(x) or xt::abs(x) of complex ones, xt::cast<double>(x) of long double");
      return {};
    } else if constexpr (detail::XtensorInMemory<X>) {
      return borrow(x, nullptr);
    } else {
      detail::dims_of("xtensor", x.dimension(), [](std::size_t) { return 0; });  // before the work
      const auto evaluated = std::make_shared<const xt::xarray<T>>(x);
      return adapter<xt::xarray<T>>::borrow(*evaluated, evaluated);
    }
  }

  /// A view of elements in memory that holds `owner`.
  static TensorView<T> borrow(const X& x, Owner owner) {
    const Shape shape = detail::dims_of("xtensor", x.dimension(), [&](std::size_t axis) { return x.shape()[axis]; });
    if (element_count(shape) == 0) return {nullptr, shape, std::move(owner)};
    // Not data() + data_offset(): xtensor 0.24 gets the offset wrong in a column-major view with a newaxis().
    constexpr std::size_t origin[max_rank] = {};
    const T* const first = std::addressof(x.element(origin, origin + x.dimension()));
    return {first, shape,
            detail::dims_of("xtensor", x.dimension(), [&](std::size_t axis) { return x.strides()[axis]; }),
            std::move(owner)};
  }
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
