// Body of algorithms/detail/canvas.hpp.
#pragma once

#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline Box intersection(const Box& a, const Box& b) noexcept {
  const std::int64_t x = (std::max)(a.x, b.x);
  const std::int64_t y = (std::max)(a.y, b.y);
  return {x, y, (std::min)(a.x + a.width, b.x + b.width) - x, (std::min)(a.y + a.height, b.y + b.height) - y};
}

LAYERSCOPE_INLINE Rgb ink_on(Rgb shade) noexcept {
  return 299 * shade.r + 587 * shade.g + 114 * shade.b > 128'000 ? look::ink : look::paper;
}

LAYERSCOPE_INLINE void fill_box(Image& image, const Box& box, Rgb colour) {
  const Box inside = intersection(box, {0, 0, image.width, image.height});
  for (std::int64_t y = inside.y; y < inside.y + inside.height; ++y) {
    for (std::int64_t x = inside.x; x < inside.x + inside.width; ++x) {
      std::uint8_t* const pixel = image.at(x, y);
      pixel[0] = colour.r;
      pixel[1] = colour.g;
      pixel[2] = colour.b;
    }
  }
}

LAYERSCOPE_INLINE void draw_frame(Image& image, const Box& box, Rgb colour) {
  fill_box(image, {box.x, box.y, box.width, 1}, colour);
  fill_box(image, {box.x, box.y + box.height - 1, box.width, 1}, colour);
  fill_box(image, {box.x, box.y, 1, box.height}, colour);
  fill_box(image, {box.x + box.width - 1, box.y, 1, box.height}, colour);
}

LAYERSCOPE_INLINE void blend_pixel(Image& image, std::int64_t x, std::int64_t y, Rgb colour, double share) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height) return;
  const auto mixed = [share](std::uint8_t below, std::uint8_t over) {
    return static_cast<std::uint8_t>(below + (over - below) * share + 0.5);
  };
  std::uint8_t* const pixel = image.at(x, y);
  pixel[0] = mixed(pixel[0], colour.r);
  pixel[1] = mixed(pixel[1], colour.g);
  pixel[2] = mixed(pixel[2], colour.b);
}

LAYERSCOPE_INLINE void paste(Image& canvas, const Image& image, std::int64_t x, std::int64_t y, std::int64_t zoom_x,
                             std::int64_t zoom_y) {
  const Image source = to_rgb(image);
  const Box inside =
      intersection({x, y, source.width * zoom_x, source.height * zoom_y}, {0, 0, canvas.width, canvas.height});
  for (std::int64_t row = inside.y; row < inside.y + inside.height; ++row) {
    for (std::int64_t column = inside.x; column < inside.x + inside.width; ++column) {
      std::copy_n(source.at((column - x) / zoom_x, (row - y) / zoom_y), 3, canvas.at(column, row));
    }
  }
}

LAYERSCOPE_INLINE std::int64_t derived_zoom(std::int64_t longest, std::int64_t count, std::int64_t columns,
                                            std::int64_t padding) {
  const std::int64_t rows = (count - 1) / columns + 1;
  std::int64_t side = count <= 4 ? 160 : 96;
  side = (std::min)({side, 1280 / columns - padding - 2, 1600 / rows - padding - 2});
  return (std::max<std::int64_t>)(1, (std::max<std::int64_t>)(side, 24) / longest);
}

