// The activations of a layer as pictures.
#pragma once

#include <layerscope/algorithms/heatmap.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/layout.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

/// What becomes of the depth axis of NCDHW.
enum class DepthView : std::uint8_t { middle_slice, max_projection };

struct FeatureMapsOptions {
  /// First line. Default none.
  std::string title{};
  /// Most samples and channels (features) shown, 1 or more; the picture says how many there are. Defaults 8 and 64
  /// for maps with an H or L axis; matrices (NC, NTD) are shown whole, averaged above 1024 a side.
  std::int64_t max_samples = 8;
  std::int64_t max_channels = 64;
  /// Samples and channels there are, when the view holds only some of them. Derived when absent: the extents.
  std::optional<std::int64_t> samples_total{};
  std::optional<std::int64_t> channels_total{};
  /// Which maps share a colour scale. Default each: the common reading of feature maps, as channels differ by orders of
  /// magnitude; a constant map, which has no scale, is drawn on that of all. Matrices (NC, NTD) always have one scale
  /// each and a colour bar.
  Scaling scaling = Scaling::each;
  /// Default viridis.
  Colormap colormap = Colormap::viridis;
  /// What becomes of the depth axis of NCDHW, named in the caption. Default middle_slice.
  DepthView depth = DepthView::middle_slice;
  /// Side of the square of pixels per number. Derived when absent, see GridOptions::zoom.
  std::optional<std::int64_t> zoom{};
};

/// A picture of the activations `x`, whose axes `layout` names in any order.
/// - N, C, H, W: a grid, a row per sample and a column per channel (one sample: its channels row by row).
/// - N, C, D, H, W: the same of a slice or projection.  - C, H, W and N, H, W: one sample, or one channel.
/// - N, C, L: one heatmap [C, L] per sample.  - N, T, D: one heatmap, tokens downwards, per sample.
/// - N, C: one heatmap, samples downwards.  - H, W: one map.
/// The range of the numbers shown is always printed. Throws Error(empty) for rank 0 and zero extents,
/// Error(invalid_argument) when the rank is not that of the layout, for other layouts, and for options outside their
/// ranges. NaN is magenta, +infinity green, −infinity cyan, and the caption counts them.
Image feature_maps(const AnyView& x, const Layout& layout, const FeatureMapsOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/feature_maps_inl.hpp>
#endif
