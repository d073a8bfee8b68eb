// Body of algorithms/histogram.hpp.
#pragma once

#include <layerscope/algorithms/histogram.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/impl/element_range_inl.hpp>
#include <layerscope/impl/statistics_inl.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// Calls `take(pointer, count, worker)` for blocks of all elements as float32 or float64, in no order that matters.
template <class Take>
void for_blocks(const AnyView& view, std::int64_t workers, const Take& take) {
  const std::int64_t units = (view.size() + statistics_unit - 1) / statistics_unit;
  std::atomic<std::int64_t> next{0};
  const ElementRange range(view);
  parallel_for(workers, static_cast<int>(workers), [&](std::int64_t worker) {
    const auto run = [&](auto work) {
      using Work = decltype(work);
      Work buffer[statistics_block];
      for (std::int64_t unit = next++; unit < units; unit = next++) {
        const std::int64_t end = (std::min)((unit + 1) * statistics_unit, view.size());
        for (std::int64_t start = unit * statistics_unit; start < end; start += statistics_block) {
          const std::int64_t count = (std::min)(statistics_block, end - start);
          take(range.read(start, count, buffer), count, worker);
        }
      }
    };
    fits_float(view.dtype()) ? run(float{}) : run(double{});
  });
}

/// Smallest and largest finite number; [0, 1] when there is none.
inline Range finite_range(const AnyView& view, std::int64_t workers) {
  std::vector<Range> ranges(static_cast<std::size_t>(workers));
  std::vector<char> found(static_cast<std::size_t>(workers));
  for_blocks(view, workers, [&](const auto* x, std::int64_t count, std::int64_t worker) {
    constexpr std::uint64_t infinity = sizeof *x == 4 ? 0x7F800000u : 0x7FF0000000000000u;
    const auto at = static_cast<std::size_t>(worker);
    const auto widen = [&](double low, double high) {
      ranges[at] =
          found[at] != 0 ? Range{(std::min)(ranges[at].min, low), (std::max)(ranges[at].max, high)} : Range{low, high};
      found[at] = 1;
    };
    if (scan_magnitudes(x, count).largest < infinity) {
      const SumScan scan = scan_sums(x, count);
      return widen(scan.min, scan.max);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      if (is_finite(x[i])) widen(static_cast<double>(x[i]), static_cast<double>(x[i]));
    }
  });
  std::optional<Range> all;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (found[i] == 0) continue;
    all = all ? Range{(std::min)(all->min, ranges[i].min), (std::max)(all->max, ranges[i].max)} : ranges[i];
  }
  return all.value_or(Range{0, 1});
}

/// numpy.linspace: first + i · step with every operation rounded by itself. `volatile` keeps compilers from fusing the
/// product and the sum, which would move edges by one bit.
inline std::vector<double> linear_edges(const Range& range, int bins) {
  std::vector<double> edges(static_cast<std::size_t>(bins) + 1);
  const double span = range.max - range.min;
  const double step = span / bins;
  for (int i = 0; i <= bins; ++i) {
    volatile double offset = step * i;
    if (step == 0) offset = i / static_cast<double>(bins) * span;  // subnormal spans
    edges[static_cast<std::size_t>(i)] = range.min + offset;
    if (!is_finite(span)) {  // beyond the largest double
      const double t = i / static_cast<double>(bins);
      edges[static_cast<std::size_t>(i)] = range.min * (1 - t) + range.max * t;
    }
  }
  edges.back() = range.max;
  return edges;
}

inline bool increasing(const std::vector<double>& edges) {
  return std::adjacent_find(edges.begin(), edges.end(), [](double a, double b) { return !(a < b); }) == edges.end();
}

