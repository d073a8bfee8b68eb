// Body of algorithms/line_chart.hpp.
#pragma once

#include <layerscope/algorithms/detail/axes.hpp>
#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/line_chart.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// 10^exponent, exact from 10^0 to 10^22.
inline double power_of_ten(int exponent) noexcept {
  double power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

/// What a series draws: y in the coordinates of the axis (its logarithm on a log axis), NaN where there is a gap.
struct DrawnSeries {
  std::vector<double> x, y;
};

struct SeriesExtent {
  Range x{(std::numeric_limits<double>::max)(), std::numeric_limits<double>::lowest()};
  Range y = x;
  std::int64_t points = 0;
  std::int64_t not_positive = 0;  // finite, but without a logarithm
  enum class Steps : std::uint8_t { whole, fractional } steps = Steps::whole;
};

inline bool drawable(const Series& series, std::size_t i, AxisScale scale) noexcept {
  return is_finite(series.x[i]) && is_finite(series.y[i]) && (scale == AxisScale::linear || series.y[i] > 0);
}

inline SeriesExtent extent_of(std::span<const Series> all, AxisScale scale) {
  SeriesExtent extent;
  for (const Series& series : all) {
    if (series.x.size() != series.y.size()) {
      throw Error(ErrorCode::invalid_argument, "line_chart: series \"" + series.name + "\" has " +
                                                   to_text(series.x.size()) + " x for " + to_text(series.y.size()) +
                                                   " y; expected as many");
    }
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!drawable(series, i, scale)) {
        const bool finite = is_finite(series.x[i]) && is_finite(series.y[i]);
        extent.not_positive += finite ? 1 : 0;
        continue;
      }
      const double y = scale == AxisScale::log ? std::log10(series.y[i]) : series.y[i];
      extent.x = {(std::min)(extent.x.min, series.x[i]), (std::max)(extent.x.max, series.x[i])};
      extent.y = {(std::min)(extent.y.min, y), (std::max)(extent.y.max, y)};
      if (std::floor(series.x[i]) != series.x[i]) extent.steps = SeriesExtent::Steps::fractional;
      ++extent.points;
    }
  }
  return extent;
}

/// Decades of a logarithmic axis, and 2 and 5 between them where there are few.
inline AxisSpec log_axis(const Range& exponents) {
  AxisSpec axis;
  double low = std::floor(exponents.min);
  double high = std::ceil(exponents.max);
  if (low == high) high = low + 1;
  axis.range = {low, high};
  const int stride = (std::max)(1, static_cast<int>((high - low) / 8));
  std::vector<double> values;
  for (double decade = low; decade <= high; decade += stride) {
    axis.ticks.push_back(decade);
    values.push_back(std::pow(10.0, decade));
    if (high - low > 2) continue;
    for (const double factor : {2.0, 5.0}) {
      if (decade == high) break;
      axis.ticks.push_back(decade + std::log10(factor));
      values.push_back(factor * values[values.size() - (factor == 2.0 ? 1 : 2)]);
    }
  }
  axis.labels = tick_texts(values);
  return axis;
}

inline AxisSpec linear_axis(const Range& range) {
  AxisSpec axis;
  axis.ticks = nice_ticks(range.min, range.max);
  axis.labels = tick_texts(axis.ticks);
  axis.range = range;
  return axis;
}

/// A range to draw when all x are equal.
inline Range opened(const Range& range) noexcept {
  if (range.min < range.max) return range;
  const double half = (std::max)(0.5, std::fabs(range.min) * 0.05);
  return {range.min - half, range.max + half};
}

/// One line, cut at gaps and into dashes. Points that fall into one column of pixels are merged into their first,
/// lowest, highest and last, which shows no difference (M4: Jugel, Jerzak, Hackenbroich and Markl, VLDB 2014).
class LinePen {
 public:
  LinePen(LineMask& mask, double thickness, double dash) : mask_(mask), thickness_(thickness), dash_(dash) {}

