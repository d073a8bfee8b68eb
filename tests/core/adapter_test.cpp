#include <layerscope/core/adapter.hpp>
#include <layerscope/core/tensor_ref.hpp>

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace ls = layerscope;

namespace {

/// A matrix of a user's own, as the comment in core/adapter.hpp shows; it counts its copies.
struct Matrix {
  std::vector<float> elements;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  int copies = 0;

  Matrix(std::vector<float> e, std::int64_t r, std::int64_t c) : elements(std::move(e)), rows(r), columns(c) {}
  Matrix(const Matrix& other)
      : elements(other.elements), rows(other.rows), columns(other.columns), copies(other.copies + 1) {}
  Matrix(Matrix&&) = default;
};

/// A tensor that is not in host memory: its view must copy, and it can read a part.
struct Remote {
  std::vector<int> elements;
  mutable int read_elements = 0;
};

}  // namespace

template <>
struct layerscope::adapter<Matrix> {
  static TensorView<float> view(const Matrix& x) { return {x.elements.data(), {x.rows, x.columns}}; }
};

template <>
struct layerscope::adapter<Remote> {
  static AnyView view(const Remote& x) { return read(x, shape(x)); }
  static Shape shape(const Remote& x) { return {static_cast<std::int64_t>(x.elements.size())}; }
  static AnyView read(const Remote& x, const Shape& extents) {
    const auto copy = std::make_shared<std::vector<int>>(x.elements.begin(), x.elements.begin() + extents[0]);
    x.read_elements += static_cast<int>(extents[0]);
    return AnyView(copy->data(), DType::i32, extents, copy);
  }
};

TEST_CASE("a user's type is borrowed as an lvalue and moved in as an rvalue") {
  Matrix matrix({1, 2, 3, 4, 5, 6}, 2, 3);
  const auto borrowed = ls::view(matrix);
  STATIC_REQUIRE(std::is_same_v<decltype(borrowed), const ls::TensorView<float>>);
  CHECK(borrowed.data() == matrix.elements.data());
  CHECK(borrowed(1, 0) == 4);
  const float* const data = matrix.elements.data();
  const ls::AnyView owned = ls::view(std::move(matrix));
  CHECK(owned.data() == data);
  CHECK(owned.owner() != nullptr);
  CHECK(static_cast<const Matrix*>(owned.owner().get())->copies == 0);
}

TEST_CASE("a view that already owns a copy keeps it") {
  const ls::AnyView view = ls::view(Remote{{1, 2, 3}});
  CHECK(view.as<int>()(2) == 3);
  REQUIRE(view.owner() != nullptr);
  CHECK(static_cast<const std::vector<int>*>(view.owner().get())->data() == view.data());
}

TEST_CASE("views of views, and of pointers") {
  const std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  const ls::TensorView<float> typed = ls::view(numbers.data(), {2, 3});
  CHECK(ls::view(typed).data() == numbers.data());
  const ls::AnyView any = typed;
  CHECK(ls::view(any).shape() == ls::Shape{2, 3});
  CHECK(ls::view(ls::AnyView(any)).data() == numbers.data());
  CHECK(ls::view(numbers.data(), {3, 2}, {1, 3})(2, 1) == 6);
}

TEST_CASE("Adaptable tells what view() takes") {
  STATIC_REQUIRE(ls::Adaptable<Matrix>);
  STATIC_REQUIRE(ls::Adaptable<const Matrix&>);
  STATIC_REQUIRE(ls::Adaptable<ls::AnyView>);
  STATIC_REQUIRE(ls::Adaptable<ls::TensorView<ls::Half>>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<int>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<float*>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<std::shared_ptr<float>>);
}

TEST_CASE("TensorRef reads nothing until asked, and then only the part asked for") {
  const Remote remote{{1, 2, 3, 4, 5}};
  const ls::TensorRef reference = remote;
  CHECK(reference.shape() == ls::Shape{5});
  CHECK(remote.read_elements == 0);
  CHECK(reference.read({2}).shape() == ls::Shape{2});
  CHECK(remote.read_elements == 2);
  CHECK(reference.read().as<int>()(4) == 5);
  CHECK(remote.read_elements == 7);

  const Matrix matrix({1, 2, 3, 4, 5, 6}, 2, 3);
  const ls::TensorRef local = matrix;
  CHECK(local.shape() == ls::Shape{2, 3});
  CHECK(local.read().data() == matrix.elements.data());
  const ls::AnyView part = local.read({2, 2});
  CHECK(part.shape() == ls::Shape{2, 2});
  CHECK(part.as<float>()(1, 1) == 5);
  CHECK(local.read({9, 9}).shape() == ls::Shape{2, 3});
  const ls::TensorRef again = local;
  CHECK(again.read().data() == matrix.elements.data());
}
