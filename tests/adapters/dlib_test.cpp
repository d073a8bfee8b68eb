#include <layerscope/adapters/dlib.hpp>
#include <layerscope/core/tensor.hpp>

#include "support/adapter.hpp"
#include "support/catch.hpp"

#include <dlib/image_transforms/interpolation.h>
#include <dlib/matrix.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace ls = layerscope;
using layerscope_test::check_borrowed;
using layerscope_test::check_copy;
using layerscope_test::pattern;

namespace {

template <class X>
X matrix(long rows, long columns) {
  X x;
  x.set_size(rows, columns);
  for (long i = 0; i < rows; ++i) {
    for (long j = 0; j < columns; ++j) {
      x(i, j) = pattern<typename X::type>(static_cast<std::size_t>(100 * i + j));
    }
  }
  return x;
}

/// The view against dlib's own element access.
template <class X>
ls::AnyView check(const X& x) {
  using T = typename X::type;
  const ls::AnyView view = ls::view(x);
  if (X::NR == 1 || X::NC == 1) {
    check_copy<T>(view, {x.size()}, [&](const ls::Dims& i) -> T { return X::NR == 1 ? x(0, i[0]) : x(i[0], 0); });
  } else {
    check_copy<T>(view, {x.nr(), x.nc()}, [&](const ls::Dims& i) -> T { return x(i[0], i[1]); });
  }
  return view;
}

template <class T>
void check_type() {
  const auto rows = matrix<dlib::matrix<T>>(3, 5);
  check_borrowed(check(rows), &rows(0, 0));
  CHECK(ls::view(rows).strides() == ls::Strides{5, 1});
  using Columns = dlib::matrix<T, 0, 0, dlib::default_memory_manager, dlib::column_major_layout>;
  const auto columns = matrix<Columns>(3, 5);
  check_borrowed(check(columns), &columns(0, 0));
  CHECK(ls::view(columns).strides() == ls::Strides{1, 3});
  const auto fixed = matrix<dlib::matrix<T, 2, 3>>(2, 3);
  check_borrowed(check(fixed), &fixed(0, 0));
  const auto vector = matrix<dlib::matrix<T, 0, 1>>(4, 1);
  check_borrowed(check(vector), &vector(0));
  const auto row = matrix<dlib::matrix<T, 1, 0>>(1, 6);
  check_borrowed(check(row), &row(0));
  dlib::array2d<T> image(3, 4);
  for (long i = 0; i < 3; ++i) {
    for (long j = 0; j < 4; ++j) image[i][j] = pattern<T>(static_cast<std::size_t>(10 * i + j));
  }
  check_borrowed(ls::view(image), &image[0][0]);
  check_copy<T>(ls::view(image), {3, 4}, [&](const ls::Dims& i) { return image[i[0]][i[1]]; });
}

/// An image of pixels against their members, in the order given.
template <class Pixel, class... Member>
void check_pixels(Member... member) {
  dlib::array2d<Pixel> image(4, 5);
  dlib::matrix<Pixel> matrix(4, 5);
  std::size_t k = 0;
  for (long i = 0; i < 4; ++i) {
    for (long j = 0; j < 5; ++j) {
      ((image[i][j].*member = pattern<unsigned char>(k++)), ...);
      matrix(i, j) = image[i][j];
    }
  }
  const ls::Shape shape{4, 5, sizeof...(Member)};
  const auto at = [&](const ls::Dims& i) {
    const unsigned char values[] = {image[i[0]][i[1]].*member...};
    return values[i[2]];
  };
  CHECK(ls::view(image).any().owner() == nullptr);
  check_copy<unsigned char>(ls::view(image), shape, at);
  check_copy<unsigned char>(ls::view(matrix), shape, at);
  const auto part = dlib::sub_image(image, dlib::rectangle(1, 1, 3, 2));  // columns 1 to 3, rows 1 to 2
  check_copy<unsigned char>(ls::view(part), {2, 3, sizeof...(Member)}, [&](ls::Dims i) {
    ++i[0];
    ++i[1];
    return at(i);
  });
  check_copy<unsigned char>(ls::view(dlib::array2d<Pixel>(std::move(image))), shape, [&](const ls::Dims& i) {
    const unsigned char values[] = {matrix(i[0], i[1]).*member...};
    return values[i[2]];
  });
}

float at(const dlib::tensor& x, const ls::Dims& i) {
  return x.host()[((i[0] * x.k() + i[1]) * x.nr() + i[2]) * x.nc() + i[3]];
}

void fill(dlib::tensor& x) {
  float* const data = x.host();
  for (std::size_t i = 0; i < x.size(); ++i) data[i] = pattern<float>(i);
}

}  // namespace

TEST_CASE("dlib: matrices of both layouts and images are read in place, of every element type") {
  check_type<bool>();
  check_type<std::uint8_t>();
  check_type<std::int8_t>();
  check_type<std::uint16_t>();
  check_type<std::int16_t>();
  check_type<std::uint32_t>();
  check_type<std::int32_t>();
  check_type<std::uint64_t>();
  check_type<std::int64_t>();
  check_type<float>();
  check_type<double>();
}

