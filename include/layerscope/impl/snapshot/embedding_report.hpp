// What is told of an embedding: how well it keeps neighbourhoods, what changed since the step before, and where chosen
// points have been.
#pragma once

#include <layerscope/algorithms/embedding_change.hpp>
#include <layerscope/algorithms/embedding_quality.hpp>
#include <layerscope/algorithms/scatter.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/matched_rows.hpp>
#include <layerscope/impl/snapshot/embedding_state.hpp>
#include <layerscope/recorder.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Rows whose neighbours are compared: as many as are wanted, but no more than some seconds of one thread are good for.
inline std::int64_t affordable_quality_rows(std::int64_t wanted, std::int64_t rows, std::int64_t features) {
  constexpr double products = 4e9;  // each row drawn is compared with all others, in 4 searches and rankings
  const double affordable = products / 4 / static_cast<double>(rows) / static_cast<double>(features);
  return (std::min)(wanted, (std::max)(std::int64_t{100}, static_cast<std::int64_t>((std::min)(affordable, 1e9))));
}

inline void add_score(Artifact& artifact, const std::string& name, const QualityScore& score) {
  artifact.attributes.push_back({name, score.value});
  if (score.standard_error > 0) artifact.attributes.push_back({name + " standard error", score.standard_error});
}

inline std::string short_score(const QualityScore& score) {
  return to_short_text(score.value, 3);
}

/// Runs what may fail for numbers that the layout itself got over, such as those beyond float32.
template <class Measure>
void measure_or_warn(Artifact& artifact, const char* what, const Measure& measure) {
  try {
    measure();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    artifact.warnings.push_back(std::string(what) + " not measured: " + error.what());
  }
}

/// Attributes, and a line for the picture.
inline void add_quality(Artifact& artifact, ScatterOptions& look, const EmbeddingPlan& plan, const EmbeddingRows& rows,
                        const Tensor& coordinates, const JobInputs& inputs) {
  const std::int64_t n = rows.x.extent(0);
  if (plan.quality_rows == 0 || n < 3) return;
  EmbeddingQualityOptions options;
  const std::int64_t most = (n - 1) / 2;
  options.trustworthiness_neighbors = (std::min)(options.trustworthiness_neighbors, most);
  options.preservation_neighbors = (std::min)(options.preservation_neighbors, most);
  options.label_neighbors = (std::min)(options.label_neighbors, most);
  options.sample = affordable_quality_rows(plan.quality_rows, n, rows.x.extent(1));
  options.threads = inputs.threads;
  options.stop = inputs.stop;
  const EmbeddingQuality quality = embedding_quality(rows.x.view(), coordinates.view(), rows.labels, options);
  add_score(artifact, "trustworthiness", quality.trustworthiness);
  add_score(artifact, "continuity", quality.continuity);
  add_score(artifact, "neighbor preservation", quality.neighbor_preservation);
  if (quality.label_accuracy) add_score(artifact, "label accuracy", *quality.label_accuracy);
  artifact.attributes.push_back({"trustworthiness neighbors", quality.trustworthiness_neighbors});
  artifact.attributes.push_back({"preservation neighbors", quality.preservation_neighbors});
  artifact.attributes.push_back({"quality rows", quality.sampled_rows});
  std::string caption = "trustworthiness " + short_score(quality.trustworthiness) + ", continuity " +
                        short_score(quality.continuity) + ", neighbours kept " +
                        short_score(quality.neighbor_preservation);
  if (quality.label_accuracy) {
    caption += ", " + to_text(quality.label_neighbors) + "-NN accuracy " + short_score(*quality.label_accuracy);
  }
  if (quality.sampled_rows < n) caption += " (by " + to_text(quality.sampled_rows) + " rows)";
  look.captions.push_back(std::move(caption));
}

/// CKA with the sample kept of the first step, over the samples that are still there.
inline std::optional<double> cka_to_first(const EmbeddingState& state, const EmbeddingRows& rows,
                                          const JobInputs& inputs) {
  const EmbeddedRows first{state.first_x.view(), state.first_x.view(), state.first_ids};
  const EmbeddedRows now{rows.x.view(), rows.x.view(), rows.ids};
  const MatchedRows matched = match_rows(first, now);
  if (matched.now.size() < 3) return std::nullopt;
  return cka_of_rows(first.high, matched.before, now.high, matched.now, inputs.threads, inputs.stop);
}

