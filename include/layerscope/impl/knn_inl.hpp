// Body of algorithms/knn.hpp: options, choice of the method, results.
#pragma once

#include <layerscope/algorithms/knn.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/knn_approximate_inl.hpp>
#include <layerscope/impl/knn_exact_inl.hpp>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE const char* name(Metric metric) noexcept {
  switch (metric) {
    case Metric::euclidean: return "euclidean";
    case Metric::cosine: return "cosine";
    case Metric::correlation: return "correlation";
    case Metric::manhattan: return "manhattan";
  }
  return "unknown";
}

LAYERSCOPE_INLINE Metric metric_from_name(std::string_view text) {
  for (const Metric metric : {Metric::euclidean, Metric::cosine, Metric::correlation, Metric::manhattan}) {
    if (text == name(metric)) return metric;
  }
  throw Error(ErrorCode::invalid_argument,
              "metric \"" + std::string(text) + "\"; expected euclidean, cosine, correlation or manhattan");
}

LAYERSCOPE_INLINE const char* name(KnnMethod method) noexcept {
  switch (method) {
    case KnnMethod::automatic: return "automatic";
    case KnnMethod::exact: return "exact";
    case KnnMethod::approximate: return "approximate";
  }
  return "unknown";
}

namespace detail {

LAYERSCOPE_INLINE void check_knn_matrix(const AnyView& x, const char* matrix, const char* what) {
  if (x.rank() != 2) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": " + matrix + " has shape " + to_text(x.shape()) +
                                                 "; expected a matrix [rows, columns]");
  }
  if (x.empty()) {
    throw Error(ErrorCode::empty, std::string(what) + ": " + matrix + " has shape " + to_text(x.shape()) +
                                      "; at least one row and one column are expected");
  }
  if (x.extent(0) > (std::numeric_limits<std::int32_t>::max)()) {
    throw Error(ErrorCode::too_large, std::string(what) + ": " + matrix + " has " + to_text(x.extent(0)) +
                                          " rows; at most 2147483647 are expected");
  }
}

LAYERSCOPE_INLINE void check_initial(const AnyView& x, const KnnOptions& options) {
  if (options.recall_sample < 0) {
    throw Error(ErrorCode::invalid_argument,
                "knn: recall_sample is " + to_text(options.recall_sample) + "; expected 0 or more");
  }
  if (!options.initial) return;
  const AnyView& given = *options.initial;
  const bool whole = given.dtype() == DType::i32 || given.dtype() == DType::i64;
  if (!whole || given.rank() != 2 || given.extent(0) != x.extent(0)) {
    throw Error(ErrorCode::invalid_argument,
                std::string("knn: initial has type ") + name(given.dtype()) + " and shape " + to_text(given.shape()) +
                    "; expected int32 or int64 and " + to_text(x.extent(0)) + " rows, as the matrix has");
  }
}

/// Room for m rows of the neighbours asked for, of at most `most`.
LAYERSCOPE_INLINE Neighbors make_neighbors(std::int64_t m, std::int64_t most, const KnnOptions& options) {
  if (options.k < 1) {
    throw Error(ErrorCode::invalid_argument, "knn: k is " + to_text(options.k) + "; expected 1 or more");
  }
  Neighbors result;
  const std::int64_t k = (std::min)(options.k, most);
  if (k < options.k) {
    result.warnings.push_back("k " + to_text(options.k) + " exceeds the " + to_text(most) + " rows to choose from; " +
                              to_text(k) + " is used");
  }
  // Not touched before the results are written, when the memory of the search has been given back.
  const auto untouched = [&](DType type) {
    const Shape shape{m, k};
    return Tensor(type, shape, allocate_bytes(byte_count(type, shape)));
  };
  result.indices = untouched(DType::i32);
  result.distances = untouched(DType::f32);
  return result;
}

/// Positions among the rows kept, as rows of the matrix that was given.
LAYERSCOPE_INLINE void restore_indices(const std::vector<std::int64_t>& kept, Tensor& indices) {
  if (kept.empty()) return;
  std::int32_t* values = indices.mutable_data<std::int32_t>();
  for (std::int64_t i = 0; i < indices.size(); ++i) {
    values[i] = static_cast<std::int32_t>(kept[static_cast<std::size_t>(values[i])]);
  }
}

/// Whether a search of clusters takes less time than comparing all pairs, and the sentence that says so.
LAYERSCOPE_INLINE bool approximate_pays(const KnnRows& rows, std::int64_t k, std::string& reason) {
  const std::int64_t few_rows = (std::max)(std::int64_t{4096}, 64 * k);
  if (rows.rows() <= few_rows) {
    reason = "few rows";
    return false;
  }
  // Nanoseconds of one processor a row: a model set by hand, within a third of what docs/performance/knn.md found for
  // 5,000 to 70,000 rows of 10 to 784 columns.
  const double d = static_cast<double>(rows.columns());
  const double n = static_cast<double>(rows.rows());
  const double wanted = static_cast<double>(k);
  const bool products = rows.difference() == Difference::squared;
  const double searched = knn_sketch_pays(rows) ? static_cast<double>(knn_sketch_columns) : d;
  const double exact = n * (products ? 0.3 + 0.0105 * d : 0.3 + 0.035 * d) + wanted * (350 + 0.4 * d);
  const double approximate =
      2000 + 15 * d + std::sqrt(n) * (13 + (products ? 0.2 : 0.45) * searched) + wanted * (220 + 0.6 * d);
  const auto seconds = [&](double nanoseconds) { return to_short_text(nanoseconds * n * 1e-9, 2) + " s"; };
  reason =
      "all pairs would take about " + seconds(exact) + " of a processor, a search of clusters " + seconds(approximate);
  return approximate < exact;
}

