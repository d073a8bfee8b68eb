// Body of algorithms/detail/number_table.hpp.
#pragma once

#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/colour_bar.hpp>
#include <layerscope/algorithms/detail/number_table.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

LAYERSCOPE_INLINE std::string cell_number(double value) {
  if (is_nan(value)) return "NaN";
  if (!is_finite(value)) return sign_bit(value) ? "-inf" : "inf";
  const double magnitude = std::fabs(value);
  if (magnitude >= 99999.5) return number_text(value, 2);
  const double unit = magnitude >= 99.95 ? 1 : magnitude >= 9.995 ? 10 : 100;
  const auto scaled = static_cast<std::int64_t>(std::llround(magnitude * unit));
  const auto whole = static_cast<std::int64_t>(unit);
  std::string text = value < 0 && scaled > 0 ? "-" : "";
  text += to_text(scaled / whole);
  if (whole == 1) return text;
  const std::string digits = to_text(scaled % whole);
  return text + '.' + std::string((whole == 100 ? 2u : 1u) - digits.size(), '0') + digits;
}

/// Where one table goes.
struct TableLayout {
  Range range;
  bool numbers = true;
  std::int64_t cell_x = 40, cell_y = 19;
  std::int64_t labels = 0;
  std::int64_t width = 0, height = 0;

  static constexpr std::int64_t head = 2 * look::line + 4;  // title and names of columns

  explicit TableLayout(const NumberTable& table) {
    const auto rows = static_cast<std::int64_t>(table.rows.size());
    const auto columns = static_cast<std::int64_t>(table.columns.size());
    numbers = columns <= 48 && rows <= 100;
    if (!numbers) {
      cell_x = (std::clamp<std::int64_t>)(1400 / columns, 1, 24);
      cell_y = (std::clamp<std::int64_t>)(1400 / rows, 1, 16);
    }
    bool any = false;
    for (const auto& cell : table.cells) {
      if (!cell || !is_finite(*cell)) continue;
      range.min = (std::min)(range.min, *cell);
      range.max = any ? (std::max)(range.max, *cell) : *cell;
      any = true;
    }
    range.max = (std::max)(range.max, range.min);
    if (table.range) range = *table.range;
    for (const std::string& row : table.rows) labels = (std::max)(labels, text_extent(row).width);
    labels = (std::min<std::int64_t>)((std::max)(labels, text_extent(table.column_axis).width), 150) + 8;
    const ColourBar bar{table.colormap, range, "", ColourBar::Scale::linear};
    width = labels + columns * cell_x + 14 + colour_bar_width(bar);
    width = (std::max)(width, text_extent(table.title, look::title).width);
    height = head + (std::max<std::int64_t>)(rows * cell_y, 76);
  }
};

inline void draw_number_table(Image& image, std::int64_t x, std::int64_t y, const NumberTable& table,
                              const TableLayout& layout) {
  const auto columns = static_cast<std::int64_t>(table.columns.size());
  const auto rows = static_cast<std::int64_t>(table.rows.size());
  draw_text(image, x, y, table.title, look::ink, look::title);
  const std::int64_t left = x + layout.labels;
  const std::int64_t top = y + TableLayout::head;
  draw_text_right(image, left - 8, top - look::line, table.column_axis, look::soft_ink);
  std::int64_t widest_name = 0;
  for (const std::string& column : table.columns) widest_name = (std::max)(widest_name, text_extent(column).width);
  const std::int64_t stride = (widest_name + 4) / layout.cell_x + 1;
  for (std::int64_t c = 0; c < columns; c += layout.numbers ? 1 : stride) {
    draw_text_centred(image, left + c * layout.cell_x + layout.cell_x / 2, top - look::line,
                      elide(table.columns[static_cast<std::size_t>(c)], (std::max)(layout.cell_x, widest_name)),
                      look::ink);
  }
  const std::int64_t row_stride = (font_height - 1) / layout.cell_y + 1;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t row_top = top + r * layout.cell_y;
    if (r % row_stride == 0) {
      draw_text_right(image, left - 8, row_top + (layout.cell_y - font_height) / 2,
                      elide(table.rows[static_cast<std::size_t>(r)], layout.labels - 8), look::ink);
    }
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto& cell = table.cells[static_cast<std::size_t>(r * columns + c)];
      Rgb fill{0xEC, 0xEC, 0xEC};
      if (cell && !is_finite(*cell)) {
        fill = {255, 0, 255};
      } else if (cell) {
        const double width = layout.range.max - layout.range.min;
        fill = colour(table.colormap, width > 0 ? (*cell - layout.range.min) / width : 0.5);
      }
      fill_box(image, {left + c * layout.cell_x, row_top, layout.cell_x, layout.cell_y}, fill);
      if (!layout.numbers || !cell) continue;
      draw_text_centred(image, left + c * layout.cell_x + layout.cell_x / 2,
                        row_top + (layout.cell_y - font_height) / 2, elide(cell_number(*cell), layout.cell_x),
                        ink_on(fill));
    }
  }
  draw_frame(image, {left - 1, top - 1, columns * layout.cell_x + 2, rows * layout.cell_y + 2}, look::frame);
  const ColourBar bar{table.colormap, layout.range, "", ColourBar::Scale::linear};
  draw_colour_bar(image, bar, left + columns * layout.cell_x + 14, top,
                  (std::clamp<std::int64_t>)(rows * layout.cell_y, 64, 320));
}

LAYERSCOPE_INLINE Image draw_number_tables(std::span<const NumberTable> tables, const std::string& title,
                                           const std::vector<std::string>& captions) {
  constexpr std::int64_t gap = 28;
  std::vector<TableLayout> layouts;
  std::int64_t in_line = 0, widest_table = 0;
  for (const NumberTable& table : tables) {
    layouts.emplace_back(table);
    in_line += layouts.back().width + gap;
    widest_table = (std::max)(widest_table, layouts.back().width);
  }
  const bool side_by_side = in_line <= 1500;
  std::int64_t width = side_by_side ? in_line - gap : widest_table;
  width = (std::max)(width, (std::min<std::int64_t>)(text_extent(title, look::title).width, 640));
  const TextBlocks texts(title, captions, width);
  std::int64_t x = look::margin;
  std::int64_t y = look::margin + texts.above();
  std::int64_t bottom = y;
  for (const TableLayout& layout : layouts) {
    if (side_by_side) {
      bottom = (std::max)(bottom, y + layout.height);
    } else {
      bottom += (bottom > y ? gap / 2 : 0) + layout.height;
    }
  }
  Image image = make_image(width + 2 * look::margin, bottom + 8 + texts.below() + look::margin, look::paper);
  texts.draw(image);
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    draw_number_table(image, x, y, tables[i], layouts[i]);
    if (side_by_side) {
      x += layouts[i].width + gap;
    } else {
      y += layouts[i].height + gap / 2;
    }
  }
  return image;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
