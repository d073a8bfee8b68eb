// Changing the size of pictures and matrices: nearest neighbour up, area average down.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Each pixel as a square of `factor` × `factor` pixels. Throws Error(invalid_argument) for a factor below 1 or an
/// image that check_image() refuses, Error(too_large) beyond max_image_bytes.
Image upscale(const Image& image, std::int64_t factor);

/// The image at width × height pixels, each the average of the area that it covers, rounded to the nearest. Palettes
/// are looked up first: the result of an indexed image is RGB. Throws Error(invalid_argument) unless 1 <= width <=
/// image.width and the same for the height.
Image downscale(const Image& image, std::int64_t width, std::int64_t height);

/// The matrix x [h, w] at [height, width] as float32 (float64 of float64), each number the average of the area that it
/// covers, summed in double. Non-finite numbers are left out of the average; an area with nothing finite keeps the kind
/// that it has most of (NaN wins ties). Throws Error(empty) for rank 0 or zero extents, Error(invalid_argument) for
/// another rank or sizes outside 1 to the extents.
Tensor downscale(const AnyView& x, std::int64_t height, std::int64_t width);

/// The smallest integer that both sides must be divided by (rounding up) for the image to stay within `max_bytes`.
std::int64_t reduction_to_fit(std::int64_t width, std::int64_t height, int bytes_per_pixel,
                              std::int64_t max_bytes = max_image_bytes);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/resample_inl.hpp>
#endif
