// Adapter for mdspan, by its interface: std::mdspan, the reference implementation, cuda::std::mdspan or a class of the
// user's. No header of theirs is included, as few compilers ship one.
//
// Shape and strides are those of the mdspan: a layout_left is column-major, a padded layout keeps its gaps. Any layout
// that has strides is read in place. An mdspan owns nothing: what it points at must outlive the view, also where the
// mdspan itself is a temporary. For an mdarray, pass x.to_mdspan().
// Source: [mdspan.mdspan.overview] and [mdspan.layout.reqmts] of C++23.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/adapter.hpp>
#include <layerscope/core/detail/dims_of.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

template <class X>
concept MdspanLike = requires(const X& x, typename X::rank_type axis) {
  typename X::element_type;
  typename X::index_type;
  typename X::reference;
  typename X::data_handle_type;
  typename X::mapping_type;
  { X::rank() } -> std::convertible_to<std::size_t>;
  x.extent(axis);
  x.data_handle();
  x.mapping();
  x.accessor();
};

/// Whether the mapping has a stride per axis, whose type is known only once there is an axis.
template <class X>
concept MdspanStrided = X::rank()
== 0 || requires(const typename X::mapping_type& m, typename X::rank_type axis) {
  { m.stride(axis) } -> std::convertible_to<std::int64_t>;
  { m.is_strided() } -> std::convertible_to<bool>;
};

/// Whether the accessor hands out the elements themselves, as default_accessor does.
template <class X>
concept MdspanPlain = std::is_pointer_v<std::remove_cv_t<typename X::data_handle_type>> &&
    std::is_same_v<typename X::reference, typename X::element_type&>;

}  // namespace detail

/// Throws Error(unsupported) for a mapping that may have strides but has none (is_strided() is false), and for an
/// accessor that turns out not to give element i of its pointer for the offset i.
template <detail::MdspanLike X>
struct adapter<X> {
  static constexpr bool borrows = true;
  using T = std::conditional_t<Element<typename X::element_type>, std::remove_const_t<typename X::element_type>, float>;

  static TensorView<T> view(const X& x) {
    static_assert(Element<typename X::element_type>,
                  "layerscope: the elements of this mdspan are no real numbers of at most 8 bytes; copy them, or their "
                  "real and imaginary parts, into an array of float or double");
    static_assert(X::rank() <= max_rank, "layerscope: this mdspan has more than the 8 dimensions supported");
    static_assert(detail::MdspanStrided<X>,
                  "layerscope: the layout of this mdspan has no strides, so that no view can follow it; copy the "
                  "elements into one that has (layout_right, layout_left, layout_stride)");
    static_assert(detail::MdspanPlain<X>,
                  "layerscope: the accessor of this mdspan computes its elements, which lie nowhere in memory; copy "
                  "them into an array, and view that");
    if constexpr (Element<typename X::element_type> && detail::MdspanStrided<X> && detail::MdspanPlain<X>) {
      return in_place(x, std::make_index_sequence<X::rank()>());
    } else {
      return {};
    }
  }

 private:
  using Index = typename X::index_type;
  using Axis = typename X::rank_type;

  template <std::size_t... axis>
  static TensorView<T> in_place(const X& x, std::index_sequence<axis...>) {
    const Axis rank = X::rank();
    const Shape shape = detail::dims_of("mdspan", rank, [&](Axis r) { return x.extent(r); });
    if (element_count(shape) == 0) return {nullptr, shape};
    Strides strides;
    if constexpr (X::rank() > 0) {
      if (!x.mapping().is_strided()) {
        throw Error(ErrorCode::unsupported,
                    "mdspan: the layout has no strides for these extents; expected is_strided() to be true");
      }
      strides = detail::dims_of("mdspan", rank, [&](Axis r) { return x.mapping().stride(r); });
    }
    element(x, static_cast<Index>(x.mapping()(static_cast<Index>(x.extent(axis) - 1)...)));
    // The offset of the first element need not be 0: a reversed layout has its largest there.
    return {element(x, static_cast<Index>(x.mapping()(static_cast<Index>(axis * 0)...))), shape, strides};
  }

  /// Where the accessor finds the element at an offset, which must be where a plain pointer does.
  static const T* element(const X& x, Index offset) {
    const T* const found = std::addressof(x.accessor().access(x.data_handle(), static_cast<std::size_t>(offset)));
    if (found != x.data_handle() + offset) {
      throw Error(ErrorCode::unsupported,
                  "mdspan: the accessor finds the offset " + to_text(offset) +
                      " elsewhere than the pointer; expected one that does as default_accessor");
    }
    return found;
  }
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
