// Body of HistogramTimeline, of algorithms/histogram_timeline.hpp.
#pragma once

#include <layerscope/algorithms/histogram.hpp>
#include <layerscope/algorithms/histogram_timeline.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/histogram_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE HistogramTimeline::HistogramTimeline(HistogramTimelineOptions options)
    : options_(std::move(options)) {
  const auto refuse = [](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, "histogram_timeline: " + problem);
  };
  if (options_.bins < 1 || options_.bins > 65536) refuse("bins is " + to_text(options_.bins) + "; expected 1 to 65536");
  if (options_.max_steps < 2 || options_.max_steps > 65536 || options_.max_steps % 2 != 0)
    refuse("max_steps is " + to_text(options_.max_steps) + "; expected an even number from 2 to 65536");
  if (!is_finite(options_.margin) || options_.margin < 0 || options_.margin > 1000)
    refuse("margin is " + to_text(options_.margin) + "; expected 0 to 1000");
  if (options_.edges) {
    const bool finite =
        std::all_of(options_.edges->begin(), options_.edges->end(), [](double x) { return is_finite(x); });
    if (options_.edges->size() < 2 || !finite || !detail::increasing(*options_.edges))
      refuse(to_text(options_.edges->size()) + " edges given; expected at least 2 finite, increasing numbers");
    edges_ = *options_.edges;
  } else if (options_.range) {
    const Range range = *options_.range;
    if (!is_finite(range.min) || !is_finite(range.max) || !(range.min < range.max))
      refuse("range is " + to_text(range.min) + " to " + to_text(range.max) + "; expected finite numbers, min < max");
    edges_ = detail::linear_edges(range, options_.bins);
    if (!detail::increasing(edges_))
      refuse(to_text(options_.bins) + " bins do not fit between " + to_text(range.min) + " and " + to_text(range.max));
  }
}

/// Chooses the edges for numbers of this range, and counts the steps before.
LAYERSCOPE_INLINE void HistogramTimeline::settle(const Range& range) {
  constexpr double limit = 0x1.fffffffffffffp1023;
  const double largest = (std::max)(std::fabs(range.min), std::fabs(range.max));
  // Halved, so that the width of two finite doubles is finite; wide enough that neighbouring edges differ.
  const double half_margin = options_.margin * (range.max / 2 - range.min / 2);
  const double least = (std::max)(largest * 0x1p-51, 0x1p-1070) * (options_.bins + 1);
  const auto wide_enough = [&](double margin) { return range.max / 2 - range.min / 2 + margin > least; };
  const double half = wide_enough(half_margin) ? half_margin : least;
  Range wide{(std::max)(2 * (range.min / 2 - half), -limit), (std::min)(2 * (range.max / 2 + half), limit)};
  if (!is_finite(wide.min)) wide.min = -limit;
  if (!is_finite(wide.max)) wide.max = limit;
  if (range.min == 0) wide.min = 0;
  if (range.max == 0) wide.max = 0;
  edges_ = detail::linear_edges(wide, options_.bins);
  for (Row& row : rows_) place(row, edges_);
}

/// Puts numbers that are all equal into their bin.
LAYERSCOPE_INLINE void HistogramTimeline::place(Row& row, const std::vector<double>& edges) {
  row.step.counts.assign(edges.size() - 1, 0);
  if (row.finite == 0) return;
  if (row.value < edges.front()) {
    row.step.below = row.finite;
  } else if (row.value > edges.back()) {
    row.step.above = row.finite;
  } else {
    const auto above = std::upper_bound(edges.begin(), edges.end(), row.value) - edges.begin();
    const auto bin = (std::min)(above - 1, static_cast<std::ptrdiff_t>(edges.size()) - 2);
    row.step.counts[static_cast<std::size_t>(bin)] = row.finite;
  }
}

LAYERSCOPE_INLINE void HistogramTimeline::add(std::int64_t step, const AnyView& x) {
  Row row;
  row.step.step = step;
  const auto take = [&row](HistogramResult counted) {
    row.step.counts = std::move(counted.histogram.counts);
    row.step.below = counted.below;
    row.step.above = counted.above;
    row.step.nan = counted.nan;
    row.step.positive_infinity = counted.positive_infinity;
    row.step.negative_infinity = counted.negative_infinity;
  };
  if (!settled()) {
    HistogramOptions one;
    one.bins = 1;
    one.threads = options_.threads;
    const HistogramResult counted = layerscope::histogram(x, one);  // refuses an empty tensor
    row.finite = counted.histogram.counts[0];
    if (row.finite > 0) {
      // Not the edges just used, which are widened where all numbers are equal.
      Range range = detail::finite_range(x, 1);
      row.value = range.min;
      for (const Row& other : rows_) {
        if (other.finite == 0 || other.step.step == step) continue;
        range = {(std::min)(range.min, other.value), (std::max)(range.max, other.value)};
      }
      if (range.min < range.max) settle(range);
    }
    if (!settled()) {
      take(counted);
      row.step.counts.clear();
      return insert(std::move(row));
    }
  }
  HistogramOptions bins;
  bins.threads = options_.threads;
  if (options_.edges) {
    bins.edges = edges_;
  } else {
    bins.bins = options_.bins;  // equal widths are found faster
    bins.range = Range{edges_.front(), edges_.back()};
  }
  take(layerscope::histogram(x, bins));
  insert(std::move(row));
}

LAYERSCOPE_INLINE void HistogramTimeline::insert(Row row) {
  thinning_.insert(rows_, std::move(row), options_.max_steps, [](const Row& one) { return one.step.step; });
}

LAYERSCOPE_INLINE std::vector<double> HistogramTimeline::edges_for_now() const {
  for (const Row& row : rows_) {
    if (row.finite == 0) continue;
    HistogramOptions bins;
    bins.bins = options_.bins;
    return layerscope::histogram(AnyView(&row.value, DType::f64, {1}), bins).histogram.edges;
  }
  return detail::linear_edges({0, 1}, options_.bins);
}

LAYERSCOPE_INLINE std::vector<double> HistogramTimeline::edges() const {
  return settled() ? edges_ : edges_for_now();
}

LAYERSCOPE_INLINE std::vector<HistogramTimeline::Step> HistogramTimeline::steps() const {
  const std::vector<double> edges = settled() ? std::vector<double>() : edges_for_now();
  std::vector<Step> steps;
  for (const Row& row : rows_) {
    if (settled()) {
      steps.push_back(row.step);
    } else {
      Row placed = row;
      place(placed, edges);
      steps.push_back(std::move(placed.step));
    }
  }
  return steps;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
