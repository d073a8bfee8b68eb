// Tables of numbers on coloured cells, with names of rows and columns and a bar of colours.
#pragma once

#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

struct NumberTable {
  std::string title;        ///< above the table: what the numbers are
  std::string column_axis;  ///< what the columns are: "head"
  std::vector<std::string> rows, columns;
  std::vector<std::optional<double>> cells;  ///< row-major; without a number grey, NaN and infinities magenta
  Colormap colormap = Colormap::viridis;
  std::optional<Range> range{};  ///< numbers at the ends of the colours; derived: 0, or the smallest if lower, to the
                                 ///< largest
};

/// The tables side by side, or one below the other where they are wide, with a title above all and captions below.
/// Cells have numbers where there are at most 48 columns and 100 rows.
Image draw_number_tables(std::span<const NumberTable> tables, const std::string& title,
                         const std::vector<std::string>& captions);

/// Two digits after the point, fewer for larger numbers: "0.07", "12.5", "340", "2.1e6".
std::string cell_number(double value);

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/number_table_inl.hpp>
#endif
