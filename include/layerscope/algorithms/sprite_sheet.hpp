// Many thumbnails in one image, as web pages that draw thousands of them want it: a square grid of equal squares.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/layout.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

struct SpriteSheetOptions {
  /// Most pixels a side of a thumbnail, 1 or more; larger images are averaged down. Default 64.
  std::int64_t max_thumbnail = 64;
  /// Most pixels a side of the sheet, 1 or more; beyond it all thumbnails shrink, and a warning says so. Default 8192,
  /// the most that the Embedding Projector takes.
  std::int64_t max_side = 8192;
  /// For tensors: what is black and what is white. Derived: 0 to 255 for 8-bit integers, else the smallest and largest
  /// finite numbers of all images.
  std::optional<Range> range = std::nullopt;
};

struct SpriteSheet {
  Sprites sprites;
  std::vector<std::string> warnings;
};

/// The images, of any sizes, each scaled to fit a square and centred in it on black. The sheet has G x G cells, G being
/// the root of their number, rounded up, and is drawn when its picture is first asked for. Throws Error(empty) without
/// images, Error(invalid_argument) for one that check_image() refuses and for options out of range, Error(too_large)
/// when not even one pixel each fits.
SpriteSheet sprite_sheet(std::vector<Image> images, const SpriteSheetOptions& options = {});

/// The same of a tensor: N, H, W and N, C, H, W with 1 or 3 channels, in any order. Without a layout, the axes are
/// taken in that order. NaN is black. The tensor is shared with the picture when it is owned, else copied. Throws as
/// above, and Error(invalid_argument) for other layouts, ranks and numbers of channels.
SpriteSheet sprite_sheet(const AnyView& images, const std::optional<Layout>& layout = std::nullopt,
                         const SpriteSheetOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/sprite_sheet_inl.hpp>
#endif
