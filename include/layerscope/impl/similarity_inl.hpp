// Body of algorithms/similarity.hpp: the measures.
#pragma once

#include <layerscope/algorithms/similarity.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/impl/similarity_sums_inl.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE const char* name(SimilarityMeasure measure) noexcept {
  switch (measure) {
    case SimilarityMeasure::linear_cka: return "linear CKA";
    case SimilarityMeasure::debiased_cka: return "debiased CKA";
    case SimilarityMeasure::procrustes: return "Procrustes distance";
  }
  return "unknown";
}

namespace detail {

/// Of products of samples: the Gram matrix of each layer; for Procrustes, X turned so that it has n features at most.
class SampleSums final : public SimilaritySums {
 public:
  SampleSums(const JointRows& rows, SimilarityMeasure measure, const SimilarityOptions& options)
      : n_(rows.samples()), threads_(options.threads) {
    for (std::size_t layer = 0; layer < rows.layers(); ++layer) {
      throw_if_stopped(options.stop, "similarity");
      const std::int64_t features = rows.features(layer);
      std::vector<double> x(static_cast<std::size_t>(n_ * features));
      rows.read(layer, 0, n_, x.data(), features);
      std::vector<double> origin(static_cast<std::size_t>(features));
      take_means_off(n_, features, features, x.data(), origin.data());
      variances_.push_back(sum_in_blocks([&](std::size_t at) { return x[at] * x[at]; }, x.size()));
      if (measure == SimilarityMeasure::procrustes) {
        add_factor(std::move(x), features);
      } else {
        add_gram(x, features);
      }
    }
  }

  std::int64_t samples() const noexcept override { return n_; }
  double variance(std::size_t i) const override { return variances_[i]; }

  double product(SimilarityMeasure measure, std::size_t i, std::size_t j) const override {
    switch (measure) {
      case SimilarityMeasure::linear_cka: return cross(i, j);
      case SimilarityMeasure::debiased_cka: return unbiased_hsic(terms(i, j), n_);
      case SimilarityMeasure::procrustes: break;
    }
    const std::int64_t rows = width(i), columns = width(j);
    std::vector<double> product(static_cast<std::size_t>(rows * columns));
    matmul(rows, columns, n_, {factors_[i].data(), 1, rows}, {factors_[j].data(), columns}, product.data(), columns,
           threads_);
    return nuclear_norm(rows, columns, std::move(product));
  }

 private:
  void add_gram(const std::vector<double>& x, std::int64_t features) {
    std::vector<double>& gram = grams_.emplace_back(static_cast<std::size_t>(n_ * n_));
    symmetric_product(features, n_, StridedMatrix<double>{x.data(), 1, features}, gram.data(), threads_);
    std::vector<double>& row_sums = row_sums_.emplace_back(static_cast<std::size_t>(n_));
    for (std::int64_t i = 0; i < n_; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < n_; ++j) sum += i == j ? 0 : gram[static_cast<std::size_t>(i * n_ + j)];
      row_sums[static_cast<std::size_t>(i)] = sum;
    }
  }

  /// X, or X·Qᵀ of orthonormal rows Q that span its rows.
  void add_factor(std::vector<double> x, std::int64_t features) {
    if (features <= n_) {
      factors_.push_back(std::move(x));
      return;
    }
    std::vector<double> rows = x;
    orthonormalize_rows(n_, features, rows.data(), threads_);
    std::vector<double>& factor = factors_.emplace_back(static_cast<std::size_t>(n_ * n_));
    matmul(n_, n_, features, {x.data(), features}, {rows.data(), 1, features}, factor.data(), n_, threads_);
  }

  std::int64_t width(std::size_t i) const noexcept { return static_cast<std::int64_t>(factors_[i].size()) / n_; }

  double cross(std::size_t i, std::size_t j) const {
    return sum_in_blocks([&](std::size_t at) { return grams_[i][at] * grams_[j][at]; }, grams_[i].size());
  }

  HsicTerms terms(std::size_t i, std::size_t j) const {
    HsicTerms terms;
    double diagonal = 0;
    for (std::int64_t k = 0; k < n_; ++k) {
      const auto at = static_cast<std::size_t>(k * (n_ + 1));
      const auto row = static_cast<std::size_t>(k);
      diagonal += grams_[i][at] * grams_[j][at];
      terms.rows += row_sums_[i][row] * row_sums_[j][row];
      terms.sum_x += row_sums_[i][row];
      terms.sum_y += row_sums_[j][row];
    }
    terms.products = cross(i, j) - diagonal;
    return terms;
  }

