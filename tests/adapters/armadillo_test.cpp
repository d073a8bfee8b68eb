#include <layerscope/adapters/armadillo.hpp>
#include <layerscope/core/tensor.hpp>

#include "support/adapter.hpp"
#include "support/catch.hpp"

#include <armadillo>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace ls = layerscope;
using arma::uword;
using layerscope_test::check_borrowed;
using layerscope_test::check_copy;
using layerscope_test::pattern;

namespace {

template <class T>
arma::Mat<T> matrix(uword rows, uword columns) {
  arma::Mat<T> x(rows, columns);
  for (uword i = 0; i < x.n_elem; ++i) x(i) = pattern<T>(i);
  return x;
}

template <class T>
arma::Cube<T> cube(uword rows, uword columns, uword slices) {
  arma::Cube<T> x(rows, columns, slices);
  for (uword i = 0; i < x.n_elem; ++i) x(i) = pattern<T>(i);
  return x;
}

/// The view against Armadillo's own element access, in a matrix that Armadillo made of the object.
template <class X>
ls::AnyView check(const X& x) {
  using T = typename X::elem_type;
  const ls::AnyView view = ls::view(x);
  const arma::Mat<T> plain(x);
  const auto rows = static_cast<std::int64_t>(plain.n_rows), columns = static_cast<std::int64_t>(plain.n_cols);
  if (X::is_col || X::is_row) {
    check_copy<T>(view, {rows * columns}, [&](const ls::Dims& i) { return plain(static_cast<uword>(i[0])); });
  } else {
    check_copy<T>(view, {rows, columns},
                  [&](const ls::Dims& i) { return plain(static_cast<uword>(i[0]), static_cast<uword>(i[1])); });
  }
  return view;
}

template <class X>
ls::AnyView check_cube(const X& x) {
  using T = typename X::elem_type;
  const ls::AnyView view = ls::view(x);
  const arma::Cube<T> plain(x);
  check_copy<T>(view,
                {static_cast<std::int64_t>(plain.n_rows), static_cast<std::int64_t>(plain.n_cols),
                 static_cast<std::int64_t>(plain.n_slices)},
                [&](const ls::Dims& i) {
                  return plain(static_cast<uword>(i[0]), static_cast<uword>(i[1]), static_cast<uword>(i[2]));
                });
  return view;
}

template <class T>
void check_type() {
  const arma::Mat<T> m = matrix<T>(5, 7);
  check_borrowed(check(m), m.memptr());
  CHECK(ls::view(m).strides() == ls::Strides{1, 5});  // column-major
  const arma::Col<T> column(m.col(2));
  const arma::Row<T> row(m.row(3));
  check_borrowed(check(column), column.memptr());
  check_borrowed(check(row), row.memptr());
  check_borrowed(check(m.submat(1, 2, 3, 5)), m.colptr(2) + 1);
  check_borrowed(check(m.col(4)), m.colptr(4));
  check_borrowed(check(m.row(4)), m.memptr() + 4);
  check_borrowed(check(m.cols(2, 4)), m.colptr(2));
  check_borrowed(check(m.rows(1, 1)), m.memptr() + 1);
  check_borrowed(check(m.diag()), m.memptr());
  check_borrowed(check(m.diag(2)), m.colptr(2));
  check_borrowed(check(m.diag(-1)), m.memptr() + 1);
  check_borrowed(check(m(arma::span(1, 3), 2)), m.colptr(2) + 1);
  const arma::Cube<T> c = cube<T>(3, 4, 5);
  check_borrowed(check_cube(c), c.memptr());
  CHECK(ls::view(c).strides() == ls::Strides{1, 3, 12});
  check_borrowed(check_cube(c.subcube(1, 2, 3, 2, 3, 4)), c.slice_memptr(3) + 2 * 3 + 1);
  check_borrowed(check_cube(c.slices(1, 3)), c.slice_memptr(1));
  check_borrowed(check(c.slice(2)), c.slice_memptr(2));
}

}  // namespace

TEST_CASE("Armadillo: every element type, whole and in parts, is read in place") {
  check_type<std::uint8_t>();
  check_type<arma::s8>();  // a char
  check_type<std::uint16_t>();
  check_type<std::int16_t>();
  check_type<std::uint32_t>();
  check_type<std::int32_t>();
  check_type<arma::u64>();
  check_type<arma::s64>();
  check_type<float>();
  check_type<double>();
}

