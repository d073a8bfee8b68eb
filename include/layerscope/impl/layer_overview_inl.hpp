// Body of algorithms/layer_overview.hpp: the picture.
#pragma once

#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/layer_overview.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

namespace overview_look {
inline constexpr Rgb nan{255, 0, 255};
inline constexpr Rgb infinite{0, 200, 0};
inline constexpr Rgb zero{0, 0, 0};
inline constexpr Rgb absent{0xEC, 0xEC, 0xEC};
inline constexpr Rgb alarm{0xD5, 0x5E, 0x00};  // vermilion
inline constexpr Rgb calm{0x00, 0x7A, 0x5A};
inline constexpr std::int64_t gap = 16;      // between panels
inline constexpr std::int64_t numbers = 50;  // for the latest number beside each row
inline constexpr std::int64_t header = 18;   // names of the panels
inline constexpr std::int64_t footer = 50;   // steps, colour bar and its numbers
}  // namespace overview_look

/// What the colours of one panel mean.
class PanelScale {
 public:
  PanelScale(LayerMeasure measure, const LayerTable::Cells& cells) : measure_(measure) {
    double smallest = 0;  // of the magnitudes that are not 0
    double largest = 0;
    for (const auto& cell : cells) {
      if (!cell || !is_finite(*cell) || *cell == 0) continue;
      const double magnitude = std::fabs(*cell);
      smallest = smallest == 0 ? magnitude : (std::min)(smallest, magnitude);
      largest = (std::max)(largest, magnitude);
    }
    const bool decades = largest > 20 * smallest;
    switch (measure) {
      case LayerMeasure::dead_share:
        map_ = Colormap::blue_white_red;  // the half from white to red
        range_ = {0, 1};
        break;
      case LayerMeasure::output_mean:
        map_ = Colormap::blue_white_red;
        range_ = {-largest, largest};
        // Logarithmic on both sides of 0, and linear closer to it than a thousandth of the largest.
        knee_ = decades ? (std::max)(smallest, largest * 1e-3) : 0;
        break;
      default: logarithmic_ = decades; range_ = {decades ? smallest : 0, largest};
    }
  }

  Rgb operator()(const std::optional<double>& cell) const noexcept {
    if (!cell) return overview_look::absent;
    if (is_nan(*cell)) return overview_look::nan;
    if (!is_finite(*cell)) return overview_look::infinite;
    if (*cell == 0 && marks_zero()) return overview_look::zero;
    return at(position(*cell));
  }

  /// The colour bar's, t in [0, 1].
  Rgb at(double t) const noexcept { return colour(map_, measure_ == LayerMeasure::dead_share ? 0.5 + t / 2 : t); }

  std::string low() const { return text_of(range_.min); }
  std::string high() const { return text_of(range_.max); }
  std::string middle() const { return measure_ == LayerMeasure::output_mean ? "0" : logarithmic_ ? "log" : ""; }
  /// Where exactly 0 is worse than a little more, it has a colour of its own.
  bool marks_zero() const noexcept {
    return measure_ != LayerMeasure::output_mean && measure_ != LayerMeasure::dead_share;
  }

  /// Two digits, but whole numbers where they are short: "0.0012", "330", "4.1e-7", "97 %".
  std::string text_of(double value) const {
    if (is_nan(value)) return "NaN";
    if (measure_ == LayerMeasure::dead_share) return to_short_text(100 * value, 3) + " %";
    const double magnitude = std::fabs(value);
    return number_text(value, magnitude >= 1000 && magnitude < 1e5 ? 5 : magnitude >= 100 && magnitude < 1000 ? 3 : 2);
  }

  /// Of several cells that share a pixel, the one that shows.
  static bool outweighs(const std::optional<double>& a, const std::optional<double>& b) noexcept {
    const auto rank = [](const std::optional<double>& x) { return !x ? 0 : is_nan(*x) ? 3 : is_finite(*x) ? 1 : 2; };
    if (rank(a) != rank(b)) return rank(a) > rank(b);
    return rank(a) == 1 && std::fabs(*a) > std::fabs(*b);
  }