TEST_CASE("dlib: the type of a pixel names its channels; bgr_pixel gives red, green, blue too") {
  using dlib::bgr_pixel;
  using dlib::hsi_pixel;
  using dlib::lab_pixel;
  using dlib::rgb_alpha_pixel;
  using dlib::rgb_pixel;
  check_pixels<rgb_pixel>(&rgb_pixel::red, &rgb_pixel::green, &rgb_pixel::blue);
  check_pixels<bgr_pixel>(&bgr_pixel::red, &bgr_pixel::green, &bgr_pixel::blue);
  check_pixels<rgb_alpha_pixel>(&rgb_alpha_pixel::red, &rgb_alpha_pixel::green, &rgb_alpha_pixel::blue,
                                &rgb_alpha_pixel::alpha);
  check_pixels<hsi_pixel>(&hsi_pixel::h, &hsi_pixel::s, &hsi_pixel::i);
  check_pixels<lab_pixel>(&lab_pixel::l, &lab_pixel::a, &lab_pixel::b);
}

TEST_CASE("dlib: tensors are samples, k, rows, columns; an alias reads its part in place") {
  dlib::resizable_tensor x(2, 3, 4, 5);
  fill(x);
  check_borrowed(ls::view(x), x.host());
  check_copy<float>(ls::view(x), {2, 3, 4, 5}, [&](const ls::Dims& i) { return at(x, i); });
  const dlib::tensor& base = x;  // as get_output() of a layer returns it
  check_borrowed(ls::view(base), x.host());
  const dlib::alias_tensor alias(1, 3, 4, 5);
  const auto second = alias(x, 60);
  check_borrowed(ls::view(second), x.host() + 60);
  check_borrowed(ls::view(alias(x, 60)), x.host() + 60);
  const dlib::resizable_tensor& constant = x;
  check_borrowed(ls::view(alias(constant, 60)), x.host() + 60);
  check_copy<float>(ls::view(alias(constant, 60)), {1, 3, 4, 5}, [&](ls::Dims i) {
    ++i[0];
    return at(x, i);
  });
  const dlib::resizable_tensor column(7);
  CHECK(ls::view(column).shape() == ls::Shape{7, 1, 1, 1});
}

TEST_CASE("dlib: an rvalue is owned by the view") {
  const auto plain = matrix<dlib::matrix<double>>(30, 20);
  const ls::AnyView view = ls::view(matrix<dlib::matrix<double>>(30, 20));
  CHECK(view.owner() != nullptr);
  check_copy<double>(view, {30, 20}, [&](const ls::Dims& i) { return plain(i[0], i[1]); });
  dlib::resizable_tensor x(2, 1, 3, 4);
  fill(x);
  const dlib::resizable_tensor kept = x;
  const ls::AnyView tensor = ls::view(std::move(x));
  CHECK(tensor.owner() != nullptr);
  check_copy<float>(tensor, {2, 1, 3, 4}, [&](const ls::Dims& i) { return at(kept, i); });
  const ls::AnyView fixed = ls::view(dlib::matrix<int, 2, 1>{5, 6});
  check_copy<int>(fixed, {2}, [](const ls::Dims& i) { return static_cast<int>(5 + i[0]); });
}

TEST_CASE("dlib: expressions are evaluated into a matrix that the view owns") {
  dlib::matrix<double> a(2, 3);
  a = 1, 2, 3, 4, 5, 6;
  const auto owned = [](const ls::AnyView& view) { CHECK(view.owner() != nullptr); };
  owned(check(dlib::trans(a)));
  owned(check(a * dlib::trans(a)));
  owned(check(a + a));
  owned(check(dlib::rowm(a, 1)));
  owned(check(dlib::subm(a, 0, 1, 2, 2)));
  owned(check(dlib::matrix_cast<float>(a)));
  owned(check(dlib::sum_rows(a)));
  const auto named = dlib::colm(a, 2);
  owned(check(named));
  owned(ls::view(dlib::trans(a)));  // dlib returns these const
  dlib::resizable_tensor x(2, 1, 1, 3);
  fill(x);
  owned(check(dlib::mat(x)));
}

TEST_CASE("dlib: empty objects are views of nothing") {
  CHECK(ls::view(dlib::matrix<float>()).shape() == ls::Shape{0, 0});
  CHECK(ls::view(dlib::matrix<float, 0, 1>()).shape() == ls::Shape{0});
  CHECK(ls::view(dlib::array2d<dlib::bgr_pixel>()).shape() == ls::Shape{0, 0, 3});
  CHECK(ls::view(dlib::resizable_tensor()).empty());
  const dlib::matrix<float> none(0, 4);
  CHECK(ls::copy(ls::view(none)).empty());
}
