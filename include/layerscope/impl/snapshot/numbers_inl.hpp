// Bodies of Snapshot::histogram and Snapshot::statistics, which leave no element out.
#pragma once

#include <layerscope/algorithms/histogram.hpp>
#include <layerscope/algorithms/histogram_chart.hpp>
#include <layerscope/algorithms/statistics.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/impl/snapshot/overview.hpp>
#include <layerscope/impl/snapshot/timeline.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The numbers of `all` as attributes; quantiles are within 0.4 %.
inline void add_statistics(Artifact& artifact, const Statistics& all) {
  const auto count = [&](const char* name, std::uint64_t n) {
    artifact.attributes.push_back({name, static_cast<std::int64_t>(n)});
  };
  count("count", all.total());
  count("zeros", all.zero_count());
  count("NaN", all.nan_count());
  count("+infinity", all.positive_infinity_count());
  count("-infinity", all.negative_infinity_count());
  warn_of_non_finite(artifact, all.nan_count(), all.positive_infinity_count(), all.negative_infinity_count(),
                     all.total());
  if (all.count() == 0) return;
  artifact.range = all.range();
  artifact.attributes.push_back({"mean", all.mean()});
  artifact.attributes.push_back({"standard deviation", all.standard_deviation()});
  artifact.attributes.push_back({"norm", finite_norm(all.moments())});
  artifact.attributes.push_back({"min", (all.min)()});
  artifact.attributes.push_back({"max", (all.max)()});
  for (const auto& [name, q] : {std::pair{"1 % quantile", 0.01}, {"median", 0.5}, {"99 % quantile", 0.99}}) {
    artifact.attributes.push_back({name, all.quantile(q)});
  }
}

inline int checked_bins(int bins, const char* what) {
  if (bins >= 1 && bins <= 65536) return bins;
  throw Error(ErrorCode::invalid_argument, std::string(what) + ": bins " + to_text(bins) + "; expected 1 to 65536");
}

inline Artifact histogram_artifact(const AnyView& values, const std::string& title, const HistogramOptions& options,
                                   const OverviewFeed& feed) {
  Artifact artifact;
  const Statistics all = statistics(values, {options.threads});
  add_statistics(artifact, all);
  feed.add(all.moments(), values);
  const std::shared_ptr<const Histogram> bins =
      std::make_shared<Histogram>(layerscope::histogram(values, options).histogram);
  artifact.parts.push_back({"histogram", *bins});
  HistogramChartOptions look;
  look.title = title;
  look.captions = {to_text(values.size()) + " numbers"};
  look.captions.insert(look.captions.end(), artifact.warnings.begin(), artifact.warnings.end());
  artifact.picture = Picture([bins, look] { return histogram_chart(*bins, look); });
  return artifact;
}

inline Artifact statistics_artifact(const AnyView& values, const std::optional<Layout>& layout, int threads,
                                    const OverviewFeed& feed) {
  Artifact artifact;
  const Statistics all = statistics(values, {threads});
  add_statistics(artifact, all);
  if (!layout) {
    feed.add(all.moments(), values);
    return artifact;
  }
  const ChannelStatistics channels = channel_statistics(values, *layout, {threads});
  const int sample_axis = layout->find('N');
  const std::int64_t samples = sample_axis < 0 ? 1 : values.extent(sample_axis);
  feed.add(all.moments(), values, dead_units(channels, samples, samples));
  const std::vector<std::int64_t> dead = channels.dead();
  std::vector<double> index, mean, deviation, smallest, largest, zero_fraction, is_dead;
  auto next_dead = dead.begin();
  for (std::int64_t channel = 0; channel < channels.channels(); ++channel) {
    const Moments& moments = channels[channel];
    const bool any = moments.count() > 0;
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    index.push_back(static_cast<double>(channel));
    mean.push_back(any ? moments.mean() : none);
    deviation.push_back(any ? moments.standard_deviation() : none);
    smallest.push_back(any ? (moments.min)() : none);
    largest.push_back(any ? (moments.max)() : none);
    zero_fraction.push_back(moments.zero_fraction());
    const bool now = next_dead != dead.end() && *next_dead == channel;
    is_dead.push_back(now ? 1 : 0);
    if (now) ++next_dead;
  }
  artifact.attributes.push_back({"channels", channels.channels()});
  artifact.attributes.push_back({"dead channels", static_cast<std::int64_t>(dead.size())});
  Table table;
  table.columns.push_back({"channel", std::move(index)});
  table.columns.push_back({"mean", std::move(mean)});
  table.columns.push_back({"standard deviation", std::move(deviation)});
  table.columns.push_back({"min", std::move(smallest)});
  table.columns.push_back({"max", std::move(largest)});
  table.columns.push_back({"zero fraction", std::move(zero_fraction)});
  table.columns.push_back({"dead", std::move(is_dead)});
  artifact.parts.push_back({"channels", std::move(table)});
  return artifact;
}

}  // namespace detail