 private:
  double position(double value) const noexcept {
    if (!(range_.max > range_.min)) return 0.5;
    if (logarithmic_) return std::log(value / range_.min) / std::log(range_.max / range_.min);
    if (knee_ > 0) {
      const double t = std::log1p(std::fabs(value) / knee_) / std::log1p(range_.max / knee_);
      return 0.5 + (value < 0 ? -0.5 : 0.5) * t;
    }
    return (value / 2 - range_.min / 2) / (range_.max / 2 - range_.min / 2);
  }

  LayerMeasure measure_;
  Colormap map_ = Colormap::viridis;
  Range range_;
  double knee_ = 0;
  bool logarithmic_ = false;
};

/// The end of a path is what tells layers apart: "…/11/linear1".
inline std::string elide_front(const std::string& text, std::int64_t width) {
  if (text_extent(text).width <= width) return text;
  for (std::size_t at = text.find('/'); at != std::string::npos; at = text.find('/', at + 1)) {
    std::string rest = "…" + text.substr(at);
    if (text_extent(rest).width <= width) return rest;
  }
  return elide(text, width);
}

/// Everything about the picture that is known before drawing.
struct OverviewPlan {
  OverviewPlan(const LayerTable& given, std::vector<LayerMark> found) : table(given), marks(std::move(found)) {}

  const LayerTable& table;
  std::vector<LayerMark> marks;
  std::vector<LayerMeasure> panels;
  std::vector<std::uint8_t> worded;               // rows with room for words
  std::vector<std::string> verdicts;              // one a row, empty for most
  std::int64_t rows = 0, row = 0;                 // rows and their height
  std::int64_t labels = 0, strip = 0, words = 0;  // widths
  std::int64_t top = 0;

  std::int64_t panel_x(std::size_t panel) const noexcept {
    return look::margin + labels +
           static_cast<std::int64_t>(panel) * (strip + overview_look::numbers + overview_look::gap);
  }
  std::int64_t words_x() const noexcept { return panel_x(panels.size()); }
  std::int64_t row_y(std::size_t layer) const noexcept { return top + static_cast<std::int64_t>(layer) * row; }
  std::int64_t width() const noexcept { return words_x() + words + look::margin; }
  /// First pixel of a step's column, from 0 to `strip`.
  std::int64_t column_x(std::size_t step) const noexcept {
    return static_cast<std::int64_t>(step) * strip / static_cast<std::int64_t>(table.steps.size());
  }
};

/// Which rows get words when a row is lower than a line of text: marked ones first.
inline std::vector<std::uint8_t> rows_with_words(const OverviewPlan& plan) {
  const auto rows = static_cast<std::size_t>(plan.rows);
  if (plan.row >= font_height) return std::vector<std::uint8_t>(rows, 1);
  std::vector<std::uint8_t> worded(rows, 0);
  const auto reach = static_cast<std::size_t>((font_height - 1) / plan.row);
  const auto place = [&](std::size_t layer) {
    const std::size_t first = layer - (std::min)(layer, reach);
    const std::size_t last = (std::min)(layer + reach, rows - 1);
    for (std::size_t i = first; i <= last; ++i) {
      if (worded[i] != 0) return;
    }
    worded[layer] = 1;
  };
  if (const LayerMark* const first = first_mark(plan.marks)) place(first->layer);
  for (const LayerMark& mark : plan.marks) place(mark.layer);
  for (std::size_t layer = 0; layer < rows; ++layer) place(layer);
  return worded;
}

/// The marks of each layer in one line, the oldest first: "dead 97 %, gradient 0 since 1; weights exploding ×11 since
/// 3".
inline std::vector<std::string> layer_verdicts(const LayerTable& table, std::vector<LayerMark> marks) {
  std::stable_sort(marks.begin(), marks.end(),
                   [](const LayerMark& a, const LayerMark& b) { return a.since < b.since; });
  std::vector<std::string> verdicts(table.layers.size());
  std::vector<std::string> ends(table.layers.size());
  for (const LayerMark& mark : marks) {
    const std::string end = " since " + to_text(mark.since);
    std::string& verdict = verdicts[mark.layer];
    std::string& last = ends[mark.layer];
    if (!verdict.empty()) verdict += last == end ? ", " : last + "; ";
    verdict += std::string_view(mark.text).substr(0, mark.text.size() - end.size());
    last = end;
  }
  for (std::size_t i = 0; i < verdicts.size(); ++i) verdicts[i] += ends[i];
  return verdicts;
}

