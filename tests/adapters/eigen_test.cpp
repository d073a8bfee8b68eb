#include <layerscope/adapters/eigen.hpp>
#include <layerscope/core/tensor.hpp>

#include <Eigen/Core>

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"

namespace ls = layerscope;
using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

namespace {

Eigen::MatrixXf numbered(Eigen::Index rows, Eigen::Index columns) {
  Eigen::MatrixXf m(rows, columns);
  for (Eigen::Index i = 0; i < rows; ++i) {
    for (Eigen::Index j = 0; j < columns; ++j) m(i, j) = static_cast<float>(100 * i + j);
  }
  return m;
}

/// The view against Eigen's own element access, bit by bit.
template <class View, class Expression>
void check_equal(const View& typed, const Expression& expression) {
  using T = typename View::value_type;
  const ls::AnyView& view = typed;
  const auto expected = expression.eval();
  REQUIRE(view.size() == expected.size());
  const ls::Tensor copy = ls::copy(view);
  const T* element = copy.data<T>();
  for (Eigen::Index i = 0; i < expected.rows(); ++i) {
    for (Eigen::Index j = 0; j < expected.cols(); ++j) {
      const auto value = expected(i, j);
      CHECK(std::memcmp(element++, &value, sizeof(T)) == 0);
    }
  }
}

}  // namespace

TEST_CASE("matrices of both orders are borrowed with their strides") {
  Eigen::MatrixXf columns = numbered(3, 4);
  columns(1, 2) = -0.0f;
  const RowMatrix rows = columns;
  const auto a = ls::view(columns);
  static_assert(std::is_same_v<decltype(a), const ls::TensorView<float>>);
  CHECK(a.data() == columns.data());
  CHECK(a.shape() == ls::Shape{3, 4});
  CHECK(a.strides() == ls::Strides{1, 3});
  CHECK(a.any().owner() == nullptr);
  check_equal(a, columns);
  const auto b = ls::view(rows);
  CHECK(b.data() == rows.data());
  CHECK(b.strides() == ls::Strides{4, 1});
  CHECK(b.contiguous());
  check_equal(b, columns);
  CHECK(a(2, 1) == 201);
}

TEST_CASE("vectors and one-row matrices of fixed form have rank 1") {
  const Eigen::VectorXd column = Eigen::VectorXd::LinSpaced(5, 0, 4);
  const Eigen::RowVector3i row(7, 8, 9);
  const Eigen::MatrixXf one_row = numbered(1, 4);
  CHECK(ls::view(column).shape() == ls::Shape{5});
  CHECK(ls::view(row).shape() == ls::Shape{3});
  CHECK(ls::view(row)(2) == 9);
  CHECK(ls::view(one_row).shape() == ls::Shape{1, 4});
  const Eigen::ArrayXXi array = Eigen::ArrayXXi::Constant(2, 3, 5);
  CHECK(ls::view(array).shape() == ls::Shape{2, 3});
}

TEST_CASE("blocks, rows, columns, diagonals and transposes keep pointing into the matrix") {
  Eigen::MatrixXf m = numbered(5, 6);
  const RowMatrix r = m;
  const auto inside = [&](const float* p) { return p >= m.data() && p < m.data() + m.size(); };
  const auto block = ls::view(m.block(1, 2, 3, 2));
  CHECK(inside(block.data()));
  CHECK(block.strides() == ls::Strides{1, 5});
  check_equal(block, m.block(1, 2, 3, 2));
  check_equal(ls::view(r.block(1, 2, 3, 2)), m.block(1, 2, 3, 2));
  const auto row = ls::view(m.row(2));
  CHECK(inside(row.data()));
  CHECK(row.shape() == ls::Shape{6});
  CHECK(row.strides() == ls::Strides{5});
  check_equal(row, m.row(2));
  check_equal(ls::view(r.col(3)), m.col(3));
  CHECK(ls::view(r.col(3)).strides() == ls::Strides{6});
  const auto transposed = ls::view(m.transpose());
  CHECK(transposed.data() == m.data());
  CHECK(transposed.shape() == ls::Shape{6, 5});
  CHECK(transposed.contiguous());
  check_equal(transposed, m.transpose());
  const auto diagonal = ls::view(m.diagonal());
  CHECK(inside(diagonal.data()));
  CHECK(diagonal.strides() == ls::Strides{6});
  check_equal(diagonal, m.diagonal());
  check_equal(ls::view(m.block(1, 1, 3, 4).row(1).segment(1, 2).transpose()),
              m.block(1, 1, 3, 4).row(1).segment(1, 2).transpose());
  const auto array = ls::view(m.array());
  CHECK(array.data() == m.data());
  check_equal(ls::view(m.reshaped(6, 5)), m.reshaped(6, 5));
}