  void point(double x, double y) {
    if (count_ > 0 && std::floor(x) == std::floor(first_x_)) {
      if (y < low_) low_ = y, low_at_ = count_;
      if (y > high_) high_ = y, high_at_ = count_;
      last_x_ = x, last_y_ = y;
      ++count_;
      return;
    }
    flush();
    first_x_ = last_x_ = x;
    first_y_ = last_y_ = low_ = high_ = y;
    low_at_ = high_at_ = 0;
    count_ = 1;
  }

  /// Ends the line; a point that has stayed alone becomes a dot.
  void gap() {
    flush();
    if (drawn_ == 1) mask_.add(pen_x_, pen_y_, pen_x_, pen_y_, thickness_ + 3);
    drawn_ = 0;
    travelled_ = 0;
  }

 private:
  void flush() {
    if (count_ == 0) return;
    step_to(first_x_, first_y_);
    if (count_ > 1) {
      const bool low_first = low_at_ < high_at_;
      step_to(last_x_, low_first ? low_ : high_);
      step_to(last_x_, low_first ? high_ : low_);
      step_to(last_x_, last_y_);
    }
    count_ = 0;
  }

  void step_to(double x, double y) {
    if (drawn_ > 0) segment(pen_x_, pen_y_, x, y);
    pen_x_ = x;
    pen_y_ = y;
    ++drawn_;
  }

  void segment(double x0, double y0, double x1, double y1) {
    const double length = std::sqrt((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0));
    if (dash_ == 0 || length == 0 || length > 1e5) return mask_.add(x0, y0, x1, y1, thickness_);
    for (double at = 0; at < length;) {
      const double phase = std::fmod(travelled_ + at, 2 * dash_);
      const double run = (std::min)(length - at, (phase < dash_ ? dash_ : 2 * dash_) - phase + 1e-9);
      if (phase < dash_) {
        const double from = at / length;
        const double to = (at + run) / length;
        mask_.add(x0 + from * (x1 - x0), y0 + from * (y1 - y0), x0 + to * (x1 - x0), y0 + to * (y1 - y0), thickness_);
      }
      at += run;
    }
    travelled_ += length;
  }

  LineMask& mask_;
  double thickness_, dash_;
  double pen_x_ = 0, pen_y_ = 0, travelled_ = 0;
  std::int64_t drawn_ = 0;  // points of the line so far
  std::int64_t count_ = 0, low_at_ = 0, high_at_ = 0;
  double first_x_ = 0, first_y_ = 0, last_x_ = 0, last_y_ = 0, low_ = 0, high_ = 0;
};

}  // namespace detail

LAYERSCOPE_INLINE std::vector<double> nice_ticks(double min, double max, int target) {
  if (!is_finite(min) || !is_finite(max) || min > max || target < 2) {
    throw Error(ErrorCode::invalid_argument, "nice_ticks: " + to_text(target) + " ticks from " + to_text(min) + " to " +
                                                 to_text(max) + "; expected finite numbers, min <= max, 2 or more");
  }
  if (min == max) {
    const double half = min == 0 ? 1 : std::fabs(min) * 0.1;
    min = (std::max)(min - half, std::numeric_limits<double>::lowest());
    max = (std::min)(max + half, (std::numeric_limits<double>::max)());
  }
  const double rough = (max / 2 - min / 2) / (target - 1) * 2;
  const int exponent = rough > 0 ? static_cast<int>(std::floor(std::log10(rough))) : 0;
  const bool resolved = std::fabs(max) < 1e300 && std::fabs(min) < 1e300 && exponent > -290 &&
                        rough > 1e-14 * (std::max)(std::fabs(min), std::fabs(max));
  if (!resolved) return {min, max};  // round numbers between these would not be distinct doubles
  const double power = detail::power_of_ten(std::abs(exponent));
  const double fraction = exponent >= 0 ? rough / power : rough * power;
  const double nice = fraction < 1.5 ? 1 : fraction < 3.5 ? 2 : fraction < 7.5 ? 5 : 10;
  // Dividing by 10^n instead of multiplying by 10^-n gives the double nearest to the decimal number.
  const auto tick = [&](double count) { return exponent >= 0 ? count * nice * power : count * nice / power; };
  const double step = tick(1);
  std::vector<double> ticks;
  const double last = std::ceil(max / step - 1e-9);
  for (double count = std::floor(min / step + 1e-9); count <= last; ++count) ticks.push_back(tick(count));
  return ticks;
}