TEST_CASE("Armadillo: fixed sizes, one of a side, and memory of the user's") {
  const arma::mat::fixed<2, 3> fixed{{1, 2, 3}, {4, 5, 6}};
  check_borrowed(check(fixed), fixed.memptr());
  CHECK(ls::view(fixed).rank() == 2);
  const arma::vec::fixed<3> vector{1, 2, 3};
  check_borrowed(check(vector), vector.memptr());
  const arma::rowvec::fixed<4> row{1, 2, 3, 4};
  CHECK(check(row).shape() == ls::Shape{4});
  const arma::cube::fixed<2, 2, 2> cube_of_8{};
  check_borrowed(check_cube(cube_of_8), cube_of_8.memptr());
  CHECK(ls::view(arma::mat(1, 4, arma::fill::ones)).shape() == ls::Shape{1, 4});  // not known to be a row
  std::vector<double> memory{1, 2, 3, 4, 5, 6};
  const arma::mat outside(memory.data(), 3, 2, false, true);
  check_borrowed(check(outside), memory.data());
}

TEST_CASE("Armadillo: columns are samples") {
  const arma::fmat samples = matrix<float>(4, 100);  // 100 samples of 4 features
  const ls::AnyView view = ls::view(samples).any().permute({1, 0});
  CHECK(view.contiguous());
  check_copy<float>(view, {100, 4},
                    [&](const ls::Dims& i) { return samples(static_cast<uword>(i[1]), static_cast<uword>(i[0])); });
}

TEST_CASE("Armadillo: an rvalue is owned, small ones included, a temporary part is as good as a named one") {
  for (const uword n : {2u, 40u}) {  // up to 16 elements lie inside of the object, which moves
    arma::fmat m = matrix<float>(n, n);
    const arma::fmat plain = m;
    const ls::AnyView view = ls::view(std::move(m));
    CHECK(view.owner() != nullptr);
    m.reset();
    const auto side = static_cast<std::int64_t>(n);
    check_copy<float>(view, {side, side},
                      [&](const ls::Dims& i) { return plain(static_cast<uword>(i[0]), static_cast<uword>(i[1])); });
  }
  const ls::AnyView slices = ls::view(cube<double>(3, 4, 5));
  CHECK(slices.owner() != nullptr);
  const arma::mat m = matrix<double>(6, 6);
  static_assert(std::is_same_v<decltype(ls::view(m.row(1))), ls::TensorView<double>>);
}

TEST_CASE("Armadillo: expressions are evaluated into a matrix that the view owns") {
  const arma::mat a = arma::reshape(arma::linspace(1, 12, 12), 3, 4);
  const auto owned = [](const ls::AnyView& view) { CHECK(view.owner() != nullptr); };
  owned(check(a * a.t()));
  owned(check(a.t()));
  owned(check(a + 2 * a));
  owned(check(arma::sum(a, 1)));
  owned(check(arma::mean(a)));
  owned(check(a.elem(arma::uvec{1, 5, 7})));
  owned(check(a.cols(arma::uvec{3, 0})));
  owned(check(arma::vectorise(a)));
  owned(ls::view(arma::conv_to<arma::fmat>::from(a)));
  owned(check(a > 5));
  owned(check(arma::eye(3, 3)));
  const auto named = a % a;
  owned(check(named));
  owned(ls::view(a.t()));  // Armadillo returns these const
  owned(ls::view(a * a.t()));
  const arma::cx_mat complex(a, -a);
  owned(check(arma::real(complex)));
  owned(check(arma::abs(complex)));
  const arma::cube c = cube<double>(2, 3, 4);
  owned(check_cube(c + c));
  const arma::sp_mat sparse = arma::speye(3, 3);
  owned(ls::view(arma::mat(sparse)));
}

TEST_CASE("Armadillo: empty objects are views of nothing") {
  CHECK(ls::view(arma::mat()).shape() == ls::Shape{0, 0});
  CHECK(ls::view(arma::mat(0, 4)).shape() == ls::Shape{0, 4});
  CHECK(ls::view(arma::vec()).shape() == ls::Shape{0});
  CHECK(ls::view(arma::rowvec()).shape() == ls::Shape{0});
  CHECK(ls::view(arma::cube(2, 0, 3)).shape() == ls::Shape{2, 0, 3});
  const arma::mat none(3, 0);
  CHECK(ls::copy(ls::view(none)).empty());
  CHECK(ls::view(none + none).shape() == ls::Shape{3, 0});  // none.t() is undefined inside of Armadillo 11
  CHECK(ls::view(arma::mat(none.head_cols(0))).empty());
}