/// Copying is cheaper than counting, so the worker counts; but what would take more than half of the queue is counted
/// right here, as a copy of it might never find room.
LAYERSCOPE_INLINE Status Snapshot::summarize(std::string_view kind, std::string_view name, const TensorRef& x,
                                             const Shape& shape, std::function<Artifact(const AnyView&, int)> summary,
                                             detail::OverviewFeed feed,
                                             std::function<void(std::vector<Artifact>&)> then) {
  const RecorderOptions& options = Recorder::options(*core_);
  Job job;
  job.kind = kind;
  job.name = name;
  job.step = step_;
  const auto bytes = static_cast<std::int64_t>(byte_count(DType::f32, shape));
  if (options.mode == Mode::synchronous || bytes > options.queue_bytes / 2) {
    job.run = [made = std::make_shared<Artifact>(summary(x.read(), options.threads)), feed = std::move(feed),
               then = std::move(then)](const JobInputs&) {
      std::vector<Artifact> artifacts;
      artifacts.push_back(std::move(*made));
      feed.finish(artifacts);
      if (then) then(artifacts);
      return artifacts;
    };
    return Recorder::submit(*core_, job, {});
  }
  job.run = [summary = std::move(summary), feed = std::move(feed), then = std::move(then)](const JobInputs& inputs) {
    std::vector<Artifact> artifacts;
    artifacts.push_back(summary(inputs.tensors[0].view(), inputs.threads));
    feed.finish(artifacts);
    if (then) then(artifacts);
    return artifacts;
  };
  const detail::LateInput input{&x, shape, {}};
  return Recorder::submit(*core_, job, {&input, 1});
}

LAYERSCOPE_INLINE Status Snapshot::histogram(std::string_view name, const TensorRef& x,
                                             const HistogramSnapshotOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "histogram", name, step_, [&] {
    const Shape shape = detail::shape_to_record(x, "histogram");
    HistogramOptions bins;
    bins.bins = detail::checked_bins(options.bins.value_or(bins.bins), "histogram");
    if (options.timeline_range) HistogramTimeline({.range = options.timeline_range});  // refuses what is no range
    const std::shared_ptr<void> kept =
        Recorder::keep(*core_, "histogram_timeline", name,
                       []() -> std::shared_ptr<void> { return std::make_shared<detail::KeptTimeline>(); });
    const auto timeline = std::static_pointer_cast<detail::KeptTimeline>(kept);
    const detail::OverviewFeed told = feed(name, options.role);
    const auto summary = [bins, title = detail::picture_title(name, step_), told, timeline, step = step_,
                          range = options.timeline_range](const AnyView& values, int threads) mutable {
      bins.threads = threads;
      timeline->add(step, values, range, threads);
      return detail::histogram_artifact(values, title, bins, told);
    };
    // The timeline is a job of its own, as it is written less often; one that can wait no longer is written at once.
    const auto then = [core = std::weak_ptr<Recorder::Core>(core_), timeline, name = std::string(name),
                       step = step_](std::vector<Artifact>& artifacts) {
      Job job;
      job.kind = "histogram_timeline";
      job.name = name;
      job.step = step;
      job.waiting = Waiting::join;
      job.run = [timeline, name](const JobInputs&) { return std::vector{detail::timeline_artifact(*timeline, name)}; };
      const std::shared_ptr<Recorder::Core> alive = core.lock();
      if (alive == nullptr || !Recorder::defer(*alive, job)) {
        artifacts.push_back(detail::timeline_artifact(*timeline, name));
      }
    };
    return summarize("histogram", name, x, shape, summary, told, then);
  });
}

LAYERSCOPE_INLINE Status Snapshot::statistics(std::string_view name, const TensorRef& x,
                                              const StatisticsSnapshotOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "statistics", name, step_, [&] {
    const Shape shape = detail::shape_to_record(x, "statistics");
    const std::optional<Layout> layout = options.layout      ? options.layout
                                         : shape.rank() == 1 ? std::nullopt
                                                             : detail::activation_layout(shape.rank());
    if (layout) detail::check_layout(*layout, shape, "statistics");
    const detail::OverviewFeed told = feed(name, options.role);
    const auto summary = [layout, told](const AnyView& values, int threads) {
      return detail::statistics_artifact(values, layout, threads, told);
    };
    return summarize("statistics", name, x, shape, summary, told);
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