inline OverviewPlan plan_overview(const LayerTable& table, const LayerOverviewOptions& options) {
  OverviewPlan plan(table, layer_marks(table, options.thresholds));
  for (const LayerMeasure measure : all_layer_measures) {
    const LayerTable::Cells& cells = table[measure];
    if (std::any_of(cells.begin(), cells.end(), [](const auto& cell) { return cell.has_value(); }))
      plan.panels.push_back(measure);
  }
  if (plan.panels.empty()) {
    throw Error(ErrorCode::empty, "layer_overview: none of the " + to_text(table.layers.size()) +
                                      " layers has a number; expected one at least");
  }
  plan.rows = static_cast<std::int64_t>(table.layers.size());
  plan.row = (std::clamp<std::int64_t>)(1400 / plan.rows, 2, 24);
  plan.worded = rows_with_words(plan);
  plan.verdicts = layer_verdicts(table, plan.marks);
  std::int64_t longest_name = 0, longest_verdict = 0;
  for (std::size_t i = 0; i < table.layers.size(); ++i) {
    longest_name = (std::max)(longest_name, text_extent(table.layers[i]).width);
    if (plan.worded[i] != 0) longest_verdict = (std::max)(longest_verdict, text_extent(plan.verdicts[i]).width);
  }
  plan.labels = (std::clamp<std::int64_t>)(longest_name, 30, 190) + 22;
  plan.words = (std::min<std::int64_t>)(longest_verdict, 460);
  const auto panels = static_cast<std::int64_t>(plan.panels.size());
  plan.strip = (std::clamp<std::int64_t>)(760 / panels, 112, 320);
  return plan;
}

inline void draw_strip(Image& image, const OverviewPlan& plan, std::size_t panel, std::size_t layer,
                       const PanelScale& scale) {
  const LayerTable::Cells& cells = plan.table[plan.panels[panel]];
  const std::size_t steps = plan.table.steps.size();
  const std::int64_t left = plan.panel_x(panel);
  const std::int64_t y = plan.row_y(layer);
  const std::int64_t height = plan.row >= 6 ? plan.row - 1 : plan.row;
  const bool apart = plan.strip / static_cast<std::int64_t>(steps) >= 8;
  for (std::size_t step = 0; step < steps;) {
    // The steps whose columns begin at this pixel.
    std::optional<double> shown = cells[layer * steps + step];
    const std::int64_t from = plan.column_x(step);
    while (++step < steps && plan.column_x(step) == from) {
      const std::optional<double>& other = cells[layer * steps + step];
      if (PanelScale::outweighs(other, shown)) shown = other;
    }
    const std::int64_t to = plan.column_x(step);
    fill_box(image, {left + from, y, to - from - (apart && step < steps ? 1 : 0), height}, scale(shown));
  }
}

/// The latest number of each row, where there is room for it.
inline void draw_latest(Image& image, const OverviewPlan& plan, std::size_t panel, const PanelScale& scale) {
  const LayerMeasure measure = plan.panels[panel];
  const std::size_t steps = plan.table.steps.size();
  for (std::size_t layer = 0; layer < plan.table.layers.size(); ++layer) {
    if (plan.worded[layer] == 0) continue;
    std::optional<double> latest;
    for (std::size_t step = steps; !latest && step-- > 0;) latest = plan.table[measure][layer * steps + step];
    if (!latest) continue;
    draw_text(image, plan.panel_x(panel) + plan.strip + 5, plan.row_y(layer) + (plan.row - font_height) / 2,
              elide(scale.text_of(*latest), overview_look::numbers), look::soft_ink);
  }
}

