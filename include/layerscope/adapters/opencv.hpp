// Adapters for OpenCV 4: cv::Mat and Mat_, Matx and Vec, and expressions of matrices.
//
// A matrix with one channel is [rows, columns], or [d0, d1, …] with more dimensions; several channels are one more axis
// at the end, [rows, columns, channels], the layout "HWC". Regions of interest and padded rows are read in place.
//
// Channels come in the order of the memory, which is blue, green, red for what cv::imread() read. A cv::Mat does not
// say so, hence nothing is swapped by view(x): view_bgr(x) says that the order is B, G, R, and gives R, G, B.
//
// A Mat around a pointer of the user's owns no elements; these must outlive the view, also of a temporary Mat.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/adapter.hpp>
#include <layerscope/core/detail/dims_of.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>

#include <opencv2/core/mat.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline std::optional<DType> opencv_dtype(int depth) noexcept {
  switch (depth) {
    case CV_8U: return DType::u8;
    case CV_8S: return DType::i8;
    case CV_16U: return DType::u16;
    case CV_16S: return DType::i16;
    case CV_32S: return DType::i32;
    case CV_16F: return DType::f16;
    case CV_32F: return DType::f32;
    case CV_64F: return DType::f64;
    default: return std::nullopt;
  }
}

/// The stride in elements of one that is in bytes.
inline std::int64_t opencv_stride(std::size_t step, std::size_t element, int extent) {
  if (extent > 1 && step % element != 0) {
    throw Error(ErrorCode::unsupported, "opencv: a step of " + to_text(step) + " bytes; expected a multiple of the " +
                                            to_text(element) + " bytes of an element");
  }
  return static_cast<std::int64_t>(step / element);
}

template <class T, int rows, int columns>
void opencv_matx(const cv::Matx<T, rows, columns>&);

}  // namespace detail

/// Throws Error(unsupported) for a depth that is not CV_8U to CV_64F or CV_16F, Error(invalid_argument) for more than
/// eight axes, that of the channels included.
template <>
struct adapter<cv::Mat> {
  static AnyView view(const cv::Mat& x) {
    const std::optional<DType> dtype = detail::opencv_dtype(x.depth());
    if (!dtype) {
      throw Error(ErrorCode::unsupported, "opencv: the depth is " + to_text(x.depth()) +
                                              "; expected CV_8U, CV_8S, CV_16U, CV_16S, CV_32S, CV_16F, CV_32F or "
                                              "CV_64F: pass the result of x.convertTo()");
    }
    const std::size_t element = x.elemSize1();
    const int axes = x.dims == 0 ? 2 : x.dims;  // a Mat that was never filled has no dimensions, and 0 rows
    const int rank = axes + (x.channels() > 1 ? 1 : 0);
    const Shape shape = detail::dims_of("opencv", rank, [&](int axis) {
      return axis == axes ? x.channels() : x.dims == 0 ? 0 : x.size[axis];
    });
    if (x.empty()) return {nullptr, *dtype, shape};
    return {x.data, *dtype, shape, detail::dims_of("opencv", rank, [&](int axis) {
              return axis == axes ? 1 : detail::opencv_stride(x.step[axis], element, x.size[axis]);
            })};
  }
};

template <class T>
struct adapter<cv::Mat_<T>> : adapter<cv::Mat> {};

/// Evaluated into a Mat that the view owns.
template <>
struct adapter<cv::MatExpr> {
  static constexpr bool borrows = true;  // evaluated by view()
  static AnyView view(const cv::MatExpr& x) {
    const auto evaluated = std::make_shared<const cv::Mat>(x);
    return adapter<cv::Mat>::view(*evaluated).with_owner(evaluated);
  }
};

/// Shape [rows, columns], or [size] with one row or one column. So is cv::Vec and cv::Scalar.
template <class X>
requires requires(const X& x) {
  detail::opencv_matx(x);
}
struct adapter<X> {
  using T = typename X::value_type;

  static AnyView view(const X& x) {
    const Shape shape = X::rows == 1 || X::cols == 1 ? Shape{X::rows * X::cols} : Shape{X::rows, X::cols};
    if constexpr (Element<T>) {
      return {x.val, dtype_of<T>, shape};
    } else {
      static_assert(detail::never<X>,
                    "layerscope: the elements of this cv::Matx are no real numbers of at most 8 bytes; copy them, or "
                    "their real and imaginary parts, into a matrix of float or double");
      return {};
    }
  }
};

template <std::same_as<cv::UMat> X>
struct adapter<X> {
  static AnyView view(const X&) {
    static_assert(
        detail::never<X>,
        "layerscope: a cv::UMat may lie on another device; pass x.getMat(cv::ACCESS_READ), which maps it into "
        "host memory for as long as the view lives");
    return {};
  }
};

template <class X>
requires std::derived_from<X, cv::SparseMat>
struct adapter<X> {
  static AnyView view(const X&) {
    static_assert(detail::never<X>,
                  "layerscope: a cv::SparseMat has no strides; x.copyTo(dense) makes a cv::Mat of it to view");
    return {};
  }
};

template <std::same_as<cv::cuda::GpuMat> X>
struct adapter<X> {
  static AnyView view(const X&) {
    static_assert(detail::never<X>,
                  "layerscope: a cv::cuda::GpuMat lies on a device; x.download(host) makes a cv::Mat of it to view");
    return {};
  }
};

/// The view of an image whose three channels are stored blue, green, red, as cv::imread() gives them, with the channels
/// red, green, blue: nothing is copied, the last stride is negative. An rvalue is owned, as by view().
/// Throws Error(invalid_argument) unless there are two dimensions and three channels; a BGRA image needs
/// cv::cvtColor(x, y, cv::COLOR_BGRA2RGBA) first.
template <class X>
requires std::derived_from<std::remove_cvref_t<X>, cv::Mat> AnyView view_bgr(X&& x) {
  const int channels = x.channels();
  const AnyView stored = layerscope::view(std::forward<X>(x));
  if (stored.rank() != 3 || channels != 3) {
    throw Error(ErrorCode::invalid_argument, "opencv: a matrix of " + to_text(channels) + " channels and shape " +
                                                 to_text(stored.shape()) +
                                                 " taken for a BGR image; expected 3 channels in two dimensions");
  }
  return stored.empty() ? stored : stored.narrow(2, 2, 3, -1);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
