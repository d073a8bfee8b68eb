// Tensors cut into maps, and maps turned into tiles of a grid: what filters() and feature_maps() share.
#pragma once

#include <layerscope/algorithms/heatmap.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/layout.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// The view with one axis per letter of `order`, those that the layout lacks being of extent 1. Throws Error(empty) for
/// rank 0 or zero extents, Error(invalid_argument) for a rank that is not the layout's or a letter not in `order`.
AnyView arranged(const AnyView& x, const Layout& layout, std::string_view order, const char* what);

/// Maps as heatmaps, one pixel per number, and what their colours mean.
struct MapTiles {
  std::vector<Image> images;
  std::vector<std::string> ranges;  ///< "-0.12, 3.4" of each map, or "±3.4"
  Range range;                      ///< of all finite numbers (symmetric about 0 where that was asked)
  std::int64_t nan = 0, positive_infinities = 0, negative_infinities = 0;

  /// Adds "3 NaN (magenta)" and the like where there are any.
  void describe(std::vector<std::string>& captions) const;
};

struct MapStyle {
  Colormap colormap = Colormap::viridis;
  Normalization normalization = Normalization::min_max;  ///< min_max or symmetric
  Scaling scaling = Scaling::each;
};

/// Heatmaps of the maps, each [h, w].
MapTiles map_tiles(const std::vector<AnyView>& maps, const MapStyle& style);

/// "8 of 64 samples" and "16 of 128 channels" where something is left out, joined; empty when all is shown.
std::string shown_caption(std::int64_t samples, std::int64_t samples_total, const char* samples_name,
                          std::int64_t channels, std::int64_t channels_total, const char* channels_name);

/// The image with every pixel zoom_x × zoom_y large.
Image stretched(const Image& image, std::int64_t zoom_x, std::int64_t zoom_y);

/// Pixels per number for matrices without spatial meaning, each side for itself, so that both come near `side`.
struct MatrixZoom {
  std::int64_t x = 1, y = 1;
  MatrixZoom(std::int64_t height, std::int64_t width, std::int64_t side, const std::optional<std::int64_t>& given);
};

/// A matrix averaged down to at most 1024 numbers a side, with a caption when that happened.
AnyView bounded_matrix(const AnyView& matrix, std::vector<std::string>& captions);

void check_at_least_one(const char* what, const char* option, std::int64_t value);

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/tiles_inl.hpp>
#endif
