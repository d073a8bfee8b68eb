#include <layerscope/adapters/eigen_tensor.hpp>
#include <layerscope/core/tensor.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace ls = layerscope;

namespace {

template <int layout>
Eigen::Tensor<float, 3, layout> numbered(Eigen::Index a, Eigen::Index b, Eigen::Index c) {
  Eigen::Tensor<float, 3, layout> x(a, b, c);
  for (Eigen::Index i = 0; i < a; ++i)
    for (Eigen::Index j = 0; j < b; ++j)
      for (Eigen::Index k = 0; k < c; ++k) x(i, j, k) = static_cast<float>(100 * i + 10 * j + k) + 0.25f;
  return x;
}

/// The elements in row-major order, read one by one through Eigen.
template <class X>
std::vector<float> plain(const X& x) {
  std::vector<float> values;
  for (Eigen::Index i = 0; i < x.dimension(0); ++i)
    for (Eigen::Index j = 0; j < x.dimension(1); ++j)
      for (Eigen::Index k = 0; k < x.dimension(2); ++k) values.push_back(x(i, j, k));
  return values;
}

void check_bits(const ls::AnyView& view, const std::vector<float>& expected) {
  const ls::Tensor copied = ls::copy(view);
  REQUIRE(copied.size() == static_cast<std::int64_t>(expected.size()));
  REQUIRE(copied.dtype() == ls::DType::f32);
  CHECK(std::memcmp(copied.raw(), expected.data(), copied.bytes()) == 0);
}

template <int layout>
void check_layout() {
  Eigen::Tensor<float, 3, layout> x = numbered<layout>(2, 3, 4);
  const std::vector<float> expected = plain(x);
  const ls::TensorView<float> view = ls::view(x);
  CHECK(view.data() == x.data());  // borrowed
  CHECK(view.shape() == ls::Shape{2, 3, 4});
  const bool column_major = layout == Eigen::ColMajor;
  CHECK(view.strides() == (column_major ? ls::Strides{1, 2, 6} : ls::Strides{12, 4, 1}));
  CHECK(view(1, 2, 3) == 123.25f);
  check_bits(view, expected);

  const Eigen::TensorMap<Eigen::Tensor<float, 3, layout>> map(x.data(), 2, 3, 4);
  CHECK(ls::view(map).data() == x.data());
  check_bits(ls::view(map), expected);
  const Eigen::TensorMap<const Eigen::Tensor<float, 3, layout>> constant(x.data(), 2, 3, 4);
  check_bits(ls::view(constant), expected);
  check_bits(ls::view(Eigen::TensorMap<Eigen::Tensor<float, 3, layout>>(x.data(), 2, 3, 4)), expected);

  Eigen::TensorFixedSize<float, Eigen::Sizes<2, 3, 4>, layout> fixed;
  fixed = x;
  CHECK(ls::view(fixed).data() == fixed.data());
  check_bits(ls::view(fixed), expected);

  // Computed first, once, and owned.
  const auto sum = ls::view(x + x);
  CHECK(sum(1, 2, 3) == 246.5f);
  CHECK(ls::AnyView(sum).owner() != nullptr);
  const Eigen::array<int, 3> order{2, 0, 1};
  const auto turned = ls::view(x.shuffle(order));
  CHECK(turned.shape() == ls::Shape{4, 2, 3});
  CHECK(turned(3, 1, 2) == 123.25f);
  const Eigen::array<int, 1> last{2};
  const Eigen::Tensor<float, 2, layout> rows = x.sum(last);
  check_bits(ls::view(x.sum(last)), {rows(0, 0), rows(0, 1), rows(0, 2), rows(1, 0), rows(1, 1), rows(1, 2)});
  const Eigen::TensorRef<Eigen::Tensor<float, 3, layout>> reference(x);
  check_bits(ls::view(reference), expected);
  const Eigen::array<Eigen::Index, 3> offsets{0, 1, 1}, extents{2, 2, 3};
  const auto part = ls::view(x.slice(offsets, extents));
  CHECK(part.shape() == ls::Shape{2, 2, 3});
  CHECK(part(1, 1, 2) == 123.25f);

  // A temporary is owned, and its storage moves rather than being copied.
  const float* const storage = x.data();
  const ls::AnyView owned = ls::view(std::move(x));
  CHECK(owned.owner() != nullptr);
  CHECK(owned.data() == storage);
  check_bits(owned, expected);
}

}  // namespace

TEST_CASE("eigen tensors: column-major, Eigen's default") {
  check_layout<Eigen::ColMajor>();
}

TEST_CASE("eigen tensors: row-major") {
  check_layout<Eigen::RowMajor>();
}

TEST_CASE("eigen tensors: no axes, one axis, empty axes, eight axes") {
  Eigen::Tensor<double, 0> scalar;
  scalar() = 7;
  CHECK(ls::view(scalar).shape() == ls::Shape{});
  CHECK(ls::view(scalar).data()[0] == 7);
  Eigen::Tensor<std::int32_t, 1> line(5);
  line.setConstant(3);
  CHECK(ls::view(line).shape() == ls::Shape{5});
  CHECK(ls::view(line.sum()).data()[0] == 15);
  const Eigen::Tensor<float, 3> none(2, 0, 3);
  CHECK(ls::view(none).shape() == ls::Shape{2, 0, 3});
  CHECK(ls::view(none).empty());
  Eigen::Tensor<std::uint8_t, 8> many(1, 2, 1, 2, 1, 2, 1, 2);
  many.setZero();
  many(0, 1, 0, 0, 0, 1, 0, 1) = 9;
  CHECK(ls::view(many)(0, 1, 0, 0, 0, 1, 0, 1) == 9);
}

TEST_CASE("eigen tensors: 16-bit floats are ours, bool is bool, and foreign scalars have no view") {
  Eigen::Tensor<Eigen::half, 1> half(2);
  half(0) = Eigen::half(-2);
  half(1) = Eigen::half(65504);
  const ls::TensorView<ls::Half> view = ls::view(half);
  CHECK(static_cast<float>(view(1)) == 65504);
  Eigen::Tensor<Eigen::bfloat16, 1> brain(1);
  brain(0) = Eigen::bfloat16(3);
  CHECK(static_cast<float>(ls::view(brain)(0)) == 3);
  Eigen::Tensor<float, 2> x(2, 2);
  x.setValues({{1, -1}, {0, 2}});
  const ls::AnyView positive = ls::view(x > x.constant(0.0f));
  CHECK(positive.dtype() == ls::DType::boolean);
  CHECK(positive.as<bool>()(1, 1));
  CHECK_FALSE(positive.as<bool>()(0, 1));
  STATIC_REQUIRE(ls::Adaptable<Eigen::Tensor<double, 4>>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<Eigen::Tensor<std::complex<float>, 2>>);
}
