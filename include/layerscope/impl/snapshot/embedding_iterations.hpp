// What iterative layouts share: neighbours and positions carried from the step before, and a budget of time.
#pragma once

#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/snapshot/embedding_state.hpp>
#include <layerscope/impl/stopwatch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// int64 [n, k]: the rows of this step that were the neighbours of each row at the step before, −1 where a sample of
/// the two is only in one step. Empty without a step before.
inline Tensor carried_neighbors(const EmbeddingIterations& before, const std::vector<std::int64_t>& ids) {
  if (before.ids.empty() || before.neighbors.indices.empty()) return {};
  std::unordered_map<std::int64_t, std::int64_t> row_of;
  for (std::size_t row = 0; row < ids.size(); ++row) row_of.emplace(ids[row], static_cast<std::int64_t>(row));
  const std::int64_t k = before.neighbors.indices.extent(1);
  Tensor carried(DType::i64, {static_cast<std::int64_t>(ids.size()), k});
  std::int64_t* const out = carried.mutable_data<std::int64_t>();
  std::fill_n(out, carried.size(), std::int64_t{-1});
  const auto now = [&](std::size_t old_row) {
    const auto found = row_of.find(before.ids[old_row]);
    return found == row_of.end() ? std::int64_t{-1} : found->second;
  };
  const std::int32_t* old = before.neighbors.indices.data<std::int32_t>();
  for (std::size_t r = 0; r < before.ids.size(); ++r, old += k) {
    const std::int64_t row = now(r);
    if (row < 0) continue;
    for (std::int64_t j = 0; j < k; ++j) out[row * k + j] = now(static_cast<std::size_t>(old[j]));
  }
  return carried;
}

/// float32 [n]: Jaccard overlap of the neighbours carried and those of now.
inline Tensor neighbor_overlaps(const Tensor& carried, const Neighbors& neighbors) {
  const std::int64_t n = neighbors.indices.extent(0), k = neighbors.indices.extent(1), old_k = carried.extent(1);
  Tensor overlaps(DType::f32, {n});
  std::vector<std::int64_t> a, b, both;
  for (std::int64_t r = 0; r < n; ++r) {
    const std::int64_t* const old = carried.data<std::int64_t>() + r * old_k;
    const std::int32_t* const now = neighbors.indices.data<std::int32_t>() + r * k;
    a.assign(old, old + old_k);
    std::erase(a, -1);
    b.assign(now, now + k);
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    both.clear();
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
    const std::size_t either = a.size() + b.size() - both.size();
    overlaps.mutable_data<float>()[r] = either == 0 ? 0 : static_cast<float>(both.size()) / static_cast<float>(either);
  }
  return overlaps;
}

/// Mean overlap of neighbours below which a step is laid out from scratch: started where the points were, it would keep
/// a structure that the data no longer have.
inline constexpr double least_overlap = 0.4;

/// The mean overlap of the neighbours of the rows that were there the step before, above what chance gives: 1 where
/// they are the same or no row was there, 0 for neighbours drawn at random.
inline double mean_overlap(const Tensor& carried, const Neighbors& neighbors) {
  const Tensor overlaps = neighbor_overlaps(carried, neighbors);
  const std::int64_t k = carried.extent(1);
  double sum = 0, rows = 0;
  for (std::int64_t r = 0; r < overlaps.size(); ++r) {
    const std::int64_t* const old = carried.data<std::int64_t>() + r * k;
    if (std::all_of(old, old + k, [](std::int64_t j) { return j < 0; })) continue;
    sum += static_cast<double>(overlaps.data<float>()[r]);
    ++rows;
  }
  if (rows == 0 || overlaps.size() < 2) return 1;
  const double drawn = (std::min)(1.0, static_cast<double>(k) / static_cast<double>(overlaps.size() - 1));
  const double chance = drawn / (2 - drawn);
  return chance < 1 ? (sum / rows - chance) / (1 - chance) : 1;
}

