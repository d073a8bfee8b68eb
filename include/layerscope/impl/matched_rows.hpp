// Rows of two epochs that are the same samples, and how alike they are.
#pragma once

#include <layerscope/algorithms/embedding_change.hpp>
#include <layerscope/algorithms/similarity.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stop_token>
#include <unordered_map>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Rows of the earlier epoch beside the rows of the later one that are the same samples, by increasing later row.
struct MatchedRows {
  std::vector<std::int64_t> before;
  std::vector<std::int64_t> now;
};

inline std::int64_t id_of(const EmbeddedRows& rows, std::int64_t row) {
  return rows.ids.empty() ? row : rows.ids[static_cast<std::size_t>(row)];
}

inline MatchedRows match_rows(const EmbeddedRows& before, const EmbeddedRows& now) {
  std::unordered_map<std::int64_t, std::int64_t> rows;
  const std::int64_t n = before.high.extent(0);
  rows.reserve(static_cast<std::size_t>(n));
  for (std::int64_t r = 0; r < n; ++r) rows.emplace(id_of(before, r), r);
  MatchedRows matched;
  for (std::int64_t r = 0; r < now.high.extent(0); ++r) {
    const auto found = rows.find(id_of(now, r));
    if (found == rows.end()) continue;
    matched.before.push_back(found->second);
    matched.now.push_back(r);
    rows.erase(found);
  }
  return matched;
}

/// These rows of x, which itself is given back where they are all of its rows in order.
inline AnyView picked_rows(const AnyView& x, const std::vector<std::int64_t>& rows) {
  bool all = static_cast<std::int64_t>(rows.size()) == x.extent(0);
  for (std::size_t i = 0; all && i < rows.size(); ++i) all = rows[i] == static_cast<std::int64_t>(i);
  if (all) return x;
  const AnyView from = contiguous(x, x.dtype());
  Tensor picked(x.dtype(), {static_cast<std::int64_t>(rows.size()), x.extent(1)});
  const std::size_t line = static_cast<std::size_t>(x.extent(1)) * size_of(x.dtype());
  std::byte* out = picked.mutable_raw();
  for (const std::int64_t row : rows) {
    std::memcpy(out, static_cast<const std::byte*>(from.data()) + static_cast<std::size_t>(row) * line, line);
    out += line;
  }
  return picked.view();
}

/// Rows as float64, in units of a power of two near the largest magnitude: similarity() takes values up to 1e60.
inline Tensor scaled_rows(const AnyView& x, const std::vector<std::int64_t>& rows) {
  Tensor values(DType::f64, {static_cast<std::int64_t>(rows.size()), x.extent(1)});
  double* const first = values.mutable_data<double>();
  double* out = first;
  for (const std::int64_t row : rows) {
    convert_into(x.narrow(0, row, 1), DType::f64, out);
    out += x.extent(1);
  }
  double largest = 0;
  for (const double* value = first; value != out; ++value) largest = (std::max)(largest, std::fabs(*value));
  if (largest > 0) {
    const int exponent = -std::ilogb(largest);
    for (double* value = first; value != out; ++value) *value = std::ldexp(*value, exponent);
  }
  return values;
}

/// Linear CKA of these rows of x and those of y; 0 where one of the two is constant.
inline double cka_of_rows(const AnyView& x, const std::vector<std::int64_t>& x_rows, const AnyView& y,
                          const std::vector<std::int64_t>& y_rows, int threads, const std::stop_token& stop) {
  const Tensor a = scaled_rows(x, x_rows), b = scaled_rows(y, y_rows);
  const Representation first[] = {{"before", a.view()}}, second[] = {{"now", b.view()}};
  SimilarityOptions options;
  options.threads = threads;
  options.stop = stop;
  const double cka = similarity(first, second, SimilarityMeasure::linear_cka, options).values[0];
  return is_finite(cka) ? (std::clamp)(cka, 0.0, 1.0) : 0;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
