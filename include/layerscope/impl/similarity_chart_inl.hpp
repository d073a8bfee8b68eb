// Body of algorithms/similarity.hpp: the picture.
#pragma once

#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/colour_bar.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/algorithms/heatmap.hpp>
#include <layerscope/algorithms/similarity.hpp>
#include <layerscope/algorithms/text.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// A matrix of a few hundred names a side at most, a cell for each number.
struct NamedMatrix {
  const std::vector<std::string>& row_names;
  const std::vector<std::string>& column_names;
  const std::vector<double>& values;  // [rows, columns]
  std::string title;
  std::string row_label, column_label;
  std::vector<std::string> captions;
  std::optional<std::int64_t> cell;
  ColourBar bar;
  int decimals = 2;
};

/// "0.93", "-0.02", "1", "NaN".
inline std::string cell_text(double value, int decimals) {
  if (is_nan(value)) return "NaN";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, decimals);
  std::string text(buffer, end.ptr);
  if (text == "-0.00" || text == "-0.0") text.erase(0, 1);
  return text;
}

inline std::int64_t widest_name(const std::vector<std::string>& names) {
  std::int64_t width = 0;
  for (const std::string& each : names) width = (std::max)(width, text_extent(each).width);
  return width;
}

inline Image draw_named_matrix(const NamedMatrix& matrix) {
  constexpr std::int64_t longest_name = 180;
  const auto rows = static_cast<std::int64_t>(matrix.row_names.size());
  const auto columns = static_cast<std::int64_t>(matrix.column_names.size());
  const std::int64_t cell = matrix.cell.value_or((std::clamp<std::int64_t>)(960 / (std::max)(rows, columns), 1, 40));
  const std::int64_t row_names = (std::min)(widest_name(matrix.row_names), longest_name);
  const std::int64_t column_names = (std::min)(widest_name(matrix.column_names), longest_name);
  const std::int64_t row_label = matrix.row_label.empty() ? 0 : look::line + 4;
  const std::int64_t column_label = matrix.column_label.empty() ? 0 : look::line + 4;

  const std::int64_t left = look::margin + row_label + row_names + 8;
  const std::int64_t bar_left = left + columns * cell + 24;
  const std::int64_t bar_height = (std::clamp<std::int64_t>)(rows * cell, 64, 320);
  const std::int64_t width =
      (std::max)(bar_left + colour_bar_width(matrix.bar),
                 look::margin + (std::min<std::int64_t>)(420, text_extent(matrix.title, look::title).width)) +
      look::margin;
  const TextBlocks texts(matrix.title, matrix.captions, width - 2 * look::margin);
  const std::int64_t top = look::margin + texts.above() + (matrix.bar.label.empty() ? 0 : look::line);
  const std::int64_t body = (std::max)(rows * cell + 6 + column_names + column_label, bar_height);
  Image image = make_image(width, top + body + 6 + texts.below() + look::margin, look::paper);
  texts.draw(image);

  const Range range = matrix.bar.range;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const double value = matrix.values[static_cast<std::size_t>(r * columns + c)];
      const bool number = is_finite(value);
      const Rgb shade = number ? colour(matrix.bar.colormap, (value - range.min) / (range.max - range.min))
                               : HeatmapOptions{}.nan_colour;
      const std::int64_t x = left + c * cell, y = top + r * cell;
      fill_box(image, {x, y, cell, cell}, shade);
      if (cell < font_height) continue;
      const std::string text = cell_text(value, matrix.decimals);
      if (text_extent(text).width + 6 <= cell) {
        draw_text_centred(image, x + cell / 2, y + (cell - font_height) / 2, text, ink_on(shade));
      }
    }
  }
  draw_frame(image, {left - 1, top - 1, columns * cell + 2, rows * cell + 2}, look::frame);
  draw_colour_bar(image, matrix.bar, bar_left, top, bar_height);

  // Where cells are lower than a line of text, every second name, every third …
  const std::int64_t every = (font_height - 1) / cell + 1;
  for (std::int64_t r = 0; r < rows; r += every) {
    draw_text_right(image, left - 6, top + r * cell + (cell - font_height) / 2,
                    elide(matrix.row_names[static_cast<std::size_t>(r)], longest_name), look::ink);
  }
  const std::int64_t below = top + rows * cell + 6;
  for (std::int64_t c = 0; c < columns; c += every) {
    const std::string text = elide(matrix.column_names[static_cast<std::size_t>(c)], longest_name);
    draw_text_upwards(image, left + c * cell + (cell - font_height) / 2, below, text, look::ink);
  }
  if (row_label > 0) {
    const std::string text = elide(matrix.row_label, (std::max<std::int64_t>)(rows * cell, 60));
    draw_text_upwards(image, look::margin, top + (rows * cell - text_extent(text).width) / 2, text, look::soft_ink);
  }
  if (column_label > 0) {
    const std::string text = elide(matrix.column_label, width - left - look::margin);
    const std::int64_t centre = (std::max)(left + columns * cell / 2, left + text_extent(text).width / 2);
    draw_text_centred(image, centre, below + column_names + 4, text, look::soft_ink);
  }
  return image;
}

}  // namespace detail

LAYERSCOPE_INLINE Image similarity_chart(const SimilarityMatrix& matrix, const SimilarityChartOptions& options) {
  if (matrix.values.empty()) throw Error(ErrorCode::empty, "similarity_chart: a matrix without cells");
  const std::size_t cells = matrix.row_names.size() * matrix.column_names.size();
  if (matrix.values.size() != cells) {
    throw Error(ErrorCode::invalid_argument, "similarity_chart: " + to_text(matrix.values.size()) + " numbers for " +
                                                 to_text(matrix.row_names.size()) + " x " +
                                                 to_text(matrix.column_names.size()) + " names; expected " +
                                                 to_text(cells));
  }
  if (options.cell && (*options.cell < 1 || *options.cell > 256)) {
    throw Error(ErrorCode::invalid_argument,
                "similarity_chart: cell " + to_text(*options.cell) + "; expected 1 to 256");
  }
  const bool distance = matrix.measure == SimilarityMeasure::procrustes;
  double smallest = 0;
  for (const double value : matrix.values) {
    if (is_finite(value)) smallest = (std::min)(smallest, value);
  }
  std::vector<std::string> captions;
  if (options.captions) {
    captions = *options.captions;
  } else {
    captions.push_back(to_text(matrix.samples) + " samples");
    captions.insert(captions.end(), matrix.warnings.begin(), matrix.warnings.end());
  }
  ColourBar bar;
  bar.range = distance ? Range{0, 2} : Range{smallest, (std::max)(1.0, -smallest)};
  bar.label = name(matrix.measure);
  return detail::draw_named_matrix({matrix.row_names, matrix.column_names, matrix.values, options.title,
                                    options.row_label, options.column_label, std::move(captions), options.cell, bar});
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
