// Body of algorithms/knn.hpp: options, choice of the method, results.
#pragma once

#include <layerscope/algorithms/knn.hpp>
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

}  // namespace detail

LAYERSCOPE_INLINE Neighbors knn(const AnyView& x, const KnnOptions& options) {
  detail::check_knn_matrix(x, "the matrix", "knn");
  detail::KnnRows rows(x, options.metric, options.non_finite, options.threads, "knn");
  rows.use_frame(rows.make_frame(rows.has_zero_rows()));
  const bool include = options.self == SelfNeighbor::include;
  Neighbors result = detail::make_neighbors(rows.rows(), rows.rows() - (include ? 0 : 1), options);
  result.dropped_rows = x.extent(0) - rows.rows();
  result.method = KnnMethod::exact;
  result.reason = options.method == KnnMethod::exact ? "asked for" : "every pair is compared";
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
  result.rechecked_rows = detail::exact_neighbors(job, {});
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
  detail::KnnRows queries(query, options.metric, options.non_finite, options.threads, "knn");
  detail::KnnRows rows(data, options.metric, options.non_finite, options.threads, "knn");
  const detail::KnnFrame frame = rows.make_frame(rows.has_zero_rows() || queries.has_zero_rows());
  rows.use_frame(frame);
  queries.use_frame(frame);
  Neighbors result = detail::make_neighbors(queries.rows(), rows.rows(), options);
  result.dropped_rows = query.extent(0) - queries.rows() + data.extent(0) - rows.rows();
  result.method = KnnMethod::exact;
  result.reason = options.method == KnnMethod::exact ? "asked for" : "every query is compared with every row";
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
