// Body of Snapshot::scalar.
#pragma once

#include <layerscope/algorithms/line_chart.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// All values so far, by increasing step; kept on the callers' side, so that no value depends on the queue.
struct ScalarSeries {
  std::mutex mutex;
  std::vector<double> steps;
  std::vector<double> values;

  void add(std::int64_t step, double value) {
    const std::lock_guard lock(mutex);
    const auto x = static_cast<double>(step);
    const auto at = steps.empty() || steps.back() < x ? steps.end() : std::lower_bound(steps.begin(), steps.end(), x);
    const auto index = at - steps.begin();
    if (at != steps.end() && *at == x) {
      values[static_cast<std::size_t>(index)] = value;
      return;
    }
    steps.reserve(steps.size() == steps.capacity() ? 2 * steps.size() + 16 : 0);
    values.reserve(values.size() == values.capacity() ? 2 * values.size() + 16 : 0);
    steps.insert(steps.begin() + index, x);  // cannot throw any more, so that both stay as long as each other
    values.insert(values.begin() + index, value);
  }
};

inline std::vector<Artifact> scalar_artifact(ScalarSeries& series, const std::string& name) {
  Artifact artifact;
  artifact.retention = Retention::latest;
  const auto line = std::make_shared<Series>();
  line->name = name;
  {
    const std::lock_guard lock(series.mutex);
    line->x = series.steps;
    line->y = series.values;
  }
  std::uint64_t nan = 0, positive = 0, negative = 0;
  for (const double y : line->y) {
    if (is_finite(y)) {
      if (!artifact.range) artifact.range = Range{y, y};
      artifact.range->min = (std::min)(artifact.range->min, y);
      artifact.range->max = (std::max)(artifact.range->max, y);
    } else {
      ++(is_nan(y) ? nan : sign_bit(y) ? negative : positive);
    }
  }
  warn_of_non_finite(artifact, nan, positive, negative, line->y.size());
  artifact.parts.push_back({"series", *line});
  line->name.clear();  // the title of the chart says it
  artifact.attributes.push_back({"count", static_cast<std::int64_t>(line->y.size())});
  if (artifact.range) {
    LineChartOptions look;
    look.title = name;
    look.x_label = "step";
    look.captions = artifact.warnings;
    artifact.picture = Picture([line = std::shared_ptr<const Series>(line), look] { return line_chart(*line, look); });
  }
  return {std::move(artifact)};
}

}  // namespace detail

LAYERSCOPE_INLINE Status Snapshot::scalar(std::string_view name, double value) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "scalar", name, step_, [&] {
    const auto make = []() -> std::shared_ptr<void> { return std::make_shared<detail::ScalarSeries>(); };
    const std::shared_ptr<void> kept = Recorder::keep(*core_, "scalar", name, make);
    auto series = std::static_pointer_cast<detail::ScalarSeries>(kept);
    series->add(step_, value);
    Job job;
    job.kind = "scalar";
    job.name = name;
    job.step = step_;
    job.waiting = Waiting::join;
    job.run = [series = std::move(series), name = job.name](const JobInputs&) {
      return detail::scalar_artifact(*series, name);
    };
    return Recorder::submit(*core_, job, {});
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
