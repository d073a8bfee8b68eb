// Body of algorithms/embedding_quality.hpp.
#pragma once

#include <layerscope/algorithms/embedding_quality.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/knn_inl.hpp>
#include <layerscope/impl/knn_ranks_inl.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// One of the two matrices, and the nearest rows of those drawn.
struct QualitySide {
  QualitySide(const AnyView& x, const char* what, Metric metric, const EmbeddingQualityOptions& options)
      : rows(x, metric, NonFiniteRows::error, options.threads, what) {
    rows.use_frame(rows.make_frame(rows.has_zero_rows()));
  }

  void find(std::span<const std::int32_t> ids, std::int64_t k, const EmbeddingQualityOptions& options) {
    // Results go to the row of the query; memory of rows that were not drawn is never touched.
    const Shape shape{rows.rows(), k};
    Tensor indices(DType::i32, shape, allocate_bytes(byte_count(DType::i32, shape)));
    Tensor distances(DType::f32, shape, allocate_bytes(byte_count(DType::f32, shape)));
    const Progress none;
    const KnnJob job{rows,
                     rows,
                     true,
                     SelfNeighbor::exclude,
                     k,
                     indices.mutable_data<std::int32_t>(),
                     distances.mutable_data<float>(),
                     options.threads,
                     none,
                     options.stop};
    exact_neighbors(job, ids);
    nearest.reserve(ids.size() * static_cast<std::size_t>(k));
    for (const std::int32_t id : ids) {
      const std::int32_t* row = indices.data<std::int32_t>() + id * k;
      nearest.insert(nearest.end(), row, row + k);
    }
  }

  std::vector<std::int64_t> ranks(std::span<const std::int32_t> ids, std::span<const std::int32_t> targets,
                                  std::int64_t k, const EmbeddingQualityOptions& options) const {
    const Progress none;
    const KnnJob job{rows, rows, true, SelfNeighbor::exclude, k, nullptr, nullptr, options.threads, none, options.stop};
    return neighbor_ranks(job, ids, targets, k);
  }

  KnnRows rows;
  std::vector<std::int32_t> nearest;  ///< [ids, the largest k]
};

/// Mean of one number a row, with its standard error when the rows are some of n.
LAYERSCOPE_INLINE QualityScore mean_score(const std::vector<double>& scores, std::int64_t n) {
  const double m = static_cast<double>(scores.size());
  double sum = 0;
  for (const double score : scores) sum += score;
  const double mean = sum / m;
  double squares = 0;
  for (const double score : scores) squares += (score - mean) * (score - mean);
  const double left_out = 1 - m / static_cast<double>(n);
  const double error = m > 1 && left_out > 0 ? std::sqrt(squares / (m - 1) / m * left_out) : 0;
  return {mean, error};
}

/// The first k of each row's `stride` entries.
LAYERSCOPE_INLINE std::vector<std::int32_t> first_columns(const std::vector<std::int32_t>& from, std::int64_t stride,
                                                          std::int64_t k) {
  std::vector<std::int32_t> to;
  to.reserve(from.size());
  for (auto row = from.begin(); row != from.end(); row += stride) to.insert(to.end(), row, row + k);
  return to;
}

LAYERSCOPE_INLINE std::int64_t quality_neighbors(std::int64_t k, const char* what, std::int64_t n,
                                                 std::vector<std::string>& warnings) {
  if (k < 1) {
    throw Error(ErrorCode::invalid_argument,
                std::string("embedding_quality: ") + what + " is " + to_text(k) + "; expected 1 or more");
  }
  const std::int64_t most = (n - 1) / 2;
  if (k > most) {
    warnings.push_back(std::string(what) + " " + to_text(k) + " is not below half of the " + to_text(n) + " rows; " +
                       to_text(most) + " is used");
  }
  return (std::min)(k, most);
}

}  // namespace detail