  std::int64_t n_;
  int threads_;
  std::vector<double> variances_;
  std::vector<std::vector<double>> grams_;
  std::vector<std::vector<double>> row_sums_;  // without the diagonal
  std::vector<std::vector<double>> factors_;   // [n, at most n]
};

/// Of products of features: what a SimilarityAccumulator has summed up.
class FeatureSums final : public SimilaritySums {
 public:
  struct Given {
    std::int64_t samples;
    const std::vector<std::int64_t>& begins;
    const std::vector<double>&sums, &scatter, &norms, &squares, &cubes;
  };
  explicit FeatureSums(const Given& given) : given_(given), d_(given.begins.back()) {}

  std::int64_t samples() const noexcept override { return given_.samples; }

  double variance(std::size_t i) const override {
    double sum = given_.norms[i];
    for (std::int64_t c = begin(i); c < begin(i + 1); ++c) {
      sum -= given_.sums[at(c)] * given_.sums[at(c)] / static_cast<double>(given_.samples);
    }
    // A constant feature is exactly 0 off its origin.
    return sum > 1e-14 * given_.norms[i] ? sum : 0;
  }

  double product(SimilarityMeasure measure, std::size_t i, std::size_t j) const override {
    switch (measure) {
      case SimilarityMeasure::linear_cka: return cross(i, j);
      case SimilarityMeasure::debiased_cka: return unbiased_hsic(terms(i, j), given_.samples);
      case SimilarityMeasure::procrustes: break;
    }
    const std::int64_t rows = begin(i + 1) - begin(i);
    const std::int64_t columns = begin(j + 1) - begin(j);
    std::vector<double> product;
    product.reserve(static_cast<std::size_t>(rows * columns));
    for (std::int64_t a = begin(i); a < begin(i + 1); ++a) {
      for (std::int64_t b = begin(j); b < begin(j + 1); ++b) product.push_back(centred(a, b));
    }
    return nuclear_norm(rows, columns, std::move(product));
  }

 private:
  double cross(std::size_t i, std::size_t j) const {
    if (variance(i) == 0 || variance(j) == 0) return 0;
    double sum = 0;
    for (std::int64_t a = begin(i); a < begin(i + 1); ++a) {
      double row = 0;
      for (std::int64_t b = begin(j); b < begin(j + 1); ++b) row += centred(a, b) * centred(a, b);
      sum += row;
    }
    return sum;
  }

  HsicTerms terms(std::size_t i, std::size_t j) const {
    const std::size_t layers = given_.norms.size();
    const double norms = given_.squares[i * layers + j];
    HsicTerms terms;
    double through = 0;  // s_xᵀ(XᵀY)s_y
    for (std::int64_t a = begin(i); a < begin(i + 1); ++a) {
      double row = 0;
      double squares = 0;
      for (std::int64_t b = begin(j); b < begin(j + 1); ++b) {
        const double value = scatter(a, b);
        squares += value * value;
        row += value * given_.sums[at(b)];
      }
      terms.products += squares;
      through += given_.sums[at(a)] * row;
    }
    terms.products -= norms;
    // Without the diagonal, a row of the Gram matrix sums up to x·s_x − ‖x‖².
    terms.rows = through - cube(i, j) - cube(j, i) + norms;
    terms.sum_x = off_diagonal(i);
    terms.sum_y = off_diagonal(j);
    return terms;
  }

  static std::size_t at(std::int64_t feature) noexcept { return static_cast<std::size_t>(feature); }
  std::int64_t begin(std::size_t layer) const noexcept { return given_.begins[layer]; }
  double scatter(std::int64_t a, std::int64_t b) const noexcept {
    return given_.scatter[at((std::min)(a, b) * d_ + (std::max)(a, b))];
  }
  double centred(std::int64_t a, std::int64_t b) const noexcept {
    return scatter(a, b) - given_.sums[at(a)] * given_.sums[at(b)] / static_cast<double>(given_.samples);
  }
  /// Σ ‖x‖² (y·s_y).
  double cube(std::size_t x, std::size_t y) const noexcept {
    double sum = 0;
    for (std::int64_t c = begin(y); c < begin(y + 1); ++c) {
      sum += given_.cubes[x * at(d_) + at(c)] * given_.sums[at(c)];
    }
    return sum;
  }
  double off_diagonal(std::size_t i) const noexcept {
    double sum = 0;
    for (std::int64_t c = begin(i); c < begin(i + 1); ++c) sum += given_.sums[at(c)] * given_.sums[at(c)];
    return sum - given_.norms[i];
  }

