#include <layerscope/adapters/xtensor.hpp>
#include <layerscope/core/tensor.hpp>

#include "support/adapter.hpp"
#include "support/catch.hpp"
#include "support/error.hpp"

#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xcomplex.hpp>
#include <xtensor/xfixed.hpp>
#include <xtensor/xindex_view.hpp>
#include <xtensor/xmasked_view.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include <complex>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::check_borrowed;
using layerscope_test::check_copy;
using layerscope_test::error_of;
using layerscope_test::pattern;

namespace {

template <class Array>
Array filled(const typename Array::shape_type& shape) {
  using T = typename Array::value_type;
  Array x(shape);
  std::size_t i = 0;
  for (auto& element : x) element = pattern<T>(i++);
  return x;
}

/// The view against xtensor's own element access.
template <class X>
ls::AnyView check(const X& x) {
  using T = std::remove_cv_t<typename X::value_type>;
  const ls::AnyView view = ls::view(x);
  ls::Shape shape;
  for (std::size_t axis = 0; axis < x.dimension(); ++axis) shape.push_back(static_cast<std::int64_t>(x.shape()[axis]));
  check_copy<T>(view, shape, [&](const ls::Dims& i) -> T {
    const std::vector<std::size_t> index(i.begin(), i.end());
    return x.element(index.begin(), index.end());
  });
  return view;
}

template <class T, xt::layout_type layout>
void check_containers() {
  const auto array = filled<xt::xarray<T, layout>>({3, 4, 5});
  check_borrowed(check(array), array.data());
  const auto tensor = filled<xt::xtensor<T, 3, layout>>({3, 4, 5});
  check_borrowed(check(tensor), tensor.data());
  const auto ones = filled<xt::xarray<T, layout>>({1, 4, 1, 3, 1});  // their strides are 0
  check_borrowed(check(ones), ones.data());
  CHECK(ones.strides()[0] == 0);
  check(xt::view(array, 1));
  check(xt::view(array, xt::all(), 2));
  check(xt::view(array, xt::all(), xt::range(1, 4, 2), xt::newaxis(), 3));
}

template <class T>
void check_type() {
  check_containers<T, xt::layout_type::row_major>();
  check_containers<T, xt::layout_type::column_major>();
}

}  // namespace

TEST_CASE("xtensor: every element type in both orders is read in place") {
  check_type<bool>();
  check_type<std::uint8_t>();
  check_type<std::int8_t>();
  check_type<std::uint16_t>();
  check_type<std::int16_t>();
  check_type<std::uint32_t>();
  check_type<std::int32_t>();
  check_type<std::uint64_t>();
  check_type<std::int64_t>();
  check_type<long long>();
  check_type<float>();
  check_type<double>();
  const auto dynamic = filled<xt::xarray<float, xt::layout_type::dynamic>>({2, 3});
  check_borrowed(check(dynamic), dynamic.data());
  const xt::xtensor_fixed<double, xt::xshape<2, 3>> fixed{{1, 2, 3}, {4, 5, 6}};
  check_borrowed(check(fixed), fixed.data());
  static_assert(std::is_same_v<decltype(ls::view(fixed)), ls::TensorView<double>>);
}

TEST_CASE("xtensor: views keep pointing into the array, also backwards") {
  const auto x = filled<xt::xarray<float>>({4, 5, 6});
  const auto inside = [&](const ls::AnyView& view) {
    const auto* const p = static_cast<const float*>(view.data());
    CHECK((p >= x.data() && p < x.data() + x.size()));
    CHECK(view.owner() == nullptr);
  };
  const auto block = xt::view(x, xt::range(1, 3), xt::all(), xt::range(0, 6, 2));
  inside(check(block));
  const auto nested = xt::view(block, 1, xt::range(1, 4));
  inside(check(nested));
  const auto back = xt::view(x, xt::all(), 2, xt::range(5, 0, -2));
  inside(check(back));
  CHECK(ls::view(back).strides() == ls::Strides{30, -2});
  const auto strided = xt::strided_view(x, {xt::range(3, 0, -1), 1, xt::all()});
  inside(check(strided));
  CHECK(ls::view(strided).strides() == ls::Strides{-30, 1});
  const auto transposed = xt::transpose(x);
  inside(check(transposed));
  CHECK(ls::view(transposed).strides() == ls::Strides{1, 6, 30});
  const auto flipped = xt::flip(x, 1);
  inside(check(flipped));
  const auto image = xt::view(x, 0);
  const auto row = xt::row(image, 3);
  check(row);
  const auto reshaped = xt::reshape_view(x, {20, 6});  // its storage is an expression
  CHECK(check(reshaped).owner() != nullptr);
}