LAYERSCOPE_INLINE EmbeddingQuality embedding_quality(const AnyView& high, const AnyView& low,
                                                     std::span<const std::int64_t> labels,
                                                     const EmbeddingQualityOptions& options) {
  using namespace detail;
  constexpr const char* what = "embedding_quality";
  check_knn_matrix(high, "the high-dimensional matrix", what);
  check_knn_matrix(low, "the layout", what);
  const std::int64_t n = high.extent(0);
  const auto refuse = [&](const std::string& message) {
    throw Error(ErrorCode::invalid_argument, "embedding_quality: " + message);
  };
  if (low.extent(0) != n) {
    refuse("the layout has " + to_text(low.extent(0)) + " rows; expected the " + to_text(n) +
           " of the high-dimensional matrix");
  }
  if (!labels.empty() && static_cast<std::int64_t>(labels.size()) != n) {
    refuse(to_text(labels.size()) + " labels; expected none or one for each of the " + to_text(n) + " rows");
  }
  if (n < 3) refuse(to_text(n) + " rows; expected 3 or more");
  if (options.sample < 1) refuse("sample is " + to_text(options.sample) + "; expected 1 or more");

  EmbeddingQuality quality;
  quality.rows = n;
  std::vector<std::string>& warnings = quality.warnings;
  const std::int64_t k = quality_neighbors(options.trustworthiness_neighbors, "trustworthiness_neighbors", n, warnings);
  const std::int64_t kept = quality_neighbors(options.preservation_neighbors, "preservation_neighbors", n, warnings);
  const std::int64_t voters = quality_neighbors(options.label_neighbors, "label_neighbors", n, warnings);
  quality.trustworthiness_neighbors = k;
  quality.preservation_neighbors = kept;
  quality.label_neighbors = voters;
  const std::vector<std::int64_t> drawn = Random(options.seed, 0x7175616C).sample(n, options.sample);
  const std::vector<std::int32_t> ids(drawn.begin(), drawn.end());
  quality.sampled_rows = static_cast<std::int64_t>(ids.size());

  const auto report = [&](double fraction, const char* stage) {
    throw_if_stopped(options.stop, what);
    if (options.progress) options.progress(fraction, stage);
  };
  const std::int64_t most = (std::max)({k, kept, voters});
  QualitySide above(high, what, options.metric, options);
  QualitySide below(low, what, Metric::euclidean, options);
  report(0.05, "neighbours");
  below.find(ids, most, options);
  above.find(ids, most, options);
  report(0.5, "ranks");
  const auto near_above = first_columns(above.nearest, most, k);
  const auto near_below = first_columns(below.nearest, most, k);
  const double scale = 2 / (static_cast<double>(k) * static_cast<double>(2 * n - 3 * k - 1));
  const auto score = [&](const std::vector<std::int64_t>& ranks) {
    std::vector<double> scores;
    for (auto row = ranks.begin(); row != ranks.end(); row += k) {
      std::int64_t excess = 0;
      for (auto rank = row; rank != row + k; ++rank) excess += (std::max)(std::int64_t{0}, *rank - k);
      scores.push_back(1 - scale * static_cast<double>(excess));
    }
    return mean_score(scores, n);
  };
  quality.trustworthiness = score(above.ranks(ids, near_below, k, options));
  report(0.9, "ranks");
  quality.continuity = score(below.ranks(ids, near_above, k, options));

  std::vector<double> preserved;
  std::vector<double> right;
  for (std::size_t r = 0; r < ids.size(); ++r) {
    const auto first_above = above.nearest.begin() + static_cast<std::ptrdiff_t>(r) * most;
    const auto first_below = below.nearest.begin() + static_cast<std::ptrdiff_t>(r) * most;
    std::vector<std::int32_t> a(first_above, first_above + kept);
    std::sort(a.begin(), a.end());
    const auto common = std::count_if(first_below, first_below + kept,
                                      [&](std::int32_t row) { return std::binary_search(a.begin(), a.end(), row); });
    preserved.push_back(static_cast<double>(common) / static_cast<double>(kept));
    if (labels.empty()) continue;
    std::map<std::int64_t, std::int64_t> votes;
    for (auto row = first_below; row != first_below + voters; ++row) ++votes[labels[static_cast<std::size_t>(*row)]];
    const auto winner =
        std::max_element(votes.begin(), votes.end(), [](const auto& x, const auto& y) { return x.second < y.second; });
    right.push_back(winner->first == labels[static_cast<std::size_t>(ids[r])] ? 1 : 0);
  }
  quality.neighbor_preservation = mean_score(preserved, n);
  if (!labels.empty()) quality.label_accuracy = mean_score(right, n);
  return quality;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