LAYERSCOPE_INLINE double marker_coverage(Marker marker, double diameter, double dx, double dy) noexcept {
  const double radius = diameter / 2;
  const double x = std::fabs(dx);
  const double y = std::fabs(dy);
  // Distance to the outline, negative inside; sizes are chosen so that all shapes have about the area of the disc.
  double distance = 0;
  switch (marker) {
    case Marker::disc: distance = std::sqrt(dx * dx + dy * dy) - radius; break;
    case Marker::square: distance = (std::max)(x, y) - 0.89 * radius; break;
    case Marker::diamond: distance = (x + y - 1.25 * radius) * 0.7071067811865476; break;
    case Marker::triangle:
      distance = (std::max)(dy - 0.78 * radius, 0.8660254037844386 * x - 0.5 * dy - 0.78 * radius);
      break;
    case Marker::plus: distance = (std::max)((std::min)(x, y) - 0.36 * radius, (std::max)(x, y) - 1.15 * radius); break;
    case Marker::cross: {
      const double along = std::fabs(dx + dy) * 0.7071067811865476;
      const double across = std::fabs(dx - dy) * 0.7071067811865476;
      distance = (std::max)((std::min)(along, across) - 0.36 * radius, (std::max)(along, across) - 1.2 * radius);
      break;
    }
  }
  return (std::clamp)(0.5 - distance, 0.0, 1.0);
}

LAYERSCOPE_INLINE void draw_marker(Image& image, const Box& clip, double x, double y, double diameter,
                                   const ClassStyle& style, double opacity) {
  const double reach = 0.75 * diameter + 1;
  const auto floor_of = [](double value) { return static_cast<std::int64_t>(std::floor(value)); };
  const Box box =
      intersection({floor_of(x - reach), floor_of(y - reach), floor_of(2 * reach) + 2, floor_of(2 * reach) + 2}, clip);
  for (std::int64_t row = box.y; row < box.y + box.height; ++row) {
    for (std::int64_t column = box.x; column < box.x + box.width; ++column) {
      const double share = marker_coverage(style.marker, diameter, static_cast<double>(column) + 0.5 - x,
                                           static_cast<double>(row) + 0.5 - y);
      if (share > 0) blend_pixel(image, column, row, style.colour, share * opacity);
    }
  }
}

LAYERSCOPE_INLINE void draw_lines(Image& image, std::int64_t x, std::int64_t y, const std::vector<std::string>& lines,
                                  Rgb colour, const TextOptions& options) {
  for (const std::string& line : lines) {
    draw_text(image, x, y, line, colour, options);
    y += look::line;
  }
}

LAYERSCOPE_INLINE void draw_text_right(Image& image, std::int64_t right, std::int64_t y, std::string_view text,
                                       Rgb colour) {
  draw_text(image, right - text_extent(text).width, y, text, colour);
}

LAYERSCOPE_INLINE void draw_text_centred(Image& image, std::int64_t centre, std::int64_t y, std::string_view text,
                                         Rgb colour) {
  draw_text(image, centre - text_extent(text).width / 2, y, text, colour);
}

LAYERSCOPE_INLINE void draw_text_upwards(Image& image, std::int64_t x, std::int64_t y, std::string_view utf8,
                                         Rgb colour) {
  const std::int64_t bottom = font_pixels(utf8, FontWeight::regular) - 1;
  plot_text(utf8, FontWeight::regular, [&](std::int64_t column, std::int64_t row) {
    fill_box(image, {x + row, y + bottom - column, 1, 1}, colour);
  });
}

LAYERSCOPE_INLINE std::string number_text(double value, int digits) {
  std::string text = to_short_text(value, digits);
  const std::size_t exponent = text.find('e');
  if (exponent == std::string::npos) return text;
  const std::size_t power = text.find_first_not_of("+-0", exponent + 1);  // to_chars() writes no exponent of zero
  return text.substr(0, exponent) + (text[exponent + 1] == '-' ? "e-" : "e") + text.substr(power);
}

LAYERSCOPE_INLINE TextBlocks::TextBlocks(std::string_view title_text, const std::vector<std::string>& caption_texts,
                                         std::int64_t width)
    : title(wrap_text(title_text, width, look::title)) {
  for (const std::string& text : caption_texts) {
    for (std::string& line : wrap_text(text, width, {})) captions.push_back(std::move(line));
  }
}

LAYERSCOPE_INLINE std::int64_t TextBlocks::above() const noexcept {
  return title.empty() ? 0 : static_cast<std::int64_t>(title.size()) * look::line + 7;
}