/// First and last step and the colour bar, below a panel.
inline void draw_panel_footer(Image& image, const OverviewPlan& plan, std::size_t panel, const PanelScale& scale) {
  const std::int64_t left = plan.panel_x(panel);
  const std::int64_t right = left + plan.strip;
  std::int64_t y = plan.top + plan.rows * plan.row + 2;
  const std::string first = to_text(plan.table.steps.front());
  draw_text(image, left, y, first, look::soft_ink);
  if (plan.table.steps.size() > 1) {
    const std::string last = to_text(plan.table.steps.back());
    const std::int64_t both = text_extent(first).width + text_extent(last).width;
    if (both + 8 <= plan.strip) draw_text_right(image, right, y, last, look::soft_ink);
    if (both + 48 <= plan.strip) draw_text_centred(image, left + plan.strip / 2, y, "step", look::soft_ink);
  }
  y += font_height + 5;
  for (std::int64_t x = 0; x < plan.strip; ++x) {
    const double t = plan.strip > 1 ? static_cast<double>(x) / static_cast<double>(plan.strip - 1) : 0.5;
    fill_box(image, {left + x, y, 1, 8}, scale.at(t));
  }
  draw_frame(image, {left - 1, y - 1, plan.strip + 2, 10}, look::frame);
  y += 11;
  draw_text(image, left, y, scale.low(), look::ink);
  draw_text_right(image, right, y, scale.high(), look::ink);
  draw_text_centred(image, left + plan.strip / 2, y, scale.middle(), look::ink);
}

/// A frame around the cells of a mark.
inline void draw_mark(Image& image, const OverviewPlan& plan, const LayerMark& mark) {
  const auto panel = std::find(plan.panels.begin(), plan.panels.end(), mark.measure) - plan.panels.begin();
  const auto step =
      std::lower_bound(plan.table.steps.begin(), plan.table.steps.end(), mark.since) - plan.table.steps.begin();
  const std::int64_t from =
      plan.panel_x(static_cast<std::size_t>(panel)) + plan.column_x(static_cast<std::size_t>(step));
  const std::int64_t to = plan.panel_x(static_cast<std::size_t>(panel)) + plan.strip;
  const Box box{from - 1, plan.row_y(mark.layer) - 1, to - from + 2, plan.row + 1};
  if (plan.row < 6) {
    fill_box(image, {to + 1, box.y + 1, 3, plan.row}, overview_look::alarm);
    return;
  }
  draw_frame(image, box, overview_look::alarm);
  if (plan.row >= 12) draw_frame(image, {box.x + 1, box.y + 1, box.width - 2, box.height - 2}, overview_look::alarm);
}

inline std::string overview_headline(const OverviewPlan& plan) {
  std::vector<std::size_t> layers;
  for (const LayerMark& mark : plan.marks) {
    if (layers.empty() || layers.back() != mark.layer) layers.push_back(mark.layer);
  }
  const std::string all = to_text(plan.table.layers.size()) + (plan.table.layers.size() == 1 ? " layer" : " layers");
  const LayerMark* const first = first_mark(plan.marks);
  if (first == nullptr) return "No threshold crossed in " + all;
  return to_text(layers.size()) + " of " + all + " in trouble; look first at " +
         elide_front(plan.table.layers[first->layer], 240) + ": " + first->text;
}

/// What the colours outside of the scales mean, for those that occur.
inline void draw_key(Image& image, const OverviewPlan& plan, const std::vector<PanelScale>& scales, std::int64_t y) {
  bool nan = false, infinite = false, zero = false, absent = false;
  for (std::size_t panel = 0; panel < plan.panels.size(); ++panel) {
    for (const auto& cell : plan.table[plan.panels[panel]]) {
      absent = absent || !cell;
      if (!cell) continue;
      nan = nan || is_nan(*cell);
      infinite = infinite || (!is_nan(*cell) && !is_finite(*cell));
      zero = zero || (is_finite(*cell) && *cell == 0 && scales[panel].marks_zero());  // NaN is 0 to -ffast-math
    }
  }
  std::int64_t x = look::margin;
  const auto entry = [&](bool there, Rgb colour, const char* text) {
    if (!there) return;
    fill_box(image, {x, y + 2, 10, 9}, colour);
    draw_frame(image, {x, y + 2, 10, 9}, look::frame);
    draw_text(image, x + 15, y, text, look::ink);
    x += 15 + text_extent(text).width + 18;
  };
  entry(nan, overview_look::nan, "NaN");
  entry(infinite, overview_look::infinite, "infinite");
  entry(zero, overview_look::zero, "exactly 0");
  entry(absent, overview_look::absent, "not recorded");
  if (plan.marks.empty()) return;
  draw_frame(image, {x, y + 2, 10, 9}, overview_look::alarm);
  draw_text(image, x + 15, y, "beyond a threshold", look::ink);
}

}  // namespace detail