/// float32 [n] in (0, 1]: how firmly each row is held to where it was. It falls by `decades` powers of ten, evenly by
/// rank, from the sample that moved least among the features to the one that moved most; equal ones share their mean
/// rank. So the layout moves where the data do. Rows that were not there, or whose features are others now, have the
/// middle of it.
inline Tensor holds_by_displacement(const EmbeddingState& before, const EmbeddingRows& rows, double decades) {
  Tensor holds(DType::f32, {rows.x.extent(0)});
  std::fill_n(holds.mutable_data<float>(), holds.size(), static_cast<float>(std::pow(10, -decades / 2)));
  if (before.x.empty() || before.x.extent(1) != rows.x.extent(1)) return holds;
  const Tensor then = convert(before.x, DType::f64), now = convert(rows.x, DType::f64);
  const std::int64_t d = now.extent(1);
  std::unordered_map<std::int64_t, std::int64_t> row_of;
  for (std::size_t row = 0; row < before.ids.size(); ++row) {
    row_of.emplace(before.ids[row], static_cast<std::int64_t>(row));
  }
  std::vector<std::pair<double, std::int64_t>> moved;
  for (std::size_t row = 0; row < rows.ids.size(); ++row) {
    const auto found = row_of.find(rows.ids[row]);
    if (found == row_of.end()) continue;
    const double* const a = then.data<double>() + found->second * d;
    const double* const b = now.data<double>() + static_cast<std::int64_t>(row) * d;
    double squares = 0;
    for (std::int64_t c = 0; c < d; ++c) squares += (a[c] - b[c]) * (a[c] - b[c]);
    moved.emplace_back(squares, static_cast<std::int64_t>(row));
  }
  std::sort(moved.begin(), moved.end());
  for (std::size_t first = 0; first < moved.size();) {
    std::size_t last = first + 1;
    while (last < moved.size() && moved[last].first == moved[first].first) ++last;
    const double rank = static_cast<double>(first + last) / 2 / static_cast<double>(moved.size());
    const auto hold = static_cast<float>(std::pow(10, -decades * rank));
    for (; first < last; ++first) holds.mutable_data<float>()[moved[first].second] = hold;
  }
  return holds;
}

/// float32 [n, dimensions]: where each row lay, NaN where it was not there; and how many were.
inline Tensor carried_positions(const PastLayout& before, const std::vector<std::int64_t>& ids, std::size_t dimensions,
                                std::int64_t& common) {
  Tensor positions(DType::f32, {static_cast<std::int64_t>(ids.size()), static_cast<std::int64_t>(dimensions)});
  float* out = positions.mutable_data<float>();
  common = 0;
  for (const std::int64_t id : ids) {
    const auto old = before.positions.find(id);
    common += old == before.positions.end() ? 0 : 1;
    for (std::size_t c = 0; c < dimensions; ++c) {
      *out++ =
          old == before.positions.end() ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(old->second[c]);
    }
  }
  return positions;
}

/// Whether a layout that was to start where the points were has to be made from scratch, and says so.
inline void start_anew_if_changed(EmbeddingLayout& layout, const Tensor& carried, const Neighbors& neighbors) {
  if (!layout.continues || carried.empty()) return;
  const double overlap = mean_overlap(carried, neighbors);
  if (overlap >= least_overlap) return;
  layout.warnings.push_back("neighbours overlap by " + to_short_text((std::max)(overlap, 0.0), 2) +
                            " with those of the step before: laid out from scratch");
  layout.continues = false;
  layout.aligned = 0;
}

/// Positions of a tensor [n, dimensions] of float32.
inline std::vector<Position> positions_of(const Tensor& embedding) {
  std::vector<Position> positions(static_cast<std::size_t>(embedding.extent(0)));
  const float* from = embedding.data<float>();
  for (Position& position : positions) {
    for (std::int64_t c = 0; c < embedding.extent(1); ++c) position[static_cast<std::size_t>(c)] = *from++;
  }
  return positions;
}

/// Iterations until `planned` are done, a few at a time under a budget: at least as many as are looked at together.
template <class Done, class Run>
void run_within(const std::optional<double>& budget, const Stopwatch& watch, std::int64_t planned, const Done& done,
                const Run& run) {
  constexpr std::int64_t together = 5;
  if (!budget) {
    run(planned - done());
    return;
  }
  while (done() < planned) {
    run((std::min)(together, planned - done()));
    if (watch.seconds() >= *budget) break;
  }
}

/// What is told of an iterative layout.
struct IterationReport {
  std::string method;
  std::string start;  // "spectral", "layout before"
  std::int64_t done = 0;
  std::int64_t planned = 0;
  double neighbor_seconds = 0;
  double layout_seconds = 0;
  double seconds = 0;
};

inline void report_iterations(EmbeddingLayout& layout, const IterationReport& report) {
  layout.attributes.push_back({"method", report.method});
  layout.attributes.push_back({"start", report.start});
  layout.attributes.push_back({"iterations", report.done});
  layout.attributes.push_back({"iterations planned", report.planned});
  layout.attributes.push_back({"neighbor seconds", report.neighbor_seconds});
  layout.attributes.push_back({"layout seconds", report.layout_seconds});
  layout.attributes.push_back({"method seconds", report.seconds});
  layout.caption = report.method + "; " + to_text(report.done) + " iterations from " +
                   (report.start == "layout before" ? "the layout of the step before" : report.start);
  if (report.done < report.planned) {
    layout.warnings.push_back("the time budget ended after " + to_text(report.done) + " of " + to_text(report.planned) +
                              " iterations; the next step goes on");
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