LAYERSCOPE_INLINE std::int64_t TextBlocks::below() const noexcept {
  return captions.empty() ? 0 : static_cast<std::int64_t>(captions.size()) * look::line + 6;
}

LAYERSCOPE_INLINE void TextBlocks::draw(Image& image) const {
  draw_lines(image, look::margin, look::margin, title, look::ink, look::title);
  const auto rows = static_cast<std::int64_t>(captions.size());
  draw_lines(image, look::margin, image.height - look::margin - rows * look::line + 1, captions, look::soft_ink);
}

LAYERSCOPE_INLINE LineMask::LineMask(const Box& clip)
    : clip_(clip), coverage_(static_cast<std::size_t>(clip.width * clip.height)) {}

LAYERSCOPE_INLINE void LineMask::add(double x0, double y0, double x1, double y1, double thickness) {
  x0 -= static_cast<double>(clip_.x);
  x1 -= static_cast<double>(clip_.x);
  y0 -= static_cast<double>(clip_.y);
  y1 -= static_cast<double>(clip_.y);
  const double dx = x1 - x0;
  const double dy = y1 - y0;
  const double length_squared = dx * dx + dy * dy;
  const double reach = thickness / 2 + 1;
  const auto bounded = [](double value, std::int64_t limit) {
    return static_cast<std::int64_t>((std::clamp)(std::floor(value), 0.0, static_cast<double>(limit)));
  };
  // Walks the longer direction pixel by pixel, and looks only at the pixels near the line in the other one.
  const bool steep = std::fabs(dy) > std::fabs(dx);
  const std::int64_t major_limit = steep ? clip_.height : clip_.width;
  const std::int64_t minor_limit = steep ? clip_.width : clip_.height;
  const double major0 = steep ? y0 : x0;
  const double minor0 = steep ? x0 : y0;
  const double major_span = steep ? dy : dx;
  const double slope = major_span == 0 ? 0 : (steep ? dx : dy) / major_span;
  const std::int64_t first = bounded((std::min)(major0, major0 + major_span) - reach, major_limit);
  const std::int64_t last = bounded((std::max)(major0, major0 + major_span) + reach + 1, major_limit);
  for (std::int64_t major = first; major < last; ++major) {
    const double along = (std::clamp)(static_cast<double>(major) + 0.5 - major0, (std::min)(0.0, major_span),
                                      (std::max)(0.0, major_span));
    const double centre = minor0 + along * slope;
    const std::int64_t minor_end = bounded(centre + 1.5 * reach + 1, minor_limit);
    for (std::int64_t minor = bounded(centre - 1.5 * reach, minor_limit); minor < minor_end; ++minor) {
      const std::int64_t column = steep ? minor : major;
      const std::int64_t row = steep ? major : minor;
      const double px = static_cast<double>(column) + 0.5 - x0;
      const double py = static_cast<double>(row) + 0.5 - y0;
      const double t = length_squared > 0 ? (std::clamp)((px * dx + py * dy) / length_squared, 0.0, 1.0) : 0.0;
      const double distance = std::sqrt((px - t * dx) * (px - t * dx) + (py - t * dy) * (py - t * dy));
      const double share = (std::clamp)(0.5 + thickness / 2 - distance, 0.0, 1.0);
      std::uint8_t& cell = coverage_[static_cast<std::size_t>(row * clip_.width + column)];
      cell = (std::max)(cell, static_cast<std::uint8_t>(255 * share + 0.5));
    }
  }
}

LAYERSCOPE_INLINE void LineMask::lay_over(Image& image, Rgb colour, double share) const {
  for (std::int64_t y = 0; y < clip_.height; ++y) {
    for (std::int64_t x = 0; x < clip_.width; ++x) {
      const std::uint8_t covered = coverage_[static_cast<std::size_t>(y * clip_.width + x)];
      if (covered > 0) blend_pixel(image, clip_.x + x, clip_.y + y, colour, share * covered / 255.0);
    }
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
