// Pictures of a HistogramTimeline, of algorithms/histogram_timeline.hpp.
#pragma once

#include <layerscope/algorithms/detail/axes.hpp>
#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/histogram_timeline.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// What the pictures read of a timeline.
struct TimelineData {
  std::vector<double> edges;
  std::vector<HistogramTimeline::Step> steps;
  std::vector<std::string> captions;

  explicit TimelineData(const HistogramTimeline& timeline) : edges(timeline.edges()), steps(timeline.steps()) {
    if (steps.empty()) throw Error(ErrorCode::empty, "histogram_timeline: no step was added; expected at least one");
    describe(timeline);
  }

  static std::uint64_t inside(const HistogramTimeline::Step& step) {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : step.counts) sum += count;
    return sum;
  }
  static bool any_finite(const HistogramTimeline::Step& step) { return inside(step) + step.below + step.above > 0; }

 private:
  void describe(const HistogramTimeline& timeline) {
    const auto kept = static_cast<std::int64_t>(steps.size());
    if (timeline.steps_added() > kept) {
      captions.push_back(to_text(kept) + " of " + to_text(timeline.steps_added()) + " steps are kept: every " +
                         to_text(timeline.stride()) + (timeline.stride() == 2 ? "nd" : "th") + ", and the newest");
    }
    most("below the first edge, " + number_text(edges.front(), 3), &HistogramTimeline::Step::below);
    most("above the last edge, " + number_text(edges.back(), 3), &HistogramTimeline::Step::above);
    most("NaN", &HistogramTimeline::Step::nan);
    most("+infinity", &HistogramTimeline::Step::positive_infinity);
    most("-infinity", &HistogramTimeline::Step::negative_infinity);
  }

  void most(const std::string& what, std::uint64_t HistogramTimeline::Step::*field) {
    const auto worst = std::max_element(steps.begin(), steps.end(),
                                        [field](const auto& a, const auto& b) { return a.*field < b.*field; });
    const std::uint64_t count = (*worst).*field;
    if (count == 0) return;
    const std::uint64_t all =
        inside(*worst) + worst->below + worst->above + worst->nan + worst->positive_infinity + worst->negative_infinity;
    captions.push_back("Up to " + to_text(count) + " of " + to_text(all) + " numbers " + what + " (step " +
                       to_text(worst->step) + ")");
  }
};

inline ChartSpec timeline_spec(const char* what, const HistogramTimelineChartOptions& options) {
  ChartSpec spec;
  spec.what = what;
  spec.title = options.title;
  spec.captions = options.captions;
  spec.width = options.width;
  spec.height = options.height;
  return spec;
}

inline AxisSpec value_axis(const std::vector<double>& edges, const std::string& title) {
  AxisSpec axis;
  axis.range = {edges.front(), edges.back()};
  axis.ticks = nice_ticks(edges.front(), edges.back());
  axis.labels = tick_texts(axis.ticks);
  axis.title = title;
  return axis;
}

inline double scaled_count(std::uint64_t count, AxisScale scale) {
  const auto number = static_cast<double>(count);
  return scale == AxisScale::log ? std::log10(1 + number) : number;
}

/// Which rows get a label, about `most` of them at equal distances, the first always.
inline std::vector<std::size_t> labelled_rows(std::size_t rows, std::size_t most) {
  std::vector<std::size_t> labelled;
  const std::size_t stride = (std::max<std::size_t>)(1, (rows + most - 1) / most);
  for (std::size_t i = 0; i < rows; i += stride) labelled.push_back(i);
  return labelled;
}

inline Rgb mixed_colour(Rgb a, Rgb b, double share) {
  const auto mix = [share](std::uint8_t from, std::uint8_t to) {
    return static_cast<std::uint8_t>(std::lround(from + share * (to - from)));
  };
  return {mix(a.r, b.r), mix(a.g, b.g), mix(a.b, b.b)};
}