  Given given_;
  std::int64_t d_;
};

struct SimilarityAccess {
  static FeatureSums sums(const SimilarityAccumulator& of) {
    return FeatureSums({of.samples_, of.begins_, of.sums_, of.scatter_, of.norms_, of.squares_, of.cubes_});
  }
};

/// a / √(b·c), where b·c may leave the range of double.
inline double ratio(double a, double b, double c) noexcept {
  return a / std::sqrt(b) / std::sqrt(c);
}

inline void check_samples(std::int64_t samples, SimilarityMeasure measure) {
  const std::int64_t least = measure == SimilarityMeasure::debiased_cka ? 4 : 2;
  if (samples < least) {
    throw Error(ErrorCode::invalid_argument, std::string(name(measure)) + ": " + to_text(samples) +
                                                 " samples; expected " + to_text(least) + " or more");
  }
}

/// Why the measure of a layer with itself is undefined, or nothing.
struct SelfSimilarity {
  std::vector<double> value;  // variance, or HSIC_1, by layer
  std::vector<std::string> problems;

  void add(double self, SimilarityMeasure measure, const std::string& layer) {
    value.push_back(self);
    if (self > 0) {
      problems.emplace_back();
    } else {
      problems.push_back(measure == SimilarityMeasure::debiased_cka
                             ? "the unbiased HSIC of " + layer + " with itself is " + to_short_text(self) +
                                   "; expected more than 0, as more samples would give"
                             : layer + " is constant over the samples");
    }
  }
};

inline SelfSimilarity self_similarity(const SimilaritySums& sums, SimilarityMeasure measure,
                                      const std::vector<std::string>& names) {
  SelfSimilarity self;
  for (std::size_t i = 0; i < names.size(); ++i) {
    double value = sums.variance(i);
    if (value > 0 && measure != SimilarityMeasure::procrustes) value = sums.product(measure, i, i);
    self.add(measure == SimilarityMeasure::linear_cka ? std::sqrt(value) : value, measure, names[i]);
  }
  return self;
}

inline double measure_pair(const SimilaritySums& sums, SimilarityMeasure measure, const SelfSimilarity& self,
                           std::size_t i, std::size_t j) {
  if (!self.problems[i].empty() || !self.problems[j].empty()) return std::numeric_limits<double>::quiet_NaN();
  switch (measure) {
    case SimilarityMeasure::linear_cka:
      return i == j ? 1 : (std::clamp)(sums.product(measure, i, j) / self.value[i] / self.value[j], 0.0, 1.0);
    case SimilarityMeasure::debiased_cka:
      return i == j ? 1 : ratio(sums.product(measure, i, j), self.value[i], self.value[j]);
    case SimilarityMeasure::procrustes: break;
  }
  return i == j ? 0 : (std::clamp)(2 - 2 * ratio(sums.product(measure, i, j), self.value[i], self.value[j]), 0.0, 2.0);
}

/// Rows [0, rows) against columns [first_column, layers).
inline SimilarityMatrix measure_all(const SimilaritySums& sums, SimilarityMeasure measure,
                                    const std::vector<std::string>& names, std::size_t rows, std::size_t first_column,
                                    std::int64_t dropped, const std::stop_token& stop) {
  check_samples(sums.samples(), measure);
  SimilarityMatrix matrix;
  matrix.measure = measure;
  matrix.samples = sums.samples();
  matrix.dropped_samples = dropped;
  matrix.row_names.assign(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(rows));
  matrix.column_names.assign(names.begin() + static_cast<std::ptrdiff_t>(first_column), names.end());
  const SelfSimilarity self = self_similarity(sums, measure, names);
  for (const std::string& problem : self.problems) {
    if (!problem.empty()) matrix.warnings.push_back(problem);
  }
  if (dropped > 0) matrix.warnings.push_back(to_text(dropped) + " samples left out for NaN or infinity");
  const std::size_t columns = names.size() - first_column;
  matrix.values.resize(rows * columns);
  for (std::size_t i = 0; i < rows; ++i) {
    throw_if_stopped(stop, "similarity");
    for (std::size_t j = first_column; j < names.size(); ++j) {
      const std::size_t at = i * columns + j - first_column;
      // One list against itself is symmetric.
      matrix.values[at] =
          first_column == 0 && j < i ? matrix.values[j * columns + i] : measure_pair(sums, measure, self, i, j);
    }
  }
  return matrix;
}

