// Adapters for Eigen 3.4: matrices, arrays, maps, references, blocks, transposes and expressions of them.
//
// A matrix is [rows, columns] whatever its storage order; a vector, a type with one row or one column known at compile
// time, is [size]. What lies in memory is borrowed with its strides; an expression that must be computed first (a * b,
// a + b, a.cast<float>()) is evaluated once into a matrix that the view owns.
//
// Map, Ref and Block own no elements. A view of a temporary one is as good as the matrix behind it: it must outlive the
// view. The matrix inside a temporary `Ref<const MatrixXf>(a * b)` does not; write view(a * b).
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/adapter.hpp>

#include <Eigen/Core>

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The element type of a view of Eigen's scalar: Eigen's own 16-bit floats have the same bits as ours.
template <class Scalar>
struct eigen_element {
  using type = Scalar;
};
template <>
struct eigen_element<Eigen::half> {
  using type = Half;
};
template <>
struct eigen_element<Eigen::bfloat16> {
  using type = BFloat16;
};

template <class Derived>
Derived eigen_derived(const Eigen::DenseBase<Derived>&);

/// The Eigen type that X is, or derives from.
template <class X>
using EigenType = decltype(eigen_derived(std::declval<const X&>()));

template <class X>
concept EigenDense = requires {
  typename EigenType<X>;
}
&&Element<typename eigen_element<typename EigenType<X>::Scalar>::type>;

/// Whether the elements lie in memory, at fixed strides.
template <class E>
concept EigenInMemory = (int(E::Flags) & Eigen::DirectAccessBit) != 0 && requires(const E& x) {
  x.data();
};

}  // namespace detail

template <detail::EigenDense X>
struct adapter<X> {
  using E = detail::EigenType<X>;
  using T = typename detail::eigen_element<typename E::Scalar>::type;

  /// True unless X is a Matrix or an Array: an expression is evaluated by view(), and the rest owns no elements.
  static constexpr bool borrows = !std::is_base_of_v<Eigen::PlainObjectBase<E>, E>;

  static TensorView<T> view(const X& object) {
    const E& x = object;
    if constexpr (detail::EigenInMemory<E>) {
      return borrow(x, nullptr);
    } else {
      const auto evaluated = std::make_shared<const typename E::PlainObject>(x);
      return adapter<typename E::PlainObject>::borrow(*evaluated, evaluated);
    }
  }

  /// A view of elements in memory that holds `owner`.
  static TensorView<T> borrow(const E& x, Owner owner) {
    const T* const data = reinterpret_cast<const T*>(x.data());
    if constexpr (E::IsVectorAtCompileTime) {
      return {data, {std::int64_t{x.size()}}, {std::int64_t{x.innerStride()}}, std::move(owner)};
    } else {
      return {data,
              {std::int64_t{x.rows()}, std::int64_t{x.cols()}},
              {std::int64_t{x.rowStride()}, std::int64_t{x.colStride()}},
              std::move(owner)};
    }
  }
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
