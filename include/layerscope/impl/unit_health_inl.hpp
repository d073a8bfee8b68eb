// Body of algorithms/unit_health.hpp.
#pragma once

#include <layerscope/algorithms/detail/symmetric_eigen.hpp>
#include <layerscope/algorithms/statistics.hpp>
#include <layerscope/algorithms/unit_health.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/impl/similarity_chart_inl.hpp>
#include <layerscope/impl/similarity_sums_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// Of the eigenvalues, which are squares of the singular values.
inline EffectiveRank rank_of(const std::vector<double>& eigenvalues) {
  EffectiveRank result;
  const double largest = eigenvalues.empty() ? 0 : std::sqrt((std::max)(0.0, eigenvalues.front()));
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  for (const double value : eigenvalues) {
    double singular = std::sqrt((std::max)(0.0, value));
    if (!(singular > 1e-7 * largest)) singular = 0;
    result.singular_values.push_back(singular);
    if (singular == 0) continue;
    ++result.rank;
    const double share = singular / largest;  // so that no power leaves the range
    sum += share;
    squares += share * share;
    fourth += share * share * share * share;
  }
  if (result.rank == 0) return result;
  double entropy = 0;
  for (const double singular : result.singular_values) {
    const double share = singular / largest / sum;
    if (share > 0) entropy -= share * std::log(share);
  }
  result.effective_rank = std::exp(entropy);
  result.participation_ratio = squares * squares / fourth;
  return result;
}

/// Σ zzᵀ of centred rows, both triangles, and how many of each column's numbers lie near a bound.
struct UnitSums {
  std::vector<double> scatter;
  std::vector<std::int64_t> near_bound;
};

inline UnitSums sum_units(const JointRows& rows, const UnitHealthOptions& options) {
  const std::int64_t units = rows.features();
  const auto u = static_cast<std::size_t>(units);
  UnitSums result{std::vector<double>(u * u), std::vector<std::int64_t>(u)};
  std::vector<double> origin(u), sums(u);
  const std::int64_t step = (std::clamp<std::int64_t>)((std::int64_t{1} << 17) / units, 256, 4096);
  std::vector<double> z(static_cast<std::size_t>((std::min)(step, rows.samples())) * u);
  const Range bounds = options.bounds.value_or(Range{});
  const double reach = options.margin * (bounds.max - bounds.min);
  for (std::int64_t first = 0; first < rows.samples(); first += step) {
    const std::int64_t count = (std::min)(step, rows.samples() - first);
    rows.read(0, first, count, z.data(), units);
    for (std::int64_t i = 0; options.bounds && i < count * units; ++i) {
      const double value = z[static_cast<std::size_t>(i)];
      const bool near = value <= bounds.min + reach || value >= bounds.max - reach;
      result.near_bound[static_cast<std::size_t>(i % units)] += near ? 1 : 0;
    }
    if (first == 0) {
      take_means_off(count, units, units, z.data(), origin.data());
    } else {
      for (std::int64_t i = 0; i < count * units; ++i) {
        z[static_cast<std::size_t>(i)] -= origin[static_cast<std::size_t>(i % units)];
      }
    }
    for (std::int64_t i = 0; i < count * units; ++i) {
      sums[static_cast<std::size_t>(i % units)] += z[static_cast<std::size_t>(i)];
    }
    add_symmetric_product(count, units, StridedMatrix<double>{z.data(), units}, result.scatter.data(), options.threads);
  }
  const auto n = static_cast<double>(rows.samples());
  for (std::size_t a = 0; a < u; ++a) {
    for (std::size_t b = a; b < u; ++b) {
      const double taken = sums[a] * sums[b] / n;
      double& value = result.scatter[a * u + b];
      // What rounding leaves of a unit that does not vary is no variance.
      value = a == b && value - taken <= 1e-14 * value ? 0 : value - taken;
      result.scatter[b * u + a] = value;
    }
  }
  return result;
}

