// Changing the size of matrices and pictures: nearest, area average, bilinear, Lanczos, up and down.
//
// Separable. Bilinear and Lanczos widen their kernels by the reduction, so that making smaller averages instead of
// picking (antialiasing): Turkowski, "Filters for Common Resampling Tasks", Graphics Gems 1990; Duchon, "Lanczos
// Filtering in One and Two Dimensions", J. Appl. Meteorol. 18 (1979). Supports, centres and weights are those of
// Pillow's resize(), to 1e-4 in float mode.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

enum class ResampleFilter : std::uint8_t {
  nearest,   ///< the number at the centre: none is new, up and down
  area,      ///< the average of the area covered, fractions of cells included
  bilinear,  ///< a triangle as wide as two cells of the coarser side: never beyond the numbers given
  lanczos,   ///< a sinc windowed by its central lobe, 6 cells wide: sharper, may overshoot at edges
};

/// "nearest", "area", "bilinear", "lanczos".
const char* name(ResampleFilter filter) noexcept;

struct ResampleOptions {
  /// How new numbers come of the old ones. Default area: exact averages down, repetition up by whole factors.
  ResampleFilter filter = ResampleFilter::area;
  /// Threads at most, the caller's included; 0 means every core. Does not change the result.
  int threads = 0;
};

/// The matrix x [h, w] at `shape` [height, width], as float32 (float64 of float64), summed in double. A side whose
/// extent stays is copied as it is.
///
/// Numbers that are not finite: nearest copies them. The other filters leave them out and give their weight to the
/// rest; where nothing finite is left the result is the kind that there is most of, NaN before infinities. As weights
/// of lanczos may be negative, and so cancel out, its results that would touch such a number are those of bilinear.
/// Overshoot beyond the largest finite number of the result's type becomes that number.
///
/// O(h · w + height · width) for nearest, times the width of the kernel for the others.
/// Throws Error(empty) for rank 0 or zero extents, Error(invalid_argument) for another rank or a `shape` that is not
/// two extents of 1 or more, Error(too_large) for extents of 2^31 or more.
Tensor resample(const AnyView& x, const Shape& shape, const ResampleOptions& options = {});

/// The image at width × height pixels, channels rounded to the nearest and clamped. Colours of RGBA are weighted by
/// their alpha (nearest aside), so that transparent pixels do not shine through. Palettes are looked up, and the result
/// of an indexed image is RGB, but for nearest, which keeps the palette. Throws Error(invalid_argument) for sides below
/// 1 and an image that check_image() refuses, Error(too_large) beyond max_image_bytes.
Image resample(const Image& image, std::int64_t width, std::int64_t height, const ResampleOptions& options = {});

/// Each pixel as a square of `factor` × `factor` pixels. Throws Error(invalid_argument) for a factor below 1 or an
/// image that check_image() refuses, Error(too_large) beyond max_image_bytes.
Image upscale(const Image& image, std::int64_t factor);

/// The smallest integer that both sides must be divided by (rounding up) for the image to stay within `max_bytes`.
std::int64_t reduction_to_fit(std::int64_t width, std::int64_t height, int bytes_per_pixel,
                              std::int64_t max_bytes = max_image_bytes);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/resample_inl.hpp>
#endif