TEST_CASE("xtensor: adapt() of pointers and containers is read in place") {
  std::vector<double> memory(24);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = pattern<double>(i);
  const std::vector<std::size_t> shape{2, 3, 4};
  const auto adapted = xt::adapt(memory, shape);
  check_borrowed(check(adapted), memory.data());
  const auto pointer = xt::adapt(memory.data(), memory.size(), xt::no_ownership(), shape);
  check_borrowed(check(pointer), memory.data());
  const std::vector<std::size_t> part{3, 2};
  const std::vector<std::ptrdiff_t> strides{8, 3};
  const auto gaps = xt::adapt(memory.data(), 6, xt::no_ownership(), part, strides);
  check_borrowed(check(gaps), memory.data());
  CHECK(ls::view(gaps).strides() == ls::Strides{8, 3});
  const std::vector<std::ptrdiff_t> none{0, 1};
  check(xt::adapt(memory.data(), 6, xt::no_ownership(), part, none));
  const ls::AnyView temporary = ls::view(xt::adapt(memory, shape));
  CHECK(temporary.data() == memory.data());
}

TEST_CASE("xtensor: a temporary is owned, and so is what a view of one holds") {
  auto x = filled<xt::xarray<float>>({30, 40});
  const xt::xarray<float> plain = x;
  const void* const data = x.data();
  const ls::AnyView view = ls::view(std::move(x));
  CHECK(view.data() == data);
  CHECK(view.owner() != nullptr);
  const auto expected = [&](const ls::Dims& i) { return plain(i[0], i[1]); };
  check_copy<float>(view, {30, 40}, expected);
  const ls::AnyView part = ls::view(xt::view(filled<xt::xarray<float>>({30, 40}), xt::range(0, 3), xt::all()));
  check_copy<float>(part, {3, 40}, expected);
  const ls::AnyView transposed = ls::view(xt::transpose(filled<xt::xarray<float>>({30, 40})));
  check_copy<float>(transposed, {40, 30}, [&](const ls::Dims& i) { return plain(i[1], i[0]); });
  const ls::AnyView small = ls::view(xt::xtensor_fixed<int, xt::xshape<2, 2>>{{1, 2}, {3, 4}});
  check_copy<int>(small, {2, 2}, [](const ls::Dims& i) { return static_cast<int>(1 + 2 * i[0] + i[1]); });
}

TEST_CASE("xtensor: expressions are evaluated into an array that the view owns") {
  const xt::xarray<double> a{{1, 2, 3}, {4, 5, 6}};
  const xt::xarray<double> b{10, 20, 30};
  const auto owned = [](const ls::AnyView& view) { CHECK(view.owner() != nullptr); };
  const auto sum = a + b;  // broadcast
  owned(check(sum));
  owned(check(xt::sum(a, {0})));
  owned(check(a > 2.0));
  owned(check(xt::cast<float>(a)));
  owned(check(xt::broadcast(b, {4, 2, 3})));
  owned(check(xt::view(a, xt::all(), xt::keep(2, 0))));
  owned(check(xt::view(sum, 1)));
  owned(check(xt::ones<float>({2, 3})));
  owned(check(xt::arange<std::int16_t>(7)));
  owned(check(xt::index_view(a, std::vector<std::vector<std::size_t>>{{0, 1}, {1, 2}})));
  owned(check(xt::filter(a, a > 3.0)));
  owned(ls::view(a * 2.0));
  using C = std::complex<float>;
  const xt::xarray<C> c{{C(1, 2), C(3, 4)}, {C(5, 6), C(7, 8)}};
  check(xt::real(c));
  check(xt::imag(c));
  check(xt::abs(c));
  const std::vector<bool> bits{true, false, true};
  const auto packed = xt::adapt(bits, std::vector<std::size_t>{3});
  owned(ls::view(packed));
  check_copy<bool>(ls::view(packed), {3}, [&](const ls::Dims& i) -> bool { return i[0] != 1; });
}

TEST_CASE("xtensor: rank 0, empty, and more than eight dimensions") {
  const xt::xarray<float> scalar = 2.5f;
  check(scalar);
  CHECK(ls::view(scalar).rank() == 0);
  const xt::xtensor<float, 1> three{1, 2, 3};
  const auto total = xt::sum(three);
  check(total);
  const auto none = xt::xarray<float>::from_shape({3, 0, 2});
  CHECK(ls::view(none).shape() == ls::Shape{3, 0, 2});
  CHECK(ls::copy(ls::view(none)).empty());
  CHECK(ls::view(xt::xtensor<float, 2>()).empty());
  check(xt::xarray<int>(xt::ones<int>({1, 2, 1, 2, 1, 2, 1, 2})));
  const xt::xarray<float> nine = xt::ones<float>(std::vector<std::size_t>(9, 1));
  CHECK_THAT(error_of([&] { ls::view(nine); }).what(),
             ContainsSubstring("xtensor: the tensor has 9 dimensions; expected 0 to 8"));
  CHECK_THAT(error_of([&] { ls::view(nine + nine); }).what(), ContainsSubstring("9 dimensions"));
}