/// Groups of two or more units that are linked by pairs beyond the correlation.
inline std::vector<std::vector<std::int64_t>> linked_units(const Tensor& correlation, double least) {
  const std::int64_t units = correlation.extent(0);
  std::vector<std::int64_t> leader(static_cast<std::size_t>(units));
  for (std::int64_t i = 0; i < units; ++i) leader[static_cast<std::size_t>(i)] = i;
  const auto find = [&](std::int64_t i) {
    while (leader[static_cast<std::size_t>(i)] != i) i = leader[static_cast<std::size_t>(i)];
    return i;
  };
  for (std::int64_t a = 0; a < units; ++a) {
    for (std::int64_t b = a + 1; b < units; ++b) {
      const double r = correlation.data<double>()[a * units + b];
      if (is_nan(r) || !(std::fabs(r) >= least)) continue;
      const std::int64_t x = find(a), y = find(b);
      leader[static_cast<std::size_t>((std::max)(x, y))] = (std::min)(x, y);
    }
  }
  std::vector<std::vector<std::int64_t>> all(static_cast<std::size_t>(units));
  for (std::int64_t i = 0; i < units; ++i) all[static_cast<std::size_t>(find(i))].push_back(i);
  std::erase_if(all, [](const auto& group) { return group.size() < 2; });
  return all;
}

inline void check_unit_health(const UnitHealthOptions& options) {
  const auto refuse = [](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, "unit_health: " + problem);
  };
  if (options.bounds && !(is_finite(options.bounds->min) && is_finite(options.bounds->max) &&
                          options.bounds->min < options.bounds->max)) {
    refuse("bounds " + to_text(options.bounds->min) + " to " + to_text(options.bounds->max) +
           "; expected finite ones, the first below the second");
  }
  if (!(options.margin > 0 && options.margin < 0.5)) {
    refuse("margin " + to_text(options.margin) + "; expected between 0 and 0.5");
  }
  for (const auto& [what, value] : {std::pair{"saturated_share", options.saturated_share},
                                    {"duplicate_correlation", options.duplicate_correlation}}) {
    if (!(value > 0 && value <= 1)) {
      refuse(std::string(what) + " " + to_text(value) + "; expected above 0, at most 1");
    }
  }
}

/// " (1, 7, 8)", or the first of them and how many more.
inline std::string listed(const std::vector<std::int64_t>& units) {
  std::string text;
  for (std::size_t i = 0; i < units.size() && i < 8; ++i) text += (i == 0 ? " (" : ", ") + to_text(units[i]);
  if (units.size() > 8) text += " … " + to_text(units.size() - 8) + " more";
  return text.empty() ? text : text + ")";
}

}  // namespace detail

LAYERSCOPE_INLINE EffectiveRank effective_rank(const AnyView& x, const EffectiveRankOptions& options) {
  const Representation given{"x", x};
  const detail::JointRows rows({&given, 1}, NonFiniteRows::error, "effective_rank");
  const std::int64_t n = rows.samples(), d = rows.features();
  std::vector<double> values(static_cast<std::size_t>(n * d));
  rows.read(0, 0, n, values.data(), d);
  if (options.centring == Centring::columns) {
    std::vector<double> means(static_cast<std::size_t>(d));
    detail::take_means_off(n, d, d, values.data(), means.data());
  }
  const std::int64_t side = (std::min)(n, d);
  std::vector<double> gram(static_cast<std::size_t>(side * side));
  if (d <= n) {
    symmetric_product(n, d, StridedMatrix<double>{values.data(), d}, gram.data(), options.threads);
  } else {
    symmetric_product(d, n, StridedMatrix<double>{values.data(), 1, d}, gram.data(), options.threads);
  }
  return detail::rank_of(detail::dense_eigenpairs(side, side, gram.data()).values);
}

