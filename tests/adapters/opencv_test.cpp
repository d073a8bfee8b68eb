#include <layerscope/adapters/opencv.hpp>
#include <layerscope/core/tensor.hpp>

#include "support/adapter.hpp"
#include "support/catch.hpp"
#include "support/error.hpp"

#include <opencv2/core.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::check_borrowed;
using layerscope_test::check_copy;
using layerscope_test::error_of;
using layerscope_test::pattern;

namespace {

/// Fills the elements of every channel, through OpenCV's own pointers.
template <class T>
cv::Mat filled(int rows, int columns, int type) {
  cv::Mat x(rows, columns, type);
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns * x.channels(); ++j) {
      x.ptr<T>(i)[j] = pattern<T>(static_cast<std::size_t>(1000 * i + j));
    }
  }
  return x;
}

template <class T>
void check_2d(const cv::Mat& x) {
  const ls::AnyView view = ls::view(x);
  if (x.channels() == 1) {
    check_copy<T>(view, {x.rows, x.cols}, [&](const ls::Dims& i) { return x.ptr<T>(static_cast<int>(i[0]))[i[1]]; });
  } else {
    check_copy<T>(view, {x.rows, x.cols, x.channels()},
                  [&](const ls::Dims& i) { return x.ptr<T>(static_cast<int>(i[0]), static_cast<int>(i[1]))[i[2]]; });
  }
  if (!x.empty()) check_borrowed(view, x.data);
}

template <class T>
void check_depth(int depth) {
  for (const int channels : {1, 2, 3, 4, 7}) {
    const cv::Mat x = filled<T>(6, 8, CV_MAKETYPE(depth, channels));
    check_2d<T>(x);
    check_2d<T>(x(cv::Rect(2, 1, 5, 4)));  // padded on all sides
    check_2d<T>(x.row(3));
    check_2d<T>(x.col(2));
    check_2d<T>(x(cv::Rect(7, 5, 1, 1)));
    check_2d<T>(x.reshape(1));
    check_2d<T>(x(cv::Rect(3, 2, 0, 0)));
  }
}

}  // namespace

TEST_CASE("cv::Mat: every depth, number of channels and region is read in place") {
  check_depth<std::uint8_t>(CV_8U);
  check_depth<std::int8_t>(CV_8S);
  check_depth<std::uint16_t>(CV_16U);
  check_depth<std::int16_t>(CV_16S);
  check_depth<std::int32_t>(CV_32S);
  check_depth<float>(CV_32F);
  check_depth<double>(CV_64F);
  check_depth<ls::Half>(CV_16F);
}

TEST_CASE("cv::Mat: 16-bit floats mean what OpenCV says") {
  const cv::Mat x = (cv::Mat_<float>(1, 5) << 1.0f, -2.5f, 65504.0f, 5.9604645e-8f, 0.1f);
  cv::Mat half, back;
  x.convertTo(half, CV_16F);
  half.convertTo(back, CV_32F);
  const ls::Tensor ours = ls::convert(ls::view(half), ls::DType::f32);
  CHECK(std::memcmp(ours.raw(), back.data, 5 * sizeof(float)) == 0);
}

TEST_CASE("cv::Mat: steps are in bytes, rows of the user's memory may be padded or repeated") {
  std::vector<float> memory(40);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = pattern<float>(i);
  const cv::Mat padded(3, 4, CV_32F, memory.data(), 11 * sizeof(float));
  CHECK(ls::view(padded).strides() == ls::Strides{11, 1});
  check_2d<float>(padded);
  const cv::Mat pixels(3, 2, CV_32FC3, memory.data(), 11 * sizeof(float));
  CHECK(ls::view(pixels).strides() == ls::Strides{11, 3, 1});
  check_2d<float>(pixels);
  const int sizes[] = {5, 4};
  const std::size_t steps[] = {0, sizeof(float)};
  const cv::Mat repeated(2, sizes, CV_32F, memory.data(), steps);
  CHECK(ls::view(repeated).strides() == ls::Strides{0, 1});
  check_2d<float>(repeated);
  // A step that is no multiple of the element is OpenCV's to refuse; made by hand, it is ours.
  cv::Mat broken(3, 2, CV_32F, memory.data(), 11 * sizeof(float));
  broken.step.p[0] = 42;
  const ls::Error error = error_of([&] { ls::view(broken); });
  CHECK(error.code() == ls::ErrorCode::unsupported);
  CHECK_THAT(error.what(), ContainsSubstring("a step of 42 bytes; expected a multiple of the 4 bytes"));
}

