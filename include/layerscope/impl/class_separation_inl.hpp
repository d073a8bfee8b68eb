// Body of class_separation().
#pragma once

#include <layerscope/algorithms/embedding_change.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/knn_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE std::optional<double> class_separation(const AnyView& x, std::span<const std::int64_t> labels) {
  constexpr const char* what = "class_separation";
  detail::check_knn_matrix(x, "the matrix", what);
  const std::int64_t n = x.extent(0), d = x.extent(1);
  if (static_cast<std::int64_t>(labels.size()) != n) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": " + to_text(labels.size()) +
                                                 " labels; expected one for each of the " + to_text(n) + " rows");
  }
  struct Class {
    std::vector<double> centroid;
    double count = 0;
    double spread = 0;
  };
  std::map<std::int64_t, Class> classes;
  // One pass over the rows of a class, in units of the largest magnitude so that squares stay in range.
  std::vector<double> row(static_cast<std::size_t>(d));
  double largest = 0;
  const auto for_each_row = [&](const auto& take) {
    for (std::int64_t r = 0; r < n; ++r) {
      if (labels[static_cast<std::size_t>(r)] < 0) continue;
      convert_into(x.narrow(0, r, 1), DType::f64, row.data());
      take(r, labels[static_cast<std::size_t>(r)]);
    }
  };
  for_each_row([&](std::int64_t r, std::int64_t label) {
    for (std::int64_t c = 0; c < d; ++c) {
      const double value = row[static_cast<std::size_t>(c)];
      if (!is_finite(value)) {
        throw Error(ErrorCode::non_finite, std::string(what) + ": row " + to_text(r) + ", column " + to_text(c) +
                                               " is NaN or infinite; expected finite numbers");
      }
      largest = (std::max)(largest, std::fabs(value));
    }
    classes[label].count += 1;
  });
  if (classes.size() < 2 || !(largest > 0)) return std::nullopt;
  for (auto& [label, one] : classes) one.centroid.assign(static_cast<std::size_t>(d), 0.0);
  for_each_row([&](std::int64_t, std::int64_t label) {
    Class& one = classes[label];
    for (std::size_t c = 0; c < row.size(); ++c) one.centroid[c] += row[c] / largest / one.count;
  });
  const auto distance = [](const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t c = 0; c < a.size(); ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
    return std::sqrt(sum);
  };
  for_each_row([&](std::int64_t, std::int64_t label) {
    Class& one = classes[label];
    for (double& value : row) value /= largest;
    one.spread += distance(row, one.centroid) / one.count;
  });
  double sum = 0;
  for (const auto& [label, one] : classes) {
    double worst = 0;
    for (const auto& [other_label, other] : classes) {
      if (other_label == label) continue;
      const double apart = distance(one.centroid, other.centroid), spread = one.spread + other.spread;
      if (!(apart > 1e-14 * spread)) return 0.0;
      worst = (std::max)(worst, spread / apart);
    }
    sum += worst;
  }
  if (!(sum > 0)) return std::nullopt;
  return static_cast<double>(classes.size()) / sum;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