LAYERSCOPE_INLINE UnitHealth unit_health(const AnyView& outputs, const Layout& layout,
                                         const UnitHealthOptions& options) {
  detail::check_unit_health(options);
  if (outputs.rank() == 0 || outputs.empty()) {
    throw Error(ErrorCode::empty,
                "unit_health: shape " + to_text(outputs.shape()) + "; expected at least one axis and one element");
  }
  const ChannelStatistics channels = channel_statistics(outputs, layout, {options.threads});  // checks the layout
  UnitHealth result;
  result.units = channels.channels();
  if (result.units > 2048) {
    throw Error(ErrorCode::invalid_argument, "unit_health: " + to_text(result.units) + " units; expected at most 2048");
  }
  result.dead = channels.dead();
  const std::vector<std::int64_t> constant = channels.dead(DeadRule::constant);
  std::set_difference(constant.begin(), constant.end(), result.dead.begin(), result.dead.end(),
                      std::back_inserter(result.constant));

  int axis = layout.find('C');
  if (axis < 0) axis = layout.find('O');
  if (axis < 0) axis = layout.find('D');
  std::vector<int> order;
  for (int i = 0; i < outputs.rank(); ++i) {
    if (i != axis) order.push_back(i);
  }
  order.push_back(axis);
  const AnyView turned = outputs.permute(order);
  const Shape shape{outputs.size() / result.units, result.units};
  const std::optional<AnyView> in_place = turned.reshape(shape);
  const AnyView matrix = in_place ? *in_place : *contiguous(turned, turned.dtype()).reshape(shape);
  const Representation given{"outputs", matrix};
  const detail::JointRows rows({&given, 1}, NonFiniteRows::drop, "unit_health");
  result.numbers = rows.samples();
  if (rows.dropped() > 0) {
    result.warnings.push_back(to_text(rows.dropped()) + " of " + to_text(shape[0]) +
                              " rows left out of correlations and rank for NaN or infinity");
  }
  const detail::UnitSums sums = detail::sum_units(rows, options);
  for (std::int64_t unit = 0; options.bounds && unit < result.units; ++unit) {
    const auto near = static_cast<double>(sums.near_bound[static_cast<std::size_t>(unit)]);
    if (near >= options.saturated_share * static_cast<double>(result.numbers)) result.saturated.push_back(unit);
  }
  result.correlation = Tensor(DType::f64, {result.units, result.units});
  double* const r = result.correlation.mutable_data<double>();
  const auto u = static_cast<std::size_t>(result.units);
  for (std::size_t a = 0; a < u; ++a) {
    for (std::size_t b = 0; b < u; ++b) {
      const double va = sums.scatter[a * u + a], vb = sums.scatter[b * u + b];
      r[a * u + b] = va == 0 || vb == 0 ? std::numeric_limits<double>::quiet_NaN()
                     : a == b           ? 1
                              : (std::clamp)(sums.scatter[a * u + b] / std::sqrt(va) / std::sqrt(vb), -1.0, 1.0);
    }
  }
  // The last digits of a correlation of 1 are rounding.
  result.duplicates = detail::linked_units(result.correlation, options.duplicate_correlation - 1e-12);
  result.rank = detail::rank_of(detail::dense_eigenpairs(result.units, result.units, sums.scatter.data()).values);
  return result;
}

LAYERSCOPE_INLINE std::string describe(const UnitHealth& of) {
  std::string text = to_text(of.units) + (of.units == 1 ? " unit" : " units");
  const auto add = [&](const std::vector<std::int64_t>& units, const char* what) {
    if (!units.empty()) text += ", " + to_text(units.size()) + what + detail::listed(units);
  };
  add(of.dead, " dead");
  add(of.constant, " constant");
  add(of.saturated, " saturated");
  if (!of.duplicates.empty()) {
    text += ", " + to_text(of.duplicates.size()) +
            (of.duplicates.size() == 1 ? " group of duplicates (" : " groups of duplicates (");
    for (std::size_t i = 0; i < of.duplicates.size() && i < 4; ++i) {
      text += i == 0 ? "" : "; ";
      for (std::size_t j = 0; j < of.duplicates[i].size() && j < 8; ++j) {
        if (j > 0) text += ' ';
        text += to_text(of.duplicates[i][j]);
      }
      if (of.duplicates[i].size() > 8) text += " …";
    }
    text += of.duplicates.size() > 4 ? "; …)" : ")";
  }
  return text + "; effective rank " + to_short_text(of.rank.effective_rank, 3) + ", participation ratio " +
         to_short_text(of.rank.participation_ratio, 3);
}

LAYERSCOPE_INLINE Image unit_health_chart(const UnitHealth& of, const UnitHealthChartOptions& options) {
  if (of.units < 1 || of.correlation.empty()) throw Error(ErrorCode::empty, "unit_health_chart: no units");
  std::vector<std::string> names;
  for (std::int64_t unit = 0; unit < of.units; ++unit) names.push_back(to_text(unit));
  const double* const r = of.correlation.data<double>();
  const std::vector<double> values(r, r + of.correlation.size());
  std::vector<std::string> captions{describe(of), to_text(of.numbers) + " numbers of each unit"};
  captions.insert(captions.end(), of.warnings.begin(), of.warnings.end());
  ColourBar bar;
  bar.colormap = Colormap::blue_white_red;
  bar.range = {-1, 1};
  bar.label = "correlation";
  return detail::draw_named_matrix(
      {names, names, values, options.title, "unit", "unit", std::move(captions), std::nullopt, bar});
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