inline std::vector<double> histogram_edges(const AnyView& view, const HistogramOptions& options, std::int64_t workers) {
  if (options.edges) {
    const bool finite =
        std::all_of(options.edges->begin(), options.edges->end(), [](double edge) { return is_finite(edge); });
    if (options.edges->size() < 2 || !finite || !increasing(*options.edges)) {
      throw Error(ErrorCode::invalid_argument, "histogram: " + to_text(options.edges->size()) +
                                                   " edges given; expected at least 2 finite, increasing numbers");
    }
    return *options.edges;
  }
  if (options.bins < 1 || options.bins > 65536) {
    throw Error(ErrorCode::invalid_argument, "histogram: bins is " + to_text(options.bins) + "; expected 1 to 65536");
  }
  const Range given = options.range ? *options.range : finite_range(view, workers);
  if (!is_finite(given.min) || !is_finite(given.max) || given.min > given.max) {
    throw Error(ErrorCode::invalid_argument, "histogram: range is " + to_text(given.min) + " to " + to_text(given.max) +
                                                 "; expected two finite numbers in order");
  }
  const Range range = given.min == given.max ? Range{given.min - 0.5, given.max + 0.5} : given;
  std::vector<double> edges = linear_edges(range, options.bins);
  if (increasing(edges)) return edges;
  if (options.range) {
    throw Error(ErrorCode::invalid_argument, "histogram: " + to_text(options.bins) + " bins do not fit between " +
                                                 to_text(given.min) + " and " + to_text(given.max) +
                                                 ", where there are fewer numbers");
  }
  // Wide enough that neighbouring edges differ, turned inwards at the ends of double.
  const double largest = (std::max)(std::abs(given.min), std::abs(given.max));
  const double margin = (std::max)(largest * 0x1p-51, 0x1p-1074) * (options.bins + 1);
  constexpr double limit = 0x1.fffffffffffffp1023;
  edges = linear_edges({(std::max)(given.min - margin, -limit), (std::min)(given.max + margin, limit)}, options.bins);
  return edges;
}

/// Which bin a number of [first, last] is in: the product is a guess, the comparisons with the edges decide.
class BinFinder {
 public:
  explicit BinFinder(const std::vector<double>& edges, bool equal_widths)
      : edges_(edges.data()), bins_(static_cast<std::int64_t>(edges.size()) - 1), first_(edges.front()) {
    const double scale = static_cast<double>(bins_) / (edges.back() - edges.front());
    if (equal_widths && is_finite(scale) && is_finite(edges.back() - edges.front())) scale_ = scale;
  }

  std::int64_t operator()(double x) const {
    if (scale_ == 0) {
      const double* const above = std::upper_bound(edges_, edges_ + bins_ + 1, x);
      return (std::min)(static_cast<std::int64_t>(above - edges_) - 1, bins_ - 1);
    }
    std::int64_t bin = (std::min)(static_cast<std::int64_t>((x - first_) * scale_), bins_ - 1);
    while (bin > 0 && x < edges_[bin]) --bin;
    while (bin < bins_ - 1 && x >= edges_[bin + 1]) ++bin;
    return bin;
  }

 private:
  const double* edges_;
  std::int64_t bins_;
  double first_;
  double scale_ = 0;
};

}  // namespace detail

LAYERSCOPE_INLINE HistogramResult histogram(const AnyView& view, const HistogramOptions& options) {
  if (view.empty()) {
    throw Error(ErrorCode::empty, "histogram: shape " + to_text(view.shape()) + "; expected at least one element");
  }
  const std::int64_t workers =
      (std::clamp<std::int64_t>)(view.size() / (4 * detail::statistics_unit), 1, resolve_threads(options.threads));
  HistogramResult result;
  result.histogram.edges = detail::histogram_edges(view, options, workers);
  const std::vector<double>& edges = result.histogram.edges;
  const detail::BinFinder bin_of(edges, !options.edges);
  const double first = edges.front();
  const double last = edges.back();

  std::vector<HistogramResult> parts(static_cast<std::size_t>(workers));
  for (HistogramResult& part : parts) part.histogram.counts.resize(edges.size() - 1);
  detail::for_blocks(view, workers, [&](const auto* x, std::int64_t count, std::int64_t worker) {
    HistogramResult& part = parts[static_cast<std::size_t>(worker)];
    std::uint64_t* const counts = part.histogram.counts.data();
    for (std::int64_t i = 0; i < count; ++i) {
      const double value = static_cast<double>(x[i]);
      if (!is_finite(value)) {
        ++(is_nan(value) ? part.nan : sign_bit(value) ? part.negative_infinity : part.positive_infinity);
      } else if (value < first) {
        ++part.below;
      } else if (value > last) {
        ++part.above;
      } else {
        ++counts[bin_of(value)];
      }
    }
  });

  result.histogram.counts.resize(edges.size() - 1);
  for (const HistogramResult& part : parts) {
    for (std::size_t bin = 0; bin + 1 < edges.size(); ++bin) {
      result.histogram.counts[bin] += part.histogram.counts[bin];
    }
    result.below += part.below;
    result.above += part.above;
    result.nan += part.nan;
    result.positive_infinity += part.positive_infinity;
    result.negative_infinity += part.negative_infinity;
  }
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