/// Fraction of the exact neighbours of some rows that `found` has.
LAYERSCOPE_INLINE double estimate_recall(const KnnJob& job, const KnnOptions& options) {
  const std::int64_t n = job.data.rows();
  const std::vector<std::int64_t> drawn = Random(options.seed, 0x726563).sample(n, options.recall_sample);
  const std::vector<std::int32_t> ids(drawn.begin(), drawn.end());
  const Shape shape{n, job.k};
  Tensor indices(DType::i32, shape, allocate_bytes(byte_count(DType::i32, shape)));
  Tensor distances(DType::f32, shape, allocate_bytes(byte_count(DType::f32, shape)));
  KnnJob exact = job;
  exact.indices = indices.mutable_data<std::int32_t>();
  exact.distances = distances.mutable_data<float>();
  exact_neighbors(exact, ids);
  std::int64_t found = 0;
  for (const std::int32_t id : ids) {
    const float* const row = job.distances + id * job.k;
    const float limit = exact.distances[(id + 1) * job.k - 1];
    found += std::count_if(row, row + job.k, [&](float distance) { return distance <= limit; });
  }
  return static_cast<double>(found) / static_cast<double>(static_cast<std::int64_t>(ids.size()) * job.k);
}

}  // namespace detail

LAYERSCOPE_INLINE Neighbors knn(const AnyView& x, const KnnOptions& options) {
  detail::check_knn_matrix(x, "the matrix", "knn");
  detail::check_initial(x, options);
  detail::KnnRows rows(x, options.metric, options.non_finite, options.threads, "knn");
  rows.use_frame(rows.make_frame(rows.has_zero_rows()));
  const bool include = options.self == SelfNeighbor::include;
  Neighbors result = detail::make_neighbors(rows.rows(), rows.rows() - (include ? 0 : 1), options);
  result.dropped_rows = x.extent(0) - rows.rows();
  result.method = options.method;
  result.reason = "asked for";
  if (options.method == KnnMethod::automatic) {
    const bool pays = detail::approximate_pays(rows, result.indices.extent(1), result.reason);
    result.method = pays ? KnnMethod::approximate : KnnMethod::exact;
  }
  const detail::KnnJob job{rows,
                           rows,
                           true,
                           options.self,
                           result.indices.extent(1),
                           result.indices.mutable_data<std::int32_t>(),
                           result.distances.mutable_data<float>(),
                           options.threads,
                           options.progress,
                           options.stop};
  if (result.method == KnnMethod::approximate && job.k > 0) {
    const auto found = detail::KnnApproximate(job, options).run();
    result.clusters_searched = found.clusters;
    result.iterations = found.rounds;
    if (!found.reason.empty()) {
      result.method = KnnMethod::exact;
      result.reason += "; but all pairs were compared: " + found.reason;
    } else if (options.recall_sample > 0) {
      result.recall = detail::estimate_recall(job, options);
    }
  }
  if (result.method == KnnMethod::exact || job.k == 0) {
    result.rechecked_rows = detail::exact_neighbors(job, {});
    if (options.recall_sample > 0) result.recall = 1;
  }
  detail::restore_indices(rows.kept(), result.indices);
  result.rows = rows.kept();
  return result;
}

LAYERSCOPE_INLINE Neighbors knn(const AnyView& query, const AnyView& data, const KnnOptions& options) {
  detail::check_knn_matrix(query, "the query", "knn");
  detail::check_knn_matrix(data, "the data", "knn");
  if (query.extent(1) != data.extent(1)) {
    throw Error(ErrorCode::invalid_argument, "knn: the query has " + to_text(query.extent(1)) +
                                                 " columns; expected the " + to_text(data.extent(1)) + " of the data");
  }
  if (options.method == KnnMethod::approximate) {
    throw Error(ErrorCode::invalid_argument, "knn: method approximate for a query; expected exact or automatic");
  }
  detail::KnnRows queries(query, options.metric, options.non_finite, options.threads, "knn");
  detail::KnnRows rows(data, options.metric, options.non_finite, options.threads, "knn");
  const detail::KnnFrame frame = rows.make_frame(rows.has_zero_rows() || queries.has_zero_rows());
  rows.use_frame(frame);
  queries.use_frame(frame);
  Neighbors result = detail::make_neighbors(queries.rows(), rows.rows(), options);
  result.dropped_rows = query.extent(0) - queries.rows() + data.extent(0) - rows.rows();
  result.method = KnnMethod::exact;
  result.reason = options.method == KnnMethod::exact ? "asked for" : "a query is compared with every row";
  if (options.recall_sample > 0) result.recall = 1;
  const detail::KnnJob job{queries,
                           rows,
                           false,
                           SelfNeighbor::exclude,
                           result.indices.extent(1),
                           result.indices.mutable_data<std::int32_t>(),
                           result.distances.mutable_data<float>(),
                           options.threads,
                           options.progress,
                           options.stop};
  result.rechecked_rows = detail::exact_neighbors(job, {});
  detail::restore_indices(rows.kept(), result.indices);
  result.rows = queries.kept();
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
