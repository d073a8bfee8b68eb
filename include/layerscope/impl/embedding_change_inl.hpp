// Body of algorithms/embedding_change.hpp.
#pragma once

#include <layerscope/algorithms/embedding_change.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/embedding_quality_inl.hpp>
#include <layerscope/impl/matched_rows.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// How far each row moved.
inline std::vector<double> displacements(const AnyView& before, const AnyView& now, int threads) {
  const std::int64_t n = now.extent(0), d = now.extent(1);
  std::vector<double> moved(static_cast<std::size_t>(n));
  constexpr std::int64_t block = 64;
  parallel_for((n + block - 1) / block, threads, [&](std::int64_t b) {
    const std::int64_t first = b * block, count = (std::min)(block, n - first);
    const Tensor old = convert(before.narrow(0, first, count), DType::f64);
    const Tensor young = convert(now.narrow(0, first, count), DType::f64);
    const double* x = old.data<double>();
    const double* y = young.data<double>();
    for (std::int64_t r = 0; r < count; ++r, x += d, y += d) {
      double sum = 0;
      for (std::int64_t c = 0; c < d; ++c) sum += (y[c] - x[c]) * (y[c] - x[c]);
      moved[static_cast<std::size_t>(first + r)] = std::sqrt(sum);
    }
  });
  return moved;
}

/// Ranks from 0, equal numbers sharing the mean of theirs.
inline std::vector<double> mean_ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first + 1;
    while (end < order.size() && values[order[end]] <= values[order[first]]) ++end;
    for (std::size_t i = first; i < end; ++i) ranks[order[i]] = static_cast<double>(first + end - 1) / 2;
    first = end;
  }
  return ranks;
}

inline double spearman(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> x = mean_ranks(a), y = mean_ranks(b);
  const double mean = static_cast<double>(a.size() - 1) / 2;  // of ranks, whatever ties there are
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx > 0 && yy > 0 ? (std::clamp)(xy / std::sqrt(xx * yy), -1.0, 1.0) : 0;
}

/// Divides by the largest, so that squares stay in range.
inline void to_unit_maximum(std::vector<double>& values) {
  const double largest = *std::max_element(values.begin(), values.end());
  if (largest > 0) {
    for (double& value : values) value /= largest;
  }
}

inline double displacement_stress(std::vector<double> high, std::vector<double> low) {
  to_unit_maximum(high);
  to_unit_maximum(low);
  double hh = 0, ll = 0, hl = 0;
  for (std::size_t i = 0; i < high.size(); ++i) {
    hh += high[i] * high[i];
    ll += low[i] * low[i];
    hl += high[i] * low[i];
  }
  if (!(hh > 0)) return 0;
  return ll > 0 ? (std::clamp)(1 - hl / hh * (hl / ll), 0.0, 1.0) : 1;  // the best s is hl / ll
}

/// The mean overlap of the nearest rows of those drawn.
inline QualityScore mean_jaccard(const QualitySide& before, const QualitySide& now, std::size_t k, std::int64_t n) {
  std::vector<double> scores;
  for (std::size_t first = 0; first < now.nearest.size(); first += k) {
    const auto a = before.nearest.begin() + static_cast<std::ptrdiff_t>(first);
    const auto b = now.nearest.begin() + static_cast<std::ptrdiff_t>(first);
    std::vector<std::int32_t> old(a, a + static_cast<std::ptrdiff_t>(k));
    std::sort(old.begin(), old.end());
    const auto common = std::count_if(b, b + static_cast<std::ptrdiff_t>(k), [&](std::int32_t row) {
      return std::binary_search(old.begin(), old.end(), row);
    });
    scores.push_back(static_cast<double>(common) / static_cast<double>(2 * static_cast<std::ptrdiff_t>(k) - common));
  }
  return mean_score(scores, n);
}