LAYERSCOPE_INLINE Image line_chart(std::span<const Series> series, const LineChartOptions& options) {
  if (series.empty()) throw Error(ErrorCode::empty, "line_chart: no series given");
  if (options.y_range && (!is_finite(options.y_range->min) || !is_finite(options.y_range->max) ||
                          options.y_range->min >= options.y_range->max ||
                          (options.y_scale == AxisScale::log && options.y_range->min <= 0))) {
    throw Error(ErrorCode::invalid_argument, "line_chart: y_range " + to_text(options.y_range->min) + " to " +
                                                 to_text(options.y_range->max) +
                                                 "; expected finite numbers, min < max (and min > 0 on a log scale)");
  }
  const detail::SeriesExtent extent = detail::extent_of(series, options.y_scale);
  if (extent.points == 0) {
    throw Error(ErrorCode::empty, "line_chart: no point of the " + to_text(series.size()) + " series can be drawn");
  }
  const bool logarithmic = options.y_scale == AxisScale::log;

  detail::ChartSpec spec;
  spec.what = "line_chart";
  spec.title = options.title;
  spec.captions = options.captions;
  if (logarithmic && extent.not_positive > 0) {
    spec.captions.push_back(to_text(extent.not_positive) + " points <= 0 have no place on the log scale");
  }
  spec.width = options.width;
  spec.height = options.height;
  spec.x = detail::linear_axis(detail::opened(extent.x));
  if (extent.steps == detail::SeriesExtent::Steps::whole) {
    std::erase_if(spec.x.ticks, [](double tick) { return std::floor(tick) != tick; });
    spec.x.labels = detail::tick_texts(spec.x.ticks);
  }
  spec.x.title = options.x_label;
  if (logarithmic) {
    spec.y = detail::log_axis(extent.y);
    if (options.y_range) {
      const Range exponents{std::log10(options.y_range->min), std::log10(options.y_range->max)};
      spec.y = detail::log_axis(exponents);
      spec.y.range = exponents;
    }
  } else {
    const Range range = options.y_range.value_or(extent.y);
    spec.y = detail::linear_axis(range);
    if (!options.y_range)
      spec.y.range = {(std::min)(range.min, spec.y.ticks.front()), (std::max)(range.max, spec.y.ticks.back())};
  }
  spec.y.title = options.y_label;
  if (series.size() > 1 || !series[0].name.empty()) {
    for (std::size_t i = 0; i < series.size(); ++i) {
      const ClassStyle style = class_style(static_cast<std::int64_t>(i));
      const auto sample =
          i / okabe_ito.size() % 2 == 0 ? detail::LegendEntry::Sample::solid : detail::LegendEntry::Sample::dashed;
      spec.legend.push_back({series[i].name, style, sample});
    }
  }

  detail::Chart chart = detail::start_chart(std::move(spec));
  for (std::size_t i = 0; i < series.size(); ++i) {
    detail::LineMask mask(chart.plot);
    detail::LinePen pen(mask, 2, i / okabe_ito.size() % 2 == 0 ? 0 : 6);
    for (std::size_t k = 0; k < series[i].x.size(); ++k) {
      if (!detail::drawable(series[i], k, options.y_scale)) {
        pen.gap();
        continue;
      }
      const double y = logarithmic ? std::log10(series[i].y[k]) : series[i].y[k];
      pen.point(chart.pixel_x(series[i].x[k]), chart.pixel_y(y));
    }
    pen.gap();
    mask.lay_over(chart.image, class_style(static_cast<std::int64_t>(i)).colour);
  }
  chart.finish();
  return std::move(chart.image);
}

LAYERSCOPE_INLINE Image line_chart(const Series& series, const LineChartOptions& options) {
  return line_chart(std::span(&series, 1), options);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
