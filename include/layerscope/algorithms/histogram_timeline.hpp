// Histograms of one tensor over the steps of a run, all in the same bins, and pictures of them: ridges, one in front of
// the other as TensorBoard's offset view has them, and a heatmap of time and value.
#pragma once

#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/algorithms/detail/step_thinning.hpp>
#include <layerscope/algorithms/line_chart.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

struct HistogramTimelineOptions {
  /// Bins of equal width, 1 to 65,536. Default 60. Unused when `edges` is given.
  int bins = 60;
  /// Where the first bin begins and the last one ends, finite, min < max. Default: chosen at the first step whose
  /// finite numbers, with those of the steps before, are not all equal; the range is widened by `margin`.
  std::optional<Range> range = std::nullopt;
  /// At least two finite, increasing numbers. Default: equal bins.
  std::optional<std::vector<double>> edges = std::nullopt;
  /// How far the range chosen is widened to either side, in units of its width, 0 to 1000, so that there is room for
  /// what comes later. A side that is exactly 0 stays, as numbers behind a ReLU do. Default 1.
  double margin = 1;
  /// Steps kept, an even number from 2 to 65,536. When there are more, every second one is given up, again and again;
  /// the first and the newest stay. Default 128: with 60 bins 70 kB.
  int max_steps = 128;
  /// Threads used at most. Default 0: every core. The result does not depend on it.
  int threads = 0;
};

/// The histograms of a run so far: a value, to be kept beside the run.
class HistogramTimeline {
 public:
  /// The counts of one step. Every element is counted once: in a bin or in one of the five numbers.
  struct Step {
    std::int64_t step = 0;
    std::vector<std::uint64_t> counts;  ///< one a bin
    std::uint64_t below = 0;            ///< finite, before the first edge
    std::uint64_t above = 0;            ///< finite, beyond the last edge
    std::uint64_t nan = 0;
    std::uint64_t positive_infinity = 0;
    std::uint64_t negative_infinity = 0;
  };

  /// Throws Error(invalid_argument) for options out of range.
  explicit HistogramTimeline(HistogramTimelineOptions options = {});

  /// Counts all elements of `x` at `step`. A step given again replaces its counts; steps may come in any order. Throws
  /// Error(empty) for an empty tensor.
  void add(std::int64_t step, const AnyView& x);

  /// Edges of the bins, one more than there are; the same for all steps. Where all finite numbers so far are equal,
  /// half a unit to either side, for now; 0 to 1 where there is none.
  std::vector<double> edges() const;
  /// The steps kept, in increasing order.
  std::vector<Step> steps() const;
  /// Steps that were added (again counts once), kept or not.
  std::int64_t steps_added() const noexcept { return thinning_.added(); }
  /// Of how many steps one is kept, beside the newest: 1, 2, 4 …
  std::int64_t stride() const noexcept { return thinning_.stride(); }

 private:
  struct Row {
    Step step;
    double value = 0;          // of all finite numbers, while there are no edges
    std::uint64_t finite = 0;  // how many they are
  };
  bool settled() const noexcept { return !edges_.empty(); }
  void settle(const Range& range);
  static void place(Row& row, const std::vector<double>& edges);
  std::vector<double> edges_for_now() const;
  void insert(Row row);

  HistogramTimelineOptions options_;
  std::vector<double> edges_;
  std::vector<Row> rows_;
  detail::StepThinning thinning_;
};

struct HistogramTimelineChartOptions {
  /// First line. Default none.
  std::string title{};
  /// What the numbers are. Default none.
  std::string value_label{};
  /// Size of the whole picture in pixels, 160 × 120 to 8192 × 8192; of histogram_timeline_chart() that of each half.
  std::int64_t width = 560;
  std::int64_t height = 420;
  /// How counts become heights or colours; log is log10(1 + count). Default: linear for ridges, log for colours.
  std::optional<AxisScale> count_scale{};
  /// Colours of the heatmap. Default viridis.
  Colormap colormap = Colormap::viridis;
  /// Small lines below the chart, before those that it adds itself: numbers outside the edges or not finite, and steps
  /// left out.
  std::vector<std::string> captions{};
};

/// A ridge a step, the newest in front, the oldest at the back and on top; at most 40, evenly spaced, and said. All
/// have one scale: up to three times the median of the highest bins, beyond which ridges are cut off, and said. A step
/// without a finite number is a magenta line. Throws Error(empty) without steps, Error(invalid_argument) for sizes out
/// of range.
Image ridge_plot(const HistogramTimeline& timeline, const HistogramTimelineChartOptions& options = {});

/// Steps across, values upwards, counts as colours, with a scale. A step without a finite number is magenta. Throws as
/// ridge_plot().
Image histogram_heatmap(const HistogramTimeline& timeline, const HistogramTimelineChartOptions& options = {});

/// Both side by side. Throws as ridge_plot().
Image histogram_timeline_chart(const HistogramTimeline& timeline, const HistogramTimelineChartOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/histogram_timeline_chart_inl.hpp>
#include <layerscope/impl/histogram_timeline_inl.hpp>
#endif