LAYERSCOPE_INLINE Image layer_overview(const LayerTable& table, const LayerOverviewOptions& options) {
  detail::check_layer_table(table, "layer_overview");
  detail::OverviewPlan plan = detail::plan_overview(table, options);
  const std::string headline = detail::overview_headline(plan);
  std::vector<std::string> captions = options.captions;
  const auto rows_left_out = std::count_if(plan.marks.begin(), plan.marks.end(),
                                           [&](const LayerMark& mark) { return plan.worded[mark.layer] == 0; });
  if (rows_left_out > 0) captions.push_back(to_text(rows_left_out) + " more marks have no room for words");

  const std::int64_t headline_width = text_extent(headline, detail::look::title).width + 2 * detail::look::margin + 16;
  const std::int64_t width = (std::max)(plan.width(), headline_width);
  const detail::TextBlocks texts(options.title, captions, width - 2 * detail::look::margin);
  const std::int64_t headline_y = detail::look::margin + texts.above();
  plan.top = headline_y + detail::look::line + 12 + detail::overview_look::header;
  const std::int64_t key_y = plan.top + plan.rows * plan.row + detail::overview_look::footer + 6;
  const std::int64_t height = key_y + detail::look::line + texts.below() + detail::look::margin;
  Image image = make_image(width, height, detail::look::paper);
  texts.draw(image);

  const Rgb mood = plan.marks.empty() ? detail::overview_look::calm : detail::overview_look::alarm;
  const detail::Box all{0, 0, width, height};
  detail::draw_marker(image, all, detail::look::margin + 5, static_cast<double>(headline_y) + 6.5, 9,
                      {mood, Marker::disc}, 1);
  draw_text(image, detail::look::margin + 16, headline_y, headline, mood, detail::look::title);

  std::vector<detail::PanelScale> scales;
  for (std::size_t panel = 0; panel < plan.panels.size(); ++panel) {
    const detail::PanelScale& scale = scales.emplace_back(plan.panels[panel], table[plan.panels[panel]]);
    draw_text(image, plan.panel_x(panel), plan.top - detail::overview_look::header, name(plan.panels[panel]),
              detail::look::ink, detail::look::title);
    for (std::size_t layer = 0; layer < table.layers.size(); ++layer) {
      detail::draw_strip(image, plan, panel, layer, scale);
    }
    detail::draw_frame(
        image, {plan.panel_x(panel) - 1, plan.top - 1, plan.strip + 2, plan.rows * plan.row + (plan.row >= 6 ? 1 : 2)},
        detail::look::frame);
    detail::draw_latest(image, plan, panel, scale);
    detail::draw_panel_footer(image, plan, panel, scale);
  }
  for (std::size_t layer = 0; layer < table.layers.size(); ++layer) {
    const bool marked = !plan.verdicts[layer].empty();
    const std::int64_t y = plan.row_y(layer) + (plan.row - detail::font_height) / 2;
    if (marked) {
      detail::draw_marker(image, all, detail::look::margin + 5,
                          static_cast<double>(plan.row_y(layer)) + static_cast<double>(plan.row) / 2,
                          static_cast<double>((std::clamp<std::int64_t>)(plan.row, 3, 9)),
                          {detail::overview_look::alarm, Marker::disc}, 1);
    }
    if (plan.worded[layer] == 0) continue;
    draw_text(image, detail::look::margin + 14, y, detail::elide_front(table.layers[layer], plan.labels - 20),
              marked ? detail::overview_look::alarm : detail::look::ink);
    draw_text(image, plan.words_x(), y, elide(plan.verdicts[layer], plan.words), detail::overview_look::alarm);
  }
  for (const LayerMark& mark : plan.marks) detail::draw_mark(image, plan, mark);
  detail::draw_key(image, plan, scales, key_y);
  return image;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
