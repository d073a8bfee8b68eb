// A matrix of weights as coloured cells, and the tokens beside it: what the pictures of attention share.
#pragma once

#include <layerscope/algorithms/attention.hpp>
#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

namespace attention_look {
inline constexpr Rgb nan{255, 0, 255};
inline constexpr Rgb positive_infinity{0, 255, 0};
inline constexpr Rgb negative_infinity{0, 255, 255};
inline constexpr Rgb unseen{0xE4, 0xE4, 0xE4};  // keys after a causal query
inline constexpr Rgb mark{0xD5, 0x5E, 0x00};    // vermilion: a row that is no distribution
inline constexpr std::int64_t gutter = 6;       // for the marks
}  // namespace attention_look

/// One head, pooled as far as its picture has room.
struct AttentionPanel {
  std::int64_t rows = 0, columns = 0;
  std::vector<float> cells;          // row-major
  std::vector<std::uint8_t> marked;  // one a row
  std::int64_t query_pool = 1, key_pool = 1;

  AttentionPanel(const AttentionSummary& summary, std::int64_t head, std::int64_t most_rows, std::int64_t most_columns);
  float at(std::int64_t row, std::int64_t column) const noexcept {
    return cells[static_cast<std::size_t>(row * columns + column)];
  }
};

/// Colours of weights.
struct WeightColours {
  Range range{0, 1};
  Colormap colormap = Colormap::viridis;
  ColourBar::Scale scale = ColourBar::Scale::linear;

  Rgb operator()(float weight) const noexcept;
};

/// Whether every key of a cell is after every query of it, in a causal kind.
bool is_unseen(const AttentionSummary& summary, const AttentionPanel& panel, std::int64_t row, std::int64_t column);

/// The cells from (x, y), each cell_x × cell_y pixels, and the marks right of them.
void draw_panel(Image& image, std::int64_t x, std::int64_t y, std::int64_t cell_x, std::int64_t cell_y,
                const AttentionSummary& summary, const AttentionPanel& panel, const WeightColours& colours);

/// The largest finite weight kept, at least 0; with `heads`, of these alone.
double largest_weight(const AttentionSummary& summary, std::span<const std::int64_t> heads);

/// A text for each cell: its token, or the position of its first one.
std::vector<std::string> cell_labels(const std::vector<std::string>& tokens, std::int64_t extent, std::int64_t pool);

/// Labels of cells of `cell` pixels: every how many of them there is room for.
std::int64_t label_stride(std::int64_t count, std::int64_t cell, bool positions);

inline constexpr std::int64_t label_room = 104;  // most pixels of a token

/// Pixels that the widest label takes, at most label_room.
std::int64_t label_width(const std::vector<std::string>& labels);

/// Left of cells that begin at `top`, ending at `right`; and above cells that begin at `left`, ending at `bottom`.
void draw_row_labels(Image& image, std::int64_t right, std::int64_t top, std::int64_t cell,
                     const std::vector<std::string>& labels, std::int64_t stride);
void draw_column_labels(Image& image, std::int64_t left, std::int64_t bottom, std::int64_t cell,
                        const std::vector<std::string>& labels, std::int64_t stride);

/// The layer's name, or "layer 3" for want of one.
std::string layer_label(const AttentionSummary& summary, std::size_t index);

/// What the colours outside of the scale mean and what is wrong, for one layer. `panel` says how far it is pooled.
std::vector<std::string> attention_captions(const AttentionSummary& summary, const AttentionPanel& panel);

/// What is wrong in which layer, at most six lines and how many there are more.
void add_model_warnings(std::vector<std::string>& captions, std::span<const AttentionSummary> layers);

/// The heads asked for, all when none is. Throws Error(invalid_argument) for one that there is none of.
std::vector<std::int64_t> chosen_heads(const AttentionSummary& summary, const std::vector<std::int64_t>& asked,
                                       std::int64_t most, const char* what);

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/attention_panel_inl.hpp>
#endif