/// Which steps are drawn as ridges, how high, and what has to be said about it.
struct Ridges {
  AxisScale scale;
  std::vector<std::size_t> shown;
  double unit = 1;            // the scaled count that is as high as a ridge gets
  std::uint64_t highest = 0;  // count of a bin
  std::vector<std::string> captions;

  Ridges(const TimelineData& data, AxisScale how) : scale(how) {
    constexpr std::size_t most = 40;
    const std::size_t rows = data.steps.size();
    for (std::size_t i = 0; i < (std::min)(rows, most); ++i) {
      shown.push_back(rows <= most ? i : i * (rows - 1) / (most - 1));
    }
    if (shown.size() < rows) captions.push_back(to_text(shown.size()) + " ridges of " + to_text(rows) + " steps");
    std::vector<double> heights;
    for (const std::size_t row : shown) {
      const auto& counts = data.steps[row].counts;
      const std::uint64_t most_of_row = *std::max_element(counts.begin(), counts.end());
      highest = (std::max)(highest, most_of_row);
      heights.push_back(scaled_count(most_of_row, scale));
    }
    std::sort(heights.begin(), heights.end());
    if (highest == 0) return;
    // One step with all its numbers in one bin, as biases have at first, would flatten all others.
    const double median = heights[heights.size() / 2];
    unit = median > 0 ? (std::min)(heights.back(), 3 * median) : heights.back();
    if (heights.back() > unit) captions.push_back("Ridges higher than three times the median are cut off");
  }
};

inline Image draw_ridges(const TimelineData& data, const Ridges& ridges, const HistogramTimelineChartOptions& options) {
  const std::vector<std::size_t>& shown = ridges.shown;
  const std::size_t rows = shown.size();
  const double overlap = (std::max)(1.0, 0.22 * static_cast<double>(rows));
  ChartSpec spec = timeline_spec("ridge_plot", options);
  spec.x = value_axis(data.edges, options.value_label);
  spec.y.range = {0, static_cast<double>(rows) - 1 + overlap * 1.04};
  std::vector<std::size_t> labelled = labelled_rows(rows, 9);
  for (auto row = labelled.rbegin(); row != labelled.rend(); ++row) {
    spec.y.ticks.push_back(static_cast<double>(rows - 1 - *row));
    spec.y.labels.push_back(to_text(data.steps[shown[*row]].step));
  }
  spec.y.title = "step";
  Chart chart = start_chart(std::move(spec));

  for (std::size_t i = 0; i < rows; ++i) {  // from the back to the front
    const HistogramTimeline::Step& step = data.steps[shown[i]];
    const double share = rows > 1 ? static_cast<double>(i) / static_cast<double>(rows - 1) : 1;
    const Rgb fill = mixed_colour({0xD4, 0xE6, 0xF4}, okabe_ito[0], share);
    const Rgb line = mixed_colour(mixed_colour(fill, look::ink, 0.35), {255, 255, 255}, 0.15);
    const double base_row = static_cast<double>(rows - 1 - i);
    const auto base = static_cast<std::int64_t>(std::lround(chart.pixel_y(base_row)));
    LineMask crest(chart.plot);
    if (!TimelineData::any_finite(step)) {
      const double y = chart.pixel_y(base_row) - 1;
      crest.add(static_cast<double>(chart.plot.x), y, static_cast<double>(chart.plot.x + chart.plot.width), y, 2);
      crest.lay_over(chart.image, {255, 0, 255});
      continue;
    }
    std::size_t bin = 0;
    double before = 0;
    for (std::int64_t column = 0; column < chart.plot.width; ++column) {
      // Straight lines between the middles of the bins.
      const double at = (static_cast<double>(column) + 0.5) / static_cast<double>(chart.plot.width);
      const double value = (1 - at) * data.edges.front() + at * data.edges.back();
      while (bin + 2 < data.edges.size() && value >= data.edges[bin + 1]) ++bin;
      const auto middle = [&](std::size_t k) { return data.edges[k] / 2 + data.edges[k + 1] / 2; };
      const auto height = [&](std::size_t k) {
        return (std::min)(scaled_count(step.counts[k], ridges.scale) / ridges.unit, 1.0);
      };
      const std::size_t left = value < middle(bin) && bin > 0 ? bin - 1 : bin;
      const std::size_t right = (std::min)(left + 1, step.counts.size() - 1);
      const double width = middle(right) / 2 - middle(left) / 2;
      const double part = width > 0 ? (std::clamp)((value / 2 - middle(left) / 2) / width, 0.0, 1.0) : 0;
      const double level = base_row + overlap * ((1 - part) * height(left) + part * height(right));
      const double y = chart.pixel_y(level);
      const auto top = static_cast<std::int64_t>(std::lround(y));
      fill_box(chart.image, {chart.plot.x + column, top, 1, base - top}, fill);
      const double x = static_cast<double>(chart.plot.x + column) + 0.5;
      if (column > 0) crest.add(x - 1, before, x, y, 1.4);
      before = y;
    }
    crest.lay_over(chart.image, line);
  }
  chart.finish();
  return std::move(chart.image);
}

