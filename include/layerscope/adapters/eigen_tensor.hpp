// Adapters for Eigen's unsupported Tensor module (3.4): Tensor, TensorFixedSize, TensorMap, TensorRef and expressions.
//
// Axes keep their order in both layouts: element (i, j, k) of the tensor is element (i, j, k) of the view, whose
// strides rise from the left for ColMajor, Eigen's default, and from the right for RowMajor. What lies in memory is
// borrowed; a TensorRef and an expression (a + b, a.shuffle(…), a.sum(…)) are evaluated once, on the calling thread,
// into a tensor that the view owns.
//
// TensorMap owns no elements: a view of a temporary one is as good as the memory behind it, which must outlive the
// view.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/adapter.hpp>

#include <unsupported/Eigen/CXX11/Tensor>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The element type of a view of Eigen's scalar: Eigen's own 16-bit floats have the same bits as ours.
template <class Scalar>
struct eigen_tensor_element {
  using type = Scalar;
};
template <>
struct eigen_tensor_element<Eigen::half> {
  using type = Half;
};
template <>
struct eigen_tensor_element<Eigen::bfloat16> {
  using type = BFloat16;
};

template <class Derived>
Derived eigen_tensor_derived(const Eigen::TensorBase<Derived, Eigen::ReadOnlyAccessors>&);

/// The tensor type that X is, or derives from.
template <class X>
using EigenTensorType = decltype(eigen_tensor_derived(std::declval<const X&>()));

template <class X>
using EigenTensorScalar = std::remove_const_t<typename Eigen::internal::traits<EigenTensorType<X>>::Scalar>;

template <class X>
concept EigenTensor = requires {
  typename EigenTensorType<X>;
}
&&Element<typename eigen_tensor_element<EigenTensorScalar<X>>::type>;

template <class E>
inline constexpr bool eigen_tensor_owns = false;
template <class Scalar, int rank, int options, class Index>
inline constexpr bool eigen_tensor_owns<Eigen::Tensor<Scalar, rank, options, Index>> = true;
template <class Scalar, class Sizes, int options, class Index>
inline constexpr bool eigen_tensor_owns<Eigen::TensorFixedSize<Scalar, Sizes, options, Index>> = true;

template <class E>
inline constexpr bool eigen_tensor_maps = false;
template <class Plain, int options, template <class> class Pointer>
inline constexpr bool eigen_tensor_maps<Eigen::TensorMap<Plain, options, Pointer>> = true;

}  // namespace detail

template <detail::EigenTensor X>
struct adapter<X> {
  using E = detail::EigenTensorType<X>;
  using Scalar = detail::EigenTensorScalar<X>;
  using T = typename detail::eigen_tensor_element<Scalar>::type;

  /// True unless X is a Tensor or a TensorFixedSize: an expression is evaluated by view(), and a map owns no elements.
  static constexpr bool borrows = !detail::eigen_tensor_owns<E>;

  static TensorView<T> view(const X& object) {
    const E& x = object;
    if constexpr (detail::eigen_tensor_owns<E> || detail::eigen_tensor_maps<E>) {
      return borrow(x, nullptr);
    } else {
      using Traits = Eigen::internal::traits<E>;
      using Plain = Eigen::Tensor<Scalar, Traits::NumDimensions, Traits::Layout, typename Traits::Index>;
      const auto evaluated = std::make_shared<const Plain>(x);
      return adapter<Plain>::borrow(*evaluated, evaluated);
    }
  }

  /// A view of elements in memory that holds `owner`.
  static TensorView<T> borrow(const E& x, Owner owner) {
    constexpr int rank = static_cast<int>(Eigen::internal::traits<E>::NumDimensions);
    static_assert(rank <= max_rank, "layerscope: an Eigen tensor of more than 8 dimensions has no view");
    Shape shape, strides;
    // Constants, as dimension() takes a signed number in some of Eigen's classes and an unsigned one in others.
    [&]<std::size_t... axis>(std::index_sequence<axis...>) {
      (shape.push_back(std::int64_t{x.dimension(axis)}), ...);
    }
    (std::make_index_sequence<static_cast<std::size_t>(rank)>());
    for (int axis = 0; axis < rank; ++axis) strides.push_back(1);
    if constexpr (static_cast<int>(Eigen::internal::traits<E>::Layout) == static_cast<int>(Eigen::ColMajor)) {
      for (int axis = 1; axis < rank; ++axis) strides[axis] = strides[axis - 1] * shape[axis - 1];
    } else {
      for (int axis = rank - 2; axis >= 0; --axis) strides[axis] = strides[axis + 1] * shape[axis + 1];
    }
    return {reinterpret_cast<const T*>(x.data()), shape, strides, std::move(owner)};
  }
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
