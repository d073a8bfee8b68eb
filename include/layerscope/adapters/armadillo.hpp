// Adapters for Armadillo: Mat, Col, Row, Cube, their fixed forms, submatrices and expressions.
//
// Armadillo stores column by column, and a data set has one sample per column. The view keeps the index order of the
// object: x(r, c) is element [r, c], so that a matrix of d features × n samples has the shape [d, n], layout "CN":
// algorithms that want samples first, such as pca(), take view(x).any().permute({1, 0}), which copies nothing. A cube
// is [rows, columns, slices], the layout "HWN" of a stack of images; permute({2, 0, 1}) makes "NHW" of it. A Col, a Row
// or an expression known to be one is [size].
//
// What lies in memory is borrowed with its strides; an expression, or a selection of elements by a list, is evaluated
// once into a matrix that the view owns. Submatrices own no elements: the matrix behind one must outlive the view.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/adapter.hpp>

#include <armadillo>

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

template <class T, class Derived>
T arma_dense(const arma::Base<T, Derived>&);
template <class T, class Derived>
T arma_cube(const arma::BaseCube<T, Derived>&);
template <class T, class Derived>
T arma_sparse(const arma::SpBase<T, Derived>&);

template <class X>
concept ArmaDense = requires(const X& x) {
  detail::arma_dense(x);
};
template <class X>
concept ArmaCube = requires(const X& x) {
  detail::arma_cube(x);
};
template <class X>
concept ArmaSparse = requires(const X& x) {
  detail::arma_sparse(x);
};

/// Whether X is, or derives from, an instance of Template<T>.
template <class X, template <class> class Template, class T>
concept ArmaIs = std::is_base_of_v<Template<T>, X>;

/// The element type of a view; stands in for one that has no view, after the static_assert about it.
template <class T>
using ArmaElement = std::conditional_t<Element<T>, T, float>;

template <class T>
TensorView<float> arma_no_element() {
  static_assert(never<T>,
                "layerscope: the elements of this Armadillo object are no real numbers of at most 8 bytes; pass "
                "arma::real(x), arma::imag(x) or arma::abs(x) of complex ones");
  return {};
}

template <class T>
std::int64_t arma_extent(T value) {
  return static_cast<std::int64_t>(value);
}

/// A view of rank 1 or 2 by rows, columns and their strides.
template <bool vector, class T>
TensorView<T> arma_matrix(const T* data, std::int64_t rows, std::int64_t columns, std::int64_t down,
                          std::int64_t across, Owner owner = nullptr) {
  if (rows * columns == 0) data = nullptr;
  if constexpr (vector) {
    return {data, {rows * columns}, {rows == 1 ? across : down}, std::move(owner)};
  } else {
    return {data, {rows, columns}, {down, across}, std::move(owner)};
  }
}

}  // namespace detail

template <detail::ArmaDense X>
struct adapter<X> {
  using Value = typename X::elem_type;
  using T = detail::ArmaElement<Value>;
  static constexpr bool vector = X::is_col || X::is_row;

  /// True unless X is a Mat, Col or Row: an expression is evaluated by view(), and the rest owns no elements.
  static constexpr bool borrows = !detail::ArmaIs<X, arma::Mat, Value>;

  static TensorView<T> view(const X& x) {
    if constexpr (!Element<Value>) {
      return detail::arma_no_element<Value>();
    } else if constexpr (detail::ArmaIs<X, arma::Mat, Value>) {
      return matrix(x, nullptr);
    } else if constexpr (detail::ArmaIs<X, arma::subview, Value>) {
      const std::int64_t across = detail::arma_extent(x.m.n_rows);
      const std::int64_t first = detail::arma_extent(x.aux_row1) + detail::arma_extent(x.aux_col1) * across;
      return detail::arma_matrix<vector>(x.m.memptr() + first, detail::arma_extent(x.n_rows),
                                         detail::arma_extent(x.n_cols), 1, across);
    } else if constexpr (detail::ArmaIs<X, arma::diagview, Value>) {
      const std::int64_t across = detail::arma_extent(x.m.n_rows);
      const std::int64_t first = detail::arma_extent(x.row_offset) + detail::arma_extent(x.col_offset) * across;
      return detail::arma_matrix<vector>(x.m.memptr() + first, detail::arma_extent(x.n_elem), 1, across + 1, 0);
    } else {
      const auto evaluated = std::make_shared<const arma::Mat<T>>(x);
      return matrix(*evaluated, evaluated);
    }
  }

 private:
  static TensorView<T> matrix(const arma::Mat<T>& x, Owner owner) {
    const std::int64_t rows = detail::arma_extent(x.n_rows);
    return detail::arma_matrix<vector>(x.memptr(), rows, detail::arma_extent(x.n_cols), 1, rows, std::move(owner));
  }
};

template <detail::ArmaCube X>
struct adapter<X> {
  using Value = typename X::elem_type;
  using T = detail::ArmaElement<Value>;

  /// True unless X is a Cube, as above.
  static constexpr bool borrows = !detail::ArmaIs<X, arma::Cube, Value>;

  static TensorView<T> view(const X& x) {
    if constexpr (!Element<Value>) {
      return detail::arma_no_element<Value>();
    } else if constexpr (detail::ArmaIs<X, arma::Cube, Value>) {
      return cube(x, x.memptr(), x, nullptr);
    } else if constexpr (detail::ArmaIs<X, arma::subview_cube, Value>) {
      return cube(x, x.m.memptr() + x.aux_row1 + x.m.n_rows * (x.aux_col1 + x.m.n_cols * x.aux_slice1), x.m, nullptr);
    } else {
      const auto evaluated = std::make_shared<const arma::Cube<T>>(x);
      return cube(*evaluated, evaluated->memptr(), *evaluated, evaluated);
    }
  }

 private:
  /// The extents of `x` from `first` on, in the memory of `whole`.
  template <class Part>
  static TensorView<T> cube(const Part& x, const T* first, const arma::Cube<T>& whole, Owner owner) {
    const std::int64_t across = detail::arma_extent(whole.n_rows);
    const std::int64_t deep = across * detail::arma_extent(whole.n_cols);
    return {x.n_elem == 0 ? nullptr : first,
            {detail::arma_extent(x.n_rows), detail::arma_extent(x.n_cols), detail::arma_extent(x.n_slices)},
            {1, across, deep},
            std::move(owner)};
  }
};

template <detail::ArmaSparse X>
struct adapter<X> {
  static AnyView view(const X&) {
    static_assert(detail::never<X>,
                  "layerscope: a sparse Armadillo matrix has no strides; pass arma::Mat<T>(x), the dense matrix of its "
                  "element type");
    return {};
  }
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