/// The scale right of the heatmap: colours from no number to the most.
inline void draw_count_bar(Image& image, const Box& box, Colormap colormap, std::uint64_t most, AxisScale scale) {
  for (std::int64_t y = 0; y < box.height; ++y) {
    const double place = 1 - (static_cast<double>(y) + 0.5) / static_cast<double>(box.height);
    fill_box(image, {box.x, box.y + y, box.width, 1}, colour(colormap, place));
  }
  draw_frame(image, {box.x - 1, box.y - 1, box.width + 2, box.height + 2}, look::frame);
  const double top = scaled_count(most, scale);
  std::vector<std::uint64_t> labels{0};
  if (scale == AxisScale::log) {
    for (std::uint64_t value = 1; value < most && value < 1000000000000000000u; value *= 10) labels.push_back(value);
  } else if (most >= 2) {
    labels.push_back(most / 2);
  }
  std::int64_t free_above = image.height;
  const auto label = [&](std::uint64_t value) {
    const auto y = box.y + static_cast<std::int64_t>(
                               std::lround((1 - scaled_count(value, scale) / top) * static_cast<double>(box.height)));
    if (y + 7 > free_above) return;
    const std::string text = value < 10000000 ? to_text(value) : number_text(static_cast<double>(value), 3);
    draw_text(image, box.x + box.width + 5, y - 6, text, look::ink);
    free_above = y - 7;
  };
  const std::int64_t end = box.y + 14;  // where the label of the most has its place
  for (const std::uint64_t value : labels) {
    const double y =
        static_cast<double>(box.y) + (1 - scaled_count(value, scale) / top) * static_cast<double>(box.height);
    if (y > static_cast<double>(end)) label(value);
  }
  label(most);
}

