// A bar of colours with the numbers at its ends and in its middle, as composed pictures have it at their right edge.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {
struct ColourBar;
}  // namespace layerscope::inline LAYERSCOPE_ABI

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Pixels across for the bar with its numbers and its label.
std::int64_t colour_bar_width(const ColourBar& bar);

/// Draws the bar from (left, top), `height` pixels high; the label stands in the line of text above.
void draw_colour_bar(Image& image, const ColourBar& bar, std::int64_t left, std::int64_t top, std::int64_t height);

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/colour_bar_inl.hpp>
#endif