TEST_CASE("cv::Mat: more than two dimensions, and a part of them") {
  const int sizes[] = {3, 4, 5};
  cv::Mat x(3, sizes, CV_16UC2);
  for (int i = 0; i < 120; ++i) x.ptr<std::uint16_t>()[i] = pattern<std::uint16_t>(static_cast<std::size_t>(i));
  const auto check = [](const cv::Mat& m, const ls::Shape& shape) {
    check_borrowed(ls::view(m), m.data);
    check_copy<std::uint16_t>(ls::view(m), shape, [&](const ls::Dims& i) {
      const int at[] = {static_cast<int>(i[0]), static_cast<int>(i[1]), static_cast<int>(i[2])};
      return m.at<cv::Vec<std::uint16_t, 2>>(at)[static_cast<int>(i[3])];
    });
  };
  check(x, {3, 4, 5, 2});
  const cv::Range part[] = {{1, 3}, {0, 2}, {2, 5}};
  check(x(part), {2, 2, 3, 2});

  const int nine[] = {1, 1, 1, 1, 1, 1, 1, 1, 2};
  CHECK_THAT(error_of([&] { ls::view(cv::Mat(9, nine, CV_8U, cv::Scalar(0))); }).what(),
             ContainsSubstring("opencv: the tensor has 9 dimensions; expected 0 to 8"));
  // The channels count as an axis.
  CHECK_THAT(error_of([&] { ls::view(cv::Mat(8, nine, CV_8UC3, cv::Scalar::all(0))); }).what(),
             ContainsSubstring("9 dimensions"));
  CHECK(ls::view(cv::Mat(8, nine + 1, CV_8UC1, cv::Scalar(7))).shape() == ls::Shape{1, 1, 1, 1, 1, 1, 1, 2});
}

TEST_CASE("cv::Mat: empty ones are views of nothing") {
  CHECK(ls::view(cv::Mat()).shape() == ls::Shape{0, 0});
  const cv::Mat none(0, 5, CV_32FC3);
  CHECK(ls::view(none).shape() == ls::Shape{0, 5, 3});
  CHECK(ls::copy(ls::view(none)).empty());
}

TEST_CASE("cv::Mat: an rvalue is owned, an lvalue borrowed, counted or not") {
  cv::Mat x = filled<float>(4, 5, CV_32FC1);
  const cv::Mat plain = x.clone();
  const void* const data = x.data;
  const ls::AnyView moved = ls::view(std::move(x));
  CHECK(moved.data() == data);
  CHECK(moved.owner() != nullptr);
  x = cv::Mat();
  check_copy<float>(moved, {4, 5},
                    [&](const ls::Dims& i) { return plain.at<float>(static_cast<int>(i[0]), static_cast<int>(i[1])); });
  const ls::AnyView clone = ls::view(plain(cv::Rect(1, 1, 3, 2)).clone());
  check_copy<float>(clone, {2, 3}, [&](const ls::Dims& i) {
    return plain.at<float>(1 + static_cast<int>(i[0]), 1 + static_cast<int>(i[1]));
  });
}