inline std::vector<std::string> names_of(std::span<const Representation> layers) {
  std::vector<std::string> names;
  for (const Representation& layer : layers) names.push_back(layer.name);
  return names;
}

inline SimilarityMatrix measure_layers(std::span<const Representation> layers, SimilarityMeasure measure,
                                       std::size_t rows, std::size_t first_column, const SimilarityOptions& options) {
  const JointRows joint(layers, options.non_finite);
  check_samples(joint.samples(), measure);
  const auto features = static_cast<double>(joint.features());
  const auto samples = static_cast<double>(joint.samples());
  const std::vector<std::string> names = names_of(layers);
  if (features * features > static_cast<double>(layers.size()) * samples * samples) {
    return measure_all(SampleSums(joint, measure, options), measure, names, rows, first_column, joint.dropped(),
                       options.stop);
  }
  SimilarityAccumulator sums(options);
  sums.add(layers);
  return measure_all(SimilarityAccess::sums(sums), measure, names, rows, first_column, joint.dropped(), options.stop);
}

inline double measure_two(const AnyView& x, const AnyView& y, SimilarityMeasure measure,
                          const SimilarityOptions& options) {
  const Representation both[] = {{"x", x}, {"y", y}};
  const SimilarityMatrix matrix = measure_layers(both, measure, 1, 1, options);
  if (!is_finite(matrix.values[0])) {
    throw Error(ErrorCode::invalid_argument, std::string(name(measure)) + ": " + matrix.warnings.front());
  }
  return matrix.values[0];
}

}  // namespace detail

LAYERSCOPE_INLINE double linear_cka(const AnyView& x, const AnyView& y, const SimilarityOptions& options) {
  return detail::measure_two(x, y, SimilarityMeasure::linear_cka, options);
}

LAYERSCOPE_INLINE double debiased_cka(const AnyView& x, const AnyView& y, const SimilarityOptions& options) {
  return detail::measure_two(x, y, SimilarityMeasure::debiased_cka, options);
}

LAYERSCOPE_INLINE double procrustes_distance(const AnyView& x, const AnyView& y, const SimilarityOptions& options) {
  return detail::measure_two(x, y, SimilarityMeasure::procrustes, options);
}

LAYERSCOPE_INLINE SimilarityMatrix similarity(std::span<const Representation> layers, SimilarityMeasure measure,
                                              const SimilarityOptions& options) {
  return detail::measure_layers(layers, measure, layers.size(), 0, options);
}

LAYERSCOPE_INLINE SimilarityMatrix similarity(std::span<const Representation> rows,
                                              std::span<const Representation> columns, SimilarityMeasure measure,
                                              const SimilarityOptions& options) {
  if (rows.empty() || columns.empty()) {
    throw Error(ErrorCode::empty, "similarity: " + to_text(rows.size()) + " layers against " + to_text(columns.size()) +
                                      "; expected at least one each");
  }
  std::vector<Representation> all(rows.begin(), rows.end());
  all.insert(all.end(), columns.begin(), columns.end());
  return detail::measure_layers(all, measure, rows.size(), rows.size(), options);
}

LAYERSCOPE_INLINE SimilarityMatrix between(const SimilarityMatrix& all, std::size_t first) {
  const std::size_t layers = all.row_names.size();
  if (all.column_names != all.row_names || all.values.size() != layers * layers || first == 0 || first >= layers) {
    throw Error(ErrorCode::invalid_argument,
                "between: the first " + to_text(first) + " of " + to_text(layers) + " rows and " +
                    to_text(all.column_names.size()) +
                    " columns; expected a matrix of all against all, and at least one layer on each side");
  }
  SimilarityMatrix part = all;
  part.row_names.resize(first);
  part.column_names.assign(all.row_names.begin() + static_cast<std::ptrdiff_t>(first), all.row_names.end());
  part.values.clear();
  for (std::size_t i = 0; i < first; ++i) {
    for (std::size_t j = first; j < layers; ++j) part.values.push_back(all(i, j));
  }
  return part;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
