// What iterative layouts share: neighbours and positions carried from the step before, and a budget of time.
#pragma once

#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/snapshot/embedding_state.hpp>
#include <layerscope/impl/stopwatch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <unordered_map>
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