TEST_CASE("cv::Mat_, Matx, Vec and expressions") {
  cv::Mat_<cv::Vec3b> image(2, 3);
  for (int i = 0; i < 18; ++i) image.ptr<std::uint8_t>()[i] = pattern<std::uint8_t>(static_cast<std::size_t>(i));
  check_borrowed(ls::view(image), image.data);
  check_copy<std::uint8_t>(ls::view(image), {2, 3, 3}, [&](const ls::Dims& i) {
    return image(static_cast<int>(i[0]), static_cast<int>(i[1]))[static_cast<int>(i[2])];
  });
  const cv::Matx23d matx(1, 2, 3, 4, 5, 6);
  check_borrowed(ls::view(matx), matx.val);
  check_copy<double>(ls::view(matx), {2, 3},
                     [&](const ls::Dims& i) { return matx(static_cast<int>(i[0]), static_cast<int>(i[1])); });
  const cv::Vec4f vec(1, 2, 3, 4);
  check_copy<float>(ls::view(vec), {4}, [&](const ls::Dims& i) { return vec[static_cast<int>(i[0])]; });
  check_copy<double>(ls::view(cv::Scalar(1, 2, 3)), {4},
                     [](const ls::Dims& i) { return i[0] < 3 ? static_cast<double>(i[0] + 1) : 0.0; });

  const cv::Mat a = (cv::Mat_<float>(2, 2) << 1, 2, 3, 4);
  const ls::AnyView product = ls::view(a * 2 + a.t());
  CHECK(product.owner() != nullptr);
  const cv::Mat plain = a * 2 + a.t();
  check_copy<float>(product, {2, 2},
                    [&](const ls::Dims& i) { return plain.at<float>(static_cast<int>(i[0]), static_cast<int>(i[1])); });
  const cv::MatExpr named = a.t();
  CHECK(ls::view(named).owner() != nullptr);
}

TEST_CASE("cv::UMat: mapped into host memory, it is a matrix") {
  const cv::Mat x = filled<float>(3, 4, CV_32FC1);
  cv::UMat device;
  x.copyTo(device);
  const ls::AnyView view = ls::view(device.getMat(cv::ACCESS_READ));
  CHECK(view.owner() != nullptr);
  check_copy<float>(view, {3, 4},
                    [&](const ls::Dims& i) { return x.at<float>(static_cast<int>(i[0]), static_cast<int>(i[1])); });
}

TEST_CASE("view_bgr: blue, green, red become red, green, blue without a copy") {
  const cv::Mat image = filled<std::uint8_t>(5, 7, CV_8UC3);
  for (const cv::Mat& x : {image, image(cv::Rect(1, 2, 4, 3))}) {
    const ls::AnyView rgb = ls::view_bgr(x);
    CHECK(rgb.owner() == nullptr);
    CHECK(rgb.strides()[2] == -1);
    check_copy<std::uint8_t>(rgb, {x.rows, x.cols, 3}, [&](const ls::Dims& i) {
      return x.at<cv::Vec3b>(static_cast<int>(i[0]), static_cast<int>(i[1]))[2 - static_cast<int>(i[2])];
    });
  }
  const cv::Vec3b blue(255, 0, 0);  // as OpenCV writes it
  const ls::AnyView owned = ls::view_bgr(cv::Mat_<cv::Vec3b>(1, 1, blue));
  CHECK(owned.owner() != nullptr);
  check_copy<std::uint8_t>(owned, {1, 1, 3}, [](const ls::Dims& i) { return std::uint8_t(i[2] == 2 ? 255 : 0); });
  CHECK(ls::view_bgr(cv::Mat(0, 3, CV_8UC3)).shape() == ls::Shape{0, 3, 3});
  for (const int type : {CV_8UC1, CV_8UC2, CV_8UC4}) {
    const ls::Error error = error_of([&] { ls::view_bgr(cv::Mat(2, 3, type, cv::Scalar::all(0))); });
    CHECK(error.code() == ls::ErrorCode::invalid_argument);
    CHECK_THAT(error.what(), ContainsSubstring("a matrix of " + std::to_string(CV_MAT_CN(type)) + " channels"));
  }
}
