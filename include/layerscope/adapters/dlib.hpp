// Adapters for dlib: matrix and expressions of matrices, tensor (layer outputs and parameters), array2d and the other
// images that dlib knows.
//
// A matrix is [rows, columns] in either layout of the memory; one with a single row or column known at compile time is
// [size]. An expression (a * b, trans(a), colm(a, 1)) is evaluated once into a matrix that the view owns.
// A tensor is [samples, k, rows, columns], the layout "NCHW", always with all four axes.
// An image of plain numbers is [rows, columns]. Pixels with channels add an axis, [rows, columns, channels], the layout
// "HWC". The type of a pixel names its channels, so their order is known: rgb_pixel and bgr_pixel both give red, green,
// blue, the latter with a negative stride; rgb_alpha_pixel ends with alpha; hsi_pixel and lab_pixel are as they read.
//
// An alias_tensor's instance, a sub_image() and a cv_image own no elements: these must outlive the view.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/adapter.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>

#include <dlib/array2d.h>
#include <dlib/cuda/tensor.h>
#include <dlib/matrix.h>
#include <dlib/pixel.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The numbers inside a pixel: their type, how many (0 for a plain number, without an axis of its own), the first, and
/// the step to the next.
template <class Pixel>
struct dlib_pixel {
  using type = std::conditional_t<Element<Pixel>, Pixel, float>;
  static constexpr std::int64_t channels = 0, first = 0, step = 1;
};
struct DlibChannels {
  using type = unsigned char;
  static constexpr std::int64_t channels = 3, first = 0, step = 1;
};
template <>
struct dlib_pixel<dlib::rgb_pixel> : DlibChannels {};
template <>
struct dlib_pixel<dlib::hsi_pixel> : DlibChannels {};
template <>
struct dlib_pixel<dlib::lab_pixel> : DlibChannels {};
template <>
struct dlib_pixel<dlib::bgr_pixel> : DlibChannels {
  static constexpr std::int64_t first = 2, step = -1;
};
template <>
struct dlib_pixel<dlib::rgb_alpha_pixel> : DlibChannels {
  static constexpr std::int64_t channels = 4;
};

template <class Pixel>
using DlibNumber = typename dlib_pixel<Pixel>::type;

/// A view of pixels; strides are in numbers, not pixels.
template <class Pixel>
TensorView<DlibNumber<Pixel>> dlib_view(const void* data, Shape shape, Strides strides, Owner owner = nullptr) {
  using P = dlib_pixel<Pixel>;
  constexpr bool mixed = std::is_same_v<Pixel, dlib::bgr_alpha_pixel>;
  static_assert(!mixed,
                "layerscope: the channels of bgr_alpha_pixel are in an order that no stride follows; "
                "dlib::assign_image() makes an image of rgb_alpha_pixel of it");
  static_assert(mixed || Element<Pixel> || P::channels > 0,
                "layerscope: the elements of this dlib object are neither pixels of dlib nor real numbers of at most 8 "
                "bytes; pass dlib::real(x), dlib::imag(x) or dlib::norm(x) of complex ones");
  if constexpr (P::channels > 0) {
    shape.push_back(P::channels);
    strides.push_back(P::step);
  }
  const auto* const numbers = static_cast<const DlibNumber<Pixel>*>(data);
  return {numbers == nullptr ? nullptr : numbers + P::first, shape, strides, std::move(owner)};
}

template <class X>
concept DlibExpression = std::is_base_of_v<dlib::matrix_exp<X>, X>;

/// array2d, sub_image_proxy, cv_image: what has dlib's image interface, apart from matrices.
template <class X>
concept DlibImage = !DlibExpression<X> && requires(const X& x) {
  typename dlib::image_traits<X>::pixel_type;
  image_data(x);
  width_step(x);
  num_rows(x);
  num_columns(x);
};

}  // namespace detail

template <class Pixel, long rows, long columns, class Memory, class MatrixLayout>
struct adapter<dlib::matrix<Pixel, rows, columns, Memory, MatrixLayout>> {
  using X = dlib::matrix<Pixel, rows, columns, Memory, MatrixLayout>;
  static constexpr bool column_major = std::is_same_v<MatrixLayout, dlib::column_major_layout>;
  using T = detail::DlibNumber<Pixel>;

  static TensorView<T> view(const X& x) { return borrow(x, nullptr); }

  /// A view that holds `owner`.
  static TensorView<T> borrow(const X& x, Owner owner) {
    static_assert(column_major || std::is_same_v<MatrixLayout, dlib::row_major_layout>,
                  "layerscope: the layout of this dlib::matrix is neither row_major_layout nor column_major_layout");
    constexpr std::int64_t numbers = sizeof(Pixel) / sizeof(T);
    const std::int64_t down = column_major ? numbers : x.nc() * numbers;
    const std::int64_t across = column_major ? x.nr() * numbers : numbers;
    const void* const data = x.size() == 0 ? nullptr : static_cast<const void*>(&x(0, 0));
    if constexpr (rows == 1 || columns == 1) {
      return detail::dlib_view<Pixel>(data, {x.nr() * x.nc()}, {numbers}, std::move(owner));
    } else {
      return detail::dlib_view<Pixel>(data, {x.nr(), x.nc()}, {down, across}, std::move(owner));
    }
  }
};

template <detail::DlibExpression X>
struct adapter<X> {
  using Matrix = dlib::matrix<typename X::type, X::NR, X::NC>;
  static constexpr bool borrows = true;  // evaluated by view()

  static TensorView<detail::DlibNumber<typename X::type>> view(const X& x) {
    const auto evaluated = std::make_shared<const Matrix>(x);
    return adapter<Matrix>::borrow(*evaluated, evaluated);
  }
};

/// resizable_tensor, the instance of an alias_tensor, and what a layer's get_output() returns. With CUDA, host() copies
/// from the device.
template <std::derived_from<dlib::tensor> X>
struct adapter<X> {
  static constexpr bool borrows = std::derived_from<X, dlib::alias_tensor_instance>;

  static TensorView<float> view(const X& x) {
    const dlib::tensor& tensor = x;
    return {tensor.size() == 0 ? nullptr : tensor.host(),
            {std::int64_t{tensor.num_samples()}, std::int64_t{tensor.k()}, std::int64_t{tensor.nr()},
             std::int64_t{tensor.nc()}}};
  }
};

template <>
struct adapter<dlib::alias_tensor_const_instance> {
  static constexpr bool borrows = true;
  static TensorView<float> view(const dlib::alias_tensor_const_instance& x) {
    return adapter<dlib::tensor>::view(x.get());
  }
};

/// Throws Error(unsupported) where rows do not begin at a multiple of the size of a number.
template <detail::DlibImage X>
struct adapter<X> {
  using Pixel = typename dlib::image_traits<X>::pixel_type;

  static TensorView<detail::DlibNumber<Pixel>> view(const X& x) {
    constexpr std::int64_t bytes = sizeof(detail::DlibNumber<Pixel>);
    const std::int64_t rows = num_rows(x), columns = num_columns(x), step = width_step(x);
    if (rows > 1 && step % bytes != 0) {
      throw Error(ErrorCode::unsupported, "dlib: rows of " + to_text(step) + " bytes; expected a multiple of the " +
                                              to_text(bytes) + " bytes of a number");
    }
    return detail::dlib_view<Pixel>(rows == 0 || columns == 0 ? nullptr : image_data(x), {rows, columns},
                                    {step / bytes, std::int64_t{sizeof(Pixel)} / bytes});
  }
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