/// CKA over the rows drawn, and the jackknife's standard error where they are not all.
inline QualityScore sampled_cka(const AnyView& before, const AnyView& now, const std::vector<std::int64_t>& drawn,
                                int threads, const std::stop_token& stop) {
  const auto over = [&](const std::vector<std::int64_t>& rows) {
    return cka_of_rows(before, rows, now, rows, threads, stop);
  };
  const std::int64_t n = now.extent(0), m = static_cast<std::int64_t>(drawn.size());
  QualityScore score{over(drawn), 0};
  if (m == n) return score;
  const std::int64_t groups = (std::min<std::int64_t>)(10, m / 2);
  std::vector<double> without;
  for (std::int64_t g = 0; g < groups; ++g) {
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < m; ++i) {
      if (i % groups != g) rows.push_back(drawn[static_cast<std::size_t>(i)]);
    }
    without.push_back(over(rows));
  }
  const double count = static_cast<double>(without.size());
  const double mean = std::accumulate(without.begin(), without.end(), 0.0) / count;
  double squares = 0;
  for (const double value : without) squares += (value - mean) * (value - mean);
  const double left_out = 1 - static_cast<double>(m) / static_cast<double>(n);
  score.standard_error = std::sqrt(squares * (count - 1) / count * left_out);
  return score;
}

inline void check_embedded_rows(const EmbeddedRows& rows, const char* when) {
  constexpr const char* what = "embedding_change";
  const std::string high = std::string("the rows ") + when, low = std::string("the layout ") + when;
  check_knn_matrix(rows.high, high.c_str(), what);
  check_knn_matrix(rows.low, low.c_str(), what);
  const std::int64_t n = rows.high.extent(0);
  const auto refuse = [](const std::string& message) {
    throw Error(ErrorCode::invalid_argument, "embedding_change: " + message);
  };
  if (rows.low.extent(0) != n) {
    refuse(low + " has " + to_text(rows.low.extent(0)) + " rows; expected the " + to_text(n) + " that were embedded");
  }
  const auto check_count = [&](std::size_t count, const char* name) {
    if (count != 0 && static_cast<std::int64_t>(count) != n) {
      refuse(to_text(count) + " " + name + " " + when + "; expected none or one for each of the " + to_text(n) +
             " rows");
    }
  };
  check_count(rows.ids.size(), "ids");
  check_count(rows.labels.size(), "labels");
}

inline void check_change_options(const EmbeddingChangeOptions& options) {
  const auto at_least = [](std::int64_t value, std::int64_t least, const char* name) {
    if (value < least) {
      throw Error(ErrorCode::invalid_argument, std::string("embedding_change: ") + name + " is " + to_text(value) +
                                                   "; expected " + to_text(least) + " or more");
    }
  };
  at_least(options.neighbors, 1, "neighbors");
  at_least(options.most_moved, 0, "most_moved");
  at_least(options.sample, 1, "sample");
  at_least(options.cka_sample, 3, "cka_sample");
}

}  // namespace detail

