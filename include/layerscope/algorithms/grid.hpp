// Many images as one: make_grid() with torchvision's rules for numbers, render_grid() for a picture to look at.
#pragma once

#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// How make_grid() maps numbers to [0, 1].
enum class GridNormalization : std::uint8_t {
  none,   ///< leaves them alone
  batch,  ///< (v − min) / max(max − min, 1e-5) over the whole batch: torchvision's normalize=True
  each,   ///< the same per image: torchvision's scale_each=True
};

/// Names in parentheses are torchvision's.
struct MakeGridOptions {
  /// Images per row (nrow), 1 or more. Default 8.
  std::int64_t columns = 8;
  /// Pixels around and between images (padding), 0 or more. Default 2.
  std::int64_t padding = 2;
  /// (normalize, scale_each). Default none.
  GridNormalization normalization = GridNormalization::none;
  /// Numbers that become 0 and 1 (value_range); what lies outside is clamped. Derived when absent: smallest and
  /// largest.
  std::optional<Range> value_range{};
  /// Value of the padding (pad_value). Default 0.
  double pad_value = 0;
};

/// torchvision.utils.make_grid: images [n, c, h, w] as one [c', rows · (h + padding) + padding, columns · (w + padding)
/// + padding], float32 (float64 of float64), where c' is 3 for c = 1, else c. [c, h, w] and [h, w] are one image, and
/// one image is returned without padding. With NaN in the input and normalisation without value_range, everything that
/// NaN touches becomes NaN, as in torchvision. Throws Error(empty) for rank below 2 or zero extents,
/// Error(invalid_argument) for rank above 4 and for options outside their ranges.
Tensor make_grid(const AnyView& images, const MakeGridOptions& options = {});

/// A bar of colours with the numbers at its ends and in its middle.
struct ColourBar {
  Colormap colormap = Colormap::viridis;
  Range range{};        ///< numbers at the two ends
  std::string label{};  ///< what the numbers are, written above the bar; may be empty
  /// Whether colours follow the numbers or their logarithms (then 0 < range.min).
  enum class Scale : std::uint8_t { linear, log } scale = Scale::linear;
};

struct GridOptions {
  /// Tiles per row, 1 or more; more than there are tiles means all of them. Derived when absent: Grid::columns.
  std::optional<std::int64_t> columns{};
  /// Pixels between tiles, 0 or more. Default 4.
  std::int64_t padding = 4;
  /// Side of the square of pixels that each tile pixel becomes, 1 or more. Derived when absent: the largest that keeps
  /// the longest side of all tiles within 96 pixels (160 when there are 4 tiles or fewer) and the picture within about
  /// 1280 × 1600, but tiles of at least 24 pixels.
  std::optional<std::int64_t> zoom{};
  /// First line, in bold. Lines too wide for the picture are broken at spaces, or widen it to at most 640 pixels.
  std::string title{};
  /// Names of the columns, above them, and of the rows, left of them; empty or one each.
  std::vector<std::string> column_labels{};
  std::vector<std::string> row_labels{};
  /// A scale at the right edge, where all tiles share one. Default none.
  std::optional<ColourBar> colour_bar{};
  /// Small lines below the tiles: "8 of 64 channels shown".
  std::vector<std::string> captions{};
  /// Default white.
  Rgb background{255, 255, 255};
};

/// The tiles row by row on a light background, enlarged by an integer so that small ones are visible, with Grid::labels
/// below them, elided where too wide. A picture beyond max_image_bytes is scaled down by averaging, and its last
/// caption says so. Throws Error(empty) without tiles, Error(invalid_argument) for a tile that check_image() refuses,
/// for a number of labels other than 0 or that of the tiles, and for options outside their ranges.
Image render_grid(const Grid& grid, const GridOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/grid_inl.hpp>
#endif