inline Image draw_time_heatmap(const TimelineData& data, const HistogramTimelineChartOptions& options) {
  constexpr std::int64_t bar_room = 76;
  const AxisScale scale = options.count_scale.value_or(AxisScale::log);
  std::uint64_t most = 1;
  for (const auto& step : data.steps)
    most = (std::max)(most, *std::max_element(step.counts.begin(), step.counts.end()));

  ChartSpec spec = timeline_spec("histogram_heatmap", options);
  const std::size_t columns = data.steps.size();
  spec.x.range = {0, static_cast<double>(columns)};
  for (const std::size_t column : labelled_rows(columns, 8)) {
    spec.x.ticks.push_back(static_cast<double>(column) + 0.5);
    spec.x.labels.push_back(to_text(data.steps[column].step));
  }
  spec.x.title = "step";
  spec.y = value_axis(data.edges, options.value_label);
  spec.width = (std::max<std::int64_t>)(160, options.width - bar_room);
  Chart chart = start_chart(std::move(spec));

  for (std::size_t i = 0; i < columns; ++i) {
    const auto left = static_cast<std::int64_t>(std::lround(chart.pixel_x(static_cast<double>(i))));
    const auto right =
        (std::max)(left + 1, static_cast<std::int64_t>(std::lround(chart.pixel_x(static_cast<double>(i + 1)))));
    const HistogramTimeline::Step& step = data.steps[i];
    if (!TimelineData::any_finite(step)) {
      fill_box(chart.image, {left, chart.plot.y, right - left, chart.plot.height}, {255, 0, 255});
      continue;
    }
    for (std::size_t bin = 0; bin < step.counts.size(); ++bin) {
      const auto top = static_cast<std::int64_t>(std::lround(chart.pixel_y(data.edges[bin + 1])));
      const auto bottom = static_cast<std::int64_t>(std::lround(chart.pixel_y(data.edges[bin])));
      const double place = scaled_count(step.counts[bin], scale) / scaled_count(most, scale);
      fill_box(chart.image, {left, top, right - left, bottom - top}, colour(options.colormap, place));
    }
  }
  chart.finish();
  Image image = make_image(chart.image.width + bar_room, chart.image.height, look::paper);
  paste(image, chart.image, 0, 0, 1, 1);
  const Box bar{chart.image.width + 2, chart.plot.y + 16, 12, (std::max<std::int64_t>)(chart.plot.height - 16, 1)};
  draw_text(image, bar.x - 1, chart.plot.y - 4, "count", look::soft_ink);
  draw_count_bar(image, bar, options.colormap, most, scale);
  return image;
}

}  // namespace detail

LAYERSCOPE_INLINE Image ridge_plot(const HistogramTimeline& timeline, const HistogramTimelineChartOptions& options) {
  const detail::TimelineData data(timeline);
  const detail::Ridges ridges(data, options.count_scale.value_or(AxisScale::linear));
  HistogramTimelineChartOptions described = options;
  described.captions.push_back("The highest ridge is " + to_text(ridges.highest) + " numbers in a bin");
  for (const auto* const captions : {&data.captions, &ridges.captions})
    described.captions.insert(described.captions.end(), captions->begin(), captions->end());
  return detail::draw_ridges(data, ridges, described);
}

LAYERSCOPE_INLINE Image histogram_heatmap(const HistogramTimeline& timeline,
                                          const HistogramTimelineChartOptions& options) {
  const detail::TimelineData data(timeline);
  HistogramTimelineChartOptions described = options;
  described.captions.insert(described.captions.end(), data.captions.begin(), data.captions.end());
  return detail::draw_time_heatmap(data, described);
}

LAYERSCOPE_INLINE Image histogram_timeline_chart(const HistogramTimeline& timeline,
                                                 const HistogramTimelineChartOptions& options) {
  const detail::TimelineData data(timeline);
  const detail::Ridges ridges(data, options.count_scale.value_or(AxisScale::linear));
  HistogramTimelineChartOptions half = options;  // title and captions are of both, so that both are as high
  half.title.clear();
  half.captions.clear();
  if (half.value_label.empty()) half.value_label = "value";
  const Image left = detail::draw_ridges(data, ridges, half);
  const Image right = detail::draw_time_heatmap(data, half);
  std::vector<std::string> captions = options.captions;
  for (const auto* const more : {&data.captions, &ridges.captions})
    captions.insert(captions.end(), more->begin(), more->end());
  const std::int64_t width = left.width + right.width;
  const detail::TextBlocks texts(options.title, captions, width - 2 * detail::look::margin);
  Image image = make_image(width, left.height + texts.above() + texts.below(), detail::look::paper);
  detail::paste(image, left, 0, texts.above(), 1, 1);
  detail::paste(image, right, left.width, texts.above(), 1, 1);
  texts.draw(image);  // last, as it reaches into the margins of the halves
  return image;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