LAYERSCOPE_INLINE EmbeddingChange embedding_change(const EmbeddedRows& before, const EmbeddedRows& now,
                                                   const EmbeddingChangeOptions& options) {
  using namespace detail;
  constexpr const char* what = "embedding_change";
  check_change_options(options);
  check_embedded_rows(before, "before");
  check_embedded_rows(now, "now");
  for (const auto& [old, young, name] : {std::tuple{&before.high, &now.high, "features"},
                                         std::tuple{&before.low, &now.low, "dimensions of the layout"}}) {
    if (old->extent(1) != young->extent(1)) {
      throw Error(ErrorCode::invalid_argument, std::string(what) + ": " + to_text(young->extent(1)) + " " + name +
                                                   "; expected the " + to_text(old->extent(1)) + " of before");
    }
  }
  const MatchedRows matched = match_rows(before, now);
  const auto n = static_cast<std::int64_t>(matched.now.size());
  if (n < 3) {
    throw Error(ErrorCode::invalid_argument,
                std::string(what) + ": " + to_text(n) + " rows in common; expected 3 or more");
  }
  const auto report = [&](double fraction, const char* stage) {
    throw_if_stopped(options.stop, what);
    if (options.progress) options.progress(fraction, stage);
  };

  EmbeddingChange change;
  change.common_rows = n;
  change.new_rows = now.high.extent(0) - n;
  change.missing_rows = before.high.extent(0) - n;
  const AnyView old_high = picked_rows(before.high, matched.before), old_low = picked_rows(before.low, matched.before);
  const AnyView high = picked_rows(now.high, matched.now), low = picked_rows(now.low, matched.now);

  // Neighbours first, as reading the rows for them finds what is not finite.
  report(0, "neighbours");
  change.neighbors = (std::min)(options.neighbors, (n - 1) / 2);
  if (change.neighbors < options.neighbors) {
    change.warnings.push_back("neighbors " + to_text(options.neighbors) + " is not below half of the " + to_text(n) +
                              " common rows; " + to_text(change.neighbors) + " is used");
  }
  const std::vector<std::int64_t> drawn = Random(options.seed, 0x6368616E).sample(n, options.sample);
  const std::vector<std::int32_t> ids(drawn.begin(), drawn.end());
  change.sampled_rows = static_cast<std::int64_t>(ids.size());
  EmbeddingQualityOptions search;
  search.threads = options.threads;
  search.stop = options.stop;
  const auto jaccard = [&](const AnyView& old, const AnyView& young, Metric metric, const char* rows) {
    const std::string before_what = std::string(what) + ", " + rows + " before";
    const std::string now_what = std::string(what) + ", " + rows + " now";
    QualitySide was(old, before_what.c_str(), metric, search);
    QualitySide is(young, now_what.c_str(), metric, search);
    was.find(ids, change.neighbors, search);
    is.find(ids, change.neighbors, search);
    return mean_jaccard(was, is, static_cast<std::size_t>(change.neighbors), n);
  };
  change.neighbor_jaccard = jaccard(old_high, high, options.metric, "common rows");
  change.layout_jaccard = jaccard(old_low, low, Metric::euclidean, "layout of the common rows");

  report(0.5, "displacements");
  const std::vector<double> moved_high = displacements(old_high, high, options.threads);
  const std::vector<double> moved_low = displacements(old_low, low, options.threads);
  change.stability = spearman(moved_high, moved_low);
  change.stress = displacement_stress(moved_high, moved_low);
  std::vector<std::int64_t> order(matched.now.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto most = (std::min)(static_cast<std::ptrdiff_t>(options.most_moved), static_cast<std::ptrdiff_t>(n));
  const auto moved = [&](std::int64_t i) {
    const std::int64_t row = matched.now[static_cast<std::size_t>(i)];
    return MovedSample{id_of(now, row), row, moved_high[static_cast<std::size_t>(i)],
                       moved_low[static_cast<std::size_t>(i)]};
  };
  std::partial_sort(order.begin(), order.begin() + most, order.end(), [&](std::int64_t a, std::int64_t b) {
    const MovedSample x = moved(a), y = moved(b);
    return x.high != y.high ? x.high > y.high : x.id < y.id;
  });
  for (auto i = order.begin(); i != order.begin() + most; ++i) change.most_moved.push_back(moved(*i));

  report(0.6, "CKA");
  const std::int64_t fitting = (std::max<std::int64_t>)(3, (std::int64_t{1} << 24) / high.extent(1));
  const auto rows = Random(options.seed, 0x636B61).sample(n, (std::min)(options.cka_sample, fitting));
  change.cka_rows = static_cast<std::int64_t>(rows.size());
  change.cka = sampled_cka(old_high, high, rows, options.threads, options.stop);

  if (!now.labels.empty()) {
    std::vector<std::int64_t> labels;
    for (const std::int64_t row : matched.now) labels.push_back(now.labels[static_cast<std::size_t>(row)]);
    change.separation_before = class_separation(old_low, labels);
    change.separation = class_separation(low, labels);
  }
  return change;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
