// The weights of a layer as pictures of its filters.
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

struct FiltersOptions {
  /// What the axes of the weight are: layouts::oihw (default), oi, oil, oidhw, or any order of those letters.
  Layout layout = layouts::oihw;
  /// First line. Default none.
  std::string title{};
  /// Most output channels shown, 1 or more; the picture says how many there are. Default 64.
  std::int64_t max_outputs = 64;
  /// Most input channels shown per output, 1 or more. Default 16.
  std::int64_t max_inputs = 16;
  /// Output and input channels there are, when the view holds only some of them. Derived when absent: the extents.
  std::optional<std::int64_t> outputs_total{};
  std::optional<std::int64_t> inputs_total{};
  /// Which weights share a scale. Derived when absent: each for RGB filters, global for the others.
  std::optional<Scaling> scaling{};
  /// Colours of single-channel filters. Default blue_white_red, white being 0.
  Colormap colormap = Colormap::blue_white_red;
  /// For layout OI: the shape [h, w] or [3, h, w] that the inputs of each unit had before they were flattened, so that
  /// each row of the weight is shown as such an image. Its product must be the number of inputs. Default none: the
  /// weight is one heatmap, outputs downwards.
  Shape input_shape{};
  /// Side of the square of pixels per weight. Derived when absent, see GridOptions::zoom.
  std::optional<std::int64_t> zoom{};
};

/// A picture of `weight`, whose colours are symmetric about zero in every case.
/// - O, I = 3, H, W: one RGB tile per output channel, zero being mid grey.
/// - O, I, H, W: outputs downwards, inputs across, one tile each; a single input channel gives a plain grid.
/// - O, I, L: one tile [I, L] per output channel.  - O, I, D, H, W: as OIHW of the middle slice, and said.
/// - O, I: one heatmap, or tiles of input_shape.
/// Throws Error(empty) for rank 0 and zero extents, Error(invalid_argument) when the rank is not that of the layout,
/// for other layouts, and for options outside their ranges. Non-finite weights are magenta (NaN), green (+inf), cyan
/// (−inf).
Image filters(const AnyView& weight, const FiltersOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/filters_inl.hpp>
#endif
