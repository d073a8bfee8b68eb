// What the composed pictures (grids, charts) share: one look, text blocks, smooth lines and markers.
#pragma once

#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/algorithms/text.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// The look: dark grey text on white, light grey frames, 12 pixels around everything.
namespace look {
inline constexpr Rgb ink{0x22, 0x22, 0x22};
inline constexpr Rgb soft_ink{0x5F, 0x5F, 0x5F};
inline constexpr Rgb frame{0xC8, 0xC8, 0xC8};
inline constexpr Rgb grid_line{0xE6, 0xE6, 0xE6};
inline constexpr Rgb paper{0xFF, 0xFF, 0xFF};
inline constexpr std::int64_t margin = 12;
inline constexpr std::int64_t line = 15;  // from one line of text to the next
inline constexpr TextOptions title{.scale = 1, .weight = FontWeight::bold};
}  // namespace look

/// Ink that can be read on `shade`.
Rgb ink_on(Rgb shade) noexcept;

/// A rectangle of pixels.
struct Box {
  std::int64_t x = 0, y = 0, width = 0, height = 0;
};

/// The part of `box` inside the image, filled.
void fill_box(Image& image, const Box& box, Rgb colour);

/// A frame of one pixel just inside `box`.
void draw_frame(Image& image, const Box& box, Rgb colour);

/// `share` in [0, 1] of `colour` over the pixel; nothing outside the image.
void blend_pixel(Image& image, std::int64_t x, std::int64_t y, Rgb colour, double share);

/// `image` copied into `canvas` (RGB) with its top left corner at (x, y), both sides multiplied; clipped.
void paste(Image& canvas, const Image& image, std::int64_t x, std::int64_t y, std::int64_t zoom_x, std::int64_t zoom_y);

/// The largest zoom with tiles of at most 96 pixels (160 for up to four) in a picture of about 1280 × 1600, but tiles
/// of at least 24 pixels.
std::int64_t derived_zoom(std::int64_t longest, std::int64_t count, std::int64_t columns, std::int64_t padding);

/// Share in [0, 1] that a marker of `diameter` pixels with its centre at (0, 0) covers of the pixel at (dx, dy).
double marker_coverage(Marker marker, double diameter, double dx, double dy) noexcept;

/// A marker with smooth edges, cut off at `clip`.
void draw_marker(Image& image, const Box& clip, double x, double y, double diameter, const ClassStyle& style,
                 double opacity);

/// Lines of text, one below the other from (x, y).
void draw_lines(Image& image, std::int64_t x, std::int64_t y, const std::vector<std::string>& lines, Rgb colour,
                const TextOptions& options = {});

/// Text whose box ends at `right`, or has its middle at `centre`.
void draw_text_right(Image& image, std::int64_t right, std::int64_t y, std::string_view text, Rgb colour);
void draw_text_centred(Image& image, std::int64_t centre, std::int64_t y, std::string_view text, Rgb colour);

/// Text in scale 1, turned by 90° to read upwards; (x, y) is the top left corner of the turned box.
void draw_text_upwards(Image& image, std::int64_t x, std::int64_t y, std::string_view utf8, Rgb colour);

/// to_short_text() with "1e+06" as "1e6".
std::string number_text(double value, int digits);

/// The title and the captions broken to `width`, and the pixels they take above and below the body.
struct TextBlocks {
  std::vector<std::string> title;
  std::vector<std::string> captions;

  TextBlocks(std::string_view title_text, const std::vector<std::string>& caption_texts, std::int64_t width);
  std::int64_t above() const noexcept;
  std::int64_t below() const noexcept;
  /// Draws the title from (margin, margin) and the captions so that they end at the bottom margin.
  void draw(Image& image) const;
};

/// A polyline with round joints, collected as coverage so that overlaps do not darken, then laid over an image.
class LineMask {
 public:
  explicit LineMask(const Box& clip);
  /// Adds a segment of `thickness` pixels between two points, in pixels of the image.
  void add(double x0, double y0, double x1, double y1, double thickness);
  /// `share` in [0, 1] of the colour where a line covers the whole pixel.
  void lay_over(Image& image, Rgb colour, double share = 1) const;

 private:
  Box clip_;
  std::vector<std::uint8_t> coverage_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/canvas_inl.hpp>
#endif