TEST_CASE("maps with inner and outer strides and references are borrowed") {
  std::vector<float> memory(100);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i);
  using Strided = Eigen::Map<const Eigen::MatrixXf, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;
  const Strided map(memory.data(), 3, 4, {20, 2});
  CHECK(ls::view(map).strides() == ls::Strides{2, 20});
  check_equal(ls::view(map), map);
  using RowStrided = Eigen::Map<const RowMatrix, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;
  const RowStrided row_map(memory.data(), 3, 4, {20, 2});
  CHECK(ls::view(row_map).strides() == ls::Strides{20, 2});
  check_equal(ls::view(row_map), row_map);
  const Eigen::Map<const Eigen::VectorXf, 0, Eigen::InnerStride<3>> vector(memory.data(), 5);
  CHECK(ls::view(vector).strides() == ls::Strides{3});
  check_equal(ls::view(vector), vector);

  // A temporary Map is as good as a named one.
  const auto view = ls::view(Eigen::Map<const Eigen::MatrixXf>(memory.data(), 2, 3));
  static_assert(std::is_same_v<decltype(view), const ls::TensorView<float>>);
  CHECK(view.data() == memory.data());

  Eigen::MatrixXf m = numbered(4, 5);
  const Eigen::Ref<const Eigen::MatrixXf> constant(m.leftCols(3));
  CHECK(ls::view(constant).data() == m.data());
  check_equal(ls::view(constant), m.leftCols(3));
  Eigen::Ref<Eigen::MatrixXf> writable(m.topRows(2));
  CHECK(ls::view(writable).strides() == ls::Strides{1, 4});
  check_equal(ls::view(writable), m.topRows(2));
}

TEST_CASE("a temporary matrix is owned by the view") {
  Eigen::MatrixXf m = numbered(50, 40);
  const float* const data = m.data();
  const ls::AnyView view = ls::view(std::move(m));
  CHECK(view.owner() != nullptr);
  CHECK(view.data() == data);  // moved, not copied
  check_equal(view.as<float>(), numbered(50, 40));
  const ls::AnyView fixed = ls::view(Eigen::Matrix4f(numbered(4, 4)));
  check_equal(fixed.as<float>(), numbered(4, 4));
}

TEST_CASE("expressions are evaluated into a matrix that the view owns") {
  const Eigen::MatrixXf a = numbered(3, 4);
  const Eigen::MatrixXf b = numbered(4, 2);
  const auto product = ls::view(a * b);
  CHECK(product.any().owner() != nullptr);
  check_equal(product, a * b);
  const auto sum = a + a;
  const auto sum_view = ls::view(sum);  // an lvalue of a lazy expression
  CHECK(sum_view.any().owner() != nullptr);
  check_equal(sum_view, sum);
  check_equal(ls::view((a.array() * 2 + 1).matrix().transpose()), (a.array() * 2 + 1).matrix().transpose());
  check_equal(ls::view(a.cast<double>()), a.cast<double>());
  check_equal(ls::view(a.array() > 101), a.array() > 101);
  check_equal(ls::view(Eigen::Matrix3d::Identity()), Eigen::Matrix3d::Identity());
  check_equal(ls::view(a.rowwise().reverse()), a.rowwise().reverse());
  const std::vector<int> picked{2, 0};
  check_equal(ls::view(a(picked, Eigen::all)), a(picked, Eigen::all));
  check_equal(ls::view(a(Eigen::seq(0, 2, 2), Eigen::all)), a(Eigen::seq(0, 2, 2), Eigen::all));
  const auto means = ls::view(a.colwise().mean());
  CHECK(means.shape() == ls::Shape{4});
  check_equal(means, a.colwise().mean());
}

TEST_CASE("empty matrices have empty views") {
  const Eigen::MatrixXf none(0, 3);
  const Eigen::MatrixXf nothing;
  const Eigen::VectorXf no_vector;
  CHECK(ls::view(none).shape() == ls::Shape{0, 3});
  CHECK(ls::view(nothing).shape() == ls::Shape{0, 0});
  CHECK(ls::view(no_vector).shape() == ls::Shape{0});
  CHECK(ls::view(none.transpose()).shape() == ls::Shape{3, 0});
  CHECK(ls::view(none + none).empty());
  CHECK(ls::view(Eigen::MatrixXf(2, 0)).empty());
}

TEST_CASE("16-bit floats of Eigen are ours, and foreign scalars have no view") {
  Eigen::Matrix<Eigen::half, 2, 2> half;
  half << Eigen::half(1), Eigen::half(-2), Eigen::half(0.5f), Eigen::half(65504);
  const ls::TensorView<ls::Half> view = ls::view(half);
  CHECK(static_cast<float>(view(0, 1)) == -2);
  CHECK(static_cast<float>(view(1, 1)) == 65504);
  const Eigen::Matrix<Eigen::bfloat16, 1, 2> brain(Eigen::bfloat16(3), Eigen::bfloat16(-1));
  CHECK(static_cast<float>(ls::view(brain)(1)) == -1);
  STATIC_REQUIRE(ls::Adaptable<Eigen::ArrayXXd>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<Eigen::MatrixXcf>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<Eigen::Matrix<long double, 2, 2>>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<int>);
}