/// Attributes, the most-moved samples as a table, and a line for the picture. Gives back those samples.
inline std::vector<MovedSample> add_change(Artifact& artifact, ScatterOptions& look, const EmbeddingPlan& plan,
                                           const EmbeddingRows& rows, const Tensor& coordinates,
                                           const EmbeddingState& state, const JobInputs& inputs) {
  if (plan.quality_rows == 0 || state.x.empty()) return {};
  const EmbeddedRows before{state.x.view(), state.coordinates.view(), state.ids, {}};
  const EmbeddedRows now{rows.x.view(), coordinates.view(), rows.ids, rows.labels};
  const std::int64_t last_step = state.past.back().step;
  if (state.x.extent(1) != rows.x.extent(1)) {
    artifact.warnings.push_back("change not measured: " + to_text(rows.x.extent(1)) + " features, " +
                                to_text(state.x.extent(1)) + " at step " + to_text(last_step));
    return {};
  }
  const std::size_t common = match_rows(before, now).now.size();
  if (common < 3) {
    artifact.warnings.push_back("change not measured: " + to_text(common) + " rows in common with step " +
                                to_text(last_step) + "; 3 are needed");
    return {};
  }
  EmbeddingChangeOptions options;
  options.neighbors = (std::min)(options.neighbors, (static_cast<std::int64_t>(common) - 1) / 2);
  options.sample = affordable_quality_rows(plan.quality_rows, rows.x.extent(0), rows.x.extent(1));
  options.cka_sample = (std::max)(std::int64_t{3}, options.sample);
  options.most_moved = (std::max)(options.most_moved, plan.trajectories.most_moved);
  options.threads = inputs.threads;
  options.stop = inputs.stop;
  EmbeddingChange change = embedding_change(before, now, options);
  artifact.attributes.push_back({"compared with step", last_step});
  artifact.attributes.push_back({"common rows", change.common_rows});
  artifact.attributes.push_back({"new rows", change.new_rows});
  artifact.attributes.push_back({"missing rows", change.missing_rows});
  artifact.attributes.push_back({"stability", change.stability});
  artifact.attributes.push_back({"stress", change.stress});
  add_score(artifact, "neighbor overlap", change.neighbor_jaccard);
  add_score(artifact, "layout overlap", change.layout_jaccard);
  add_score(artifact, "CKA", change.cka);
  std::string caption = "since step " + to_text(last_step) + ": stability " + to_short_text(change.stability, 3) +
                        ", neighbours in common " + short_score(change.neighbor_jaccard) + ", CKA " +
                        short_score(change.cka);
  if (const auto cka = cka_to_first(state, rows, inputs)) {
    artifact.attributes.push_back({"CKA to first step", *cka});
    artifact.attributes.push_back({"first step", state.first_step});
    if (state.first_step != last_step) {
      caption += " (" + to_short_text(*cka, 3) + " since step " + to_text(state.first_step) + ")";
    }
  }
  if (change.separation_before) artifact.attributes.push_back({"class separation before", *change.separation_before});
  if (change.separation) {
    artifact.attributes.push_back({"class separation", *change.separation});
    caption += ", separation " + to_short_text(*change.separation, 3);
  }
  look.captions.push_back(std::move(caption));
  std::vector<std::string> ids;  // exact, as numbers of a table are doubles
  std::vector<double> high, low;
  for (const MovedSample& sample : change.most_moved) {
    ids.push_back(to_text(sample.id));
    high.push_back(sample.high);
    low.push_back(sample.low);
  }
  artifact.parts.push_back(
      {"most moved", Table{{{"id", std::move(ids)}, {"moved", std::move(high)}, {"moved in layout", std::move(low)}}}});
  return std::move(change.most_moved);
}

/// Where chosen points have been, oldest first and as the last of `past` has them now: in the picture and as a table.
inline void add_trajectories(Artifact& artifact, ScatterOptions& look, const EmbeddingPlan& plan,
                             const EmbeddingRows& rows, const std::vector<MovedSample>& moved,
                             const std::deque<PastLayout>& past) {
  if (past.size() < 2) return;
  std::vector<std::int64_t> chosen = plan.trajectories.ids;
  if (chosen.empty()) {
    for (const MovedSample& sample : moved) {
      if (static_cast<std::int64_t>(chosen.size()) < plan.trajectories.most_moved) chosen.push_back(sample.id);
    }
  }
  std::unordered_map<std::int64_t, std::size_t> row_of;
  for (std::size_t row = 0; row < rows.ids.size(); ++row) row_of.emplace(rows.ids[row], row);
  std::vector<std::string> ids;
  std::vector<double> steps;
  std::array<std::vector<double>, 3> columns;
  std::size_t missing = 0;
  for (const std::int64_t id : chosen) {
    const auto row = row_of.find(id);
    if (row == row_of.end()) {
      ++missing;
      continue;
    }
    ScatterTrajectory line;
    line.name = "#" + to_text(id);
    if (!rows.labels.empty()) line.label = rows.labels[row->second];
    line.positions =
        Tensor(DType::f64, {static_cast<std::int64_t>(past.size()), static_cast<std::int64_t>(plan.dimensions)});
    double* out = line.positions.mutable_data<double>();
    for (const PastLayout& layout : past) {
      const auto at = layout.positions.find(id);
      for (std::size_t c = 0; c < plan.dimensions; ++c) {
        *out++ = at == layout.positions.end() ? std::numeric_limits<double>::quiet_NaN() : at->second[c];
      }
      if (at == layout.positions.end()) continue;
      ids.push_back(to_text(id));
      steps.push_back(static_cast<double>(layout.step));
      for (std::size_t c = 0; c < plan.dimensions; ++c) columns[c].push_back(at->second[c]);
    }
    look.trajectories.push_back(std::move(line));
  }
  if (missing > 0 && !plan.trajectories.ids.empty()) {
    artifact.warnings.push_back(to_text(missing) + " of " + to_text(chosen.size()) +
                                " samples whose trajectories are wanted have no row at this step");
  }
  if (look.trajectories.empty()) return;
  Table table{{{"id", std::move(ids)}, {"step", std::move(steps)}}};
  constexpr std::array<const char*, 3> axes{"x", "y", "z"};
  for (std::size_t c = 0; c < plan.dimensions; ++c) table.columns.push_back({axes[c], std::move(columns[c])});
  artifact.parts.push_back({"trajectories", std::move(table)});
  look.captions.push_back("lines: " + std::string(plan.trajectories.ids.empty() ? "the " : "") +
                          to_text(look.trajectories.size()) +
                          (plan.trajectories.ids.empty() ? " samples whose features moved most" : " samples chosen") +
                          ", from step " + to_text(past.front().step) + " on");
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
