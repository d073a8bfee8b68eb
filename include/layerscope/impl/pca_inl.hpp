// Body of algorithms/pca.hpp.
#pragma once

#include <layerscope/algorithms/detail/symmetric_eigen.hpp>
#include <layerscope/algorithms/pca.hpp>
#include <layerscope/impl/kernels/matmul_inl.hpp>
#include <layerscope/impl/pca_rows_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE const char* name(PcaSolver solver) noexcept {
  switch (solver) {
    case PcaSolver::automatic: return "automatic";
    case PcaSolver::covariance: return "covariance";
    case PcaSolver::gram: return "gram";
    case PcaSolver::randomized: return "randomized";
  }
  return "unknown";
}

namespace detail {

inline double trace(std::int64_t m, const std::vector<double>& c) noexcept {
  double sum = 0;
  for (std::int64_t i = 0; i < m; ++i) sum += c[static_cast<std::size_t>(i * m + i)];
  return sum;
}

/// The `k` leading pairs of C[m, m], both triangles given.
LAYERSCOPE_INLINE EigenPairs solve_symmetric(std::int64_t m, std::int64_t k, std::vector<double> c, double tolerance,
                                             const PcaOptions& options) {
  if (m > 192 && 4 * k <= m) {
    const PackedSymmetric packed(m, c.data(), options.threads);
    EigenPairs pairs = leading_eigenpairs(m, k, tolerance, options.seed, options.threads,
                                          [&](const double* from, std::int64_t count, double* to) {
                                            throw_if_stopped(options.stop, "pca");
                                            packed.apply(from, count, to);
                                          });
    if (!pairs.values.empty()) return pairs;
  }
  return dense_eigenpairs(m, k, c.data());
}

/// One run of pca() over rows that have been checked.
class PcaRun {
 public:
  PcaRun(const PcaRows& rows, std::int64_t k, const PcaOptions& options)
      : rows_(rows), n_(rows.rows()), d_(rows.columns()), k_(k), options_(options) {}

  PcaSolver chosen() const noexcept {
    if (options_.solver != PcaSolver::automatic) return options_.solver;
    constexpr std::int64_t largest_exact = 4096;
    if ((std::min)(n_, d_) > largest_exact && k_ <= (std::min)(n_, d_) / 8) return PcaSolver::randomized;
    return d_ <= n_ ? PcaSolver::covariance : PcaSolver::gram;
  }

  /// Falling variances of the scaled values [k], components [k, d] not yet signed; total_variance is set.
  EigenPairs solve() {
    switch (chosen()) {
      case PcaSolver::gram: return by_gram();
      case PcaSolver::randomized: return by_projection();
      case PcaSolver::automatic:
      case PcaSolver::covariance: break;
    }
    return by_covariance();
  }

  double total_variance() const noexcept { return total_; }

 private:
  void report(double fraction, std::string_view stage) const {
    throw_if_stopped(options_.stop, "pca");
    if (options_.progress) options_.progress(fraction, stage);
  }

  double denominator() const noexcept { return static_cast<double>((std::max<std::int64_t>)(1, n_ - 1)); }

  /// Products in float32 are worth their rounding when there are many; `m` is the smaller side.
  bool single_pays(std::int64_t m) const noexcept {
    const double operations = static_cast<double>(n_) * static_cast<double>(d_) * static_cast<double>(m);
    return operations > 4e9 && k_ < m / 2;
  }

  /// Single products err by some 1e-8 of the largest variance. A Rayleigh–Ritz step on the data takes that out of the
  /// variances, but not out of directions whose own variances differ by as little.
  static bool single_sufficed(const EigenPairs& pairs) noexcept {
    return pairs.values.back() >= 1e-4 * pairs.values.front();
  }

  EigenPairs by_covariance() {
    for (const bool single : {true, false}) {
      if (single && !single_pays(d_)) continue;
      EigenPairs pairs = solve_dense(d_, covariance(single), single);
      if (!single) return pairs;
      if (single_sufficed(pairs)) {
        refine(pairs);
        return pairs;
      }
    }
    return {};  // not reached: the second round returns
  }

  /// Rayleigh–Ritz on the data: the covariance matrix of the scores of the pairs' own directions.
  void refine(EigenPairs& pairs) {
    report(0.9, "refinement");
    std::vector<double> h(static_cast<std::size_t>(k_ * k_));
    const std::vector<float> directions(pairs.vectors.begin(), pairs.vectors.end());
    const StridedMatrix<float> by_column = StridedMatrix<float>{directions.data(), d_}.transposed();
    const auto add = [&](std::int64_t count, const StridedMatrix<float>& part, float* scores) {
      matmul(count, k_, d_, part, by_column, scores, k_, options_.threads);
      add_symmetric_product(count, k_, StridedMatrix<float>{scores, k_}, h.data(), ProductPrecision::full_double,
                            options_.threads);
    };
    if (const auto x = rows_.in_place<float>()) {
      const std::vector<float> shift(rows_.means().begin(), rows_.means().end());
      const std::int64_t step = (std::min)(n_, 32 * depth_block);
      const AlignedBuffer<float> scores(step * k_);
      for (std::int64_t first = 0; first < n_; first += step) {
        throw_if_stopped(options_.stop, "pca");
        add((std::min)(step, n_ - first),
            {x->data + first * x->row_stride, x->row_stride, x->column_stride, nullptr, shift.data()}, scores.data());
      }
      std::vector<double> left(static_cast<std::size_t>(k_));
      for (std::int64_t i = 0; i < k_; ++i) {
        for (std::int64_t c = 0; c < d_; ++c) {
          const std::size_t at = static_cast<std::size_t>(c);
          left[static_cast<std::size_t>(i)] += pairs.vectors[static_cast<std::size_t>(i * d_ + c)] *
                                               (rows_.means()[at] - static_cast<double>(shift[at]));
        }
      }
      subtract_outer(left, h);
    } else {
      const std::int64_t step = copied_rows();
      const AlignedBuffer<float> part(step * d_);
      const AlignedBuffer<float> scores(step * k_);
      for (std::int64_t first = 0; first < n_; first += step) {
        throw_if_stopped(options_.stop, "pca");
        const std::int64_t count = (std::min)(step, n_ - first);
        rows_.centred(first, count, 0, d_, part.data());
        add(count, {part.data(), d_}, scores.data());
      }
    }
    rotate(h, pairs, d_);
  }

  /// upper triangle of c −= n · left · leftᵀ: what rounding a mean to float32 leaves of it in a product of n rows.
  void subtract_outer(const std::vector<double>& left, std::vector<double>& c) const {
    const double n = static_cast<double>(n_);
    for (std::size_t i = 0; i < left.size(); ++i) {
      for (std::size_t j = i; j < left.size(); ++j) c[i * left.size() + j] -= n * left[i] * left[j];
    }
  }

  /// Values from H[k, k] / (n − 1), of which the upper triangle is given, and vectors turned to its eigenvectors.
  void rotate(std::vector<double>& h, EigenPairs& pairs, std::int64_t m) const {
    for (double& value : h) value /= denominator();
    const EigenPairs turn = dense_eigenpairs(k_, k_, h.data());
    std::vector<double> turned(pairs.vectors.size());
    matmul(k_, m, k_, {turn.vectors.data(), k_}, {pairs.vectors.data(), m}, turned.data(), m, options_.threads);
    pairs.values = turn.values;
    pairs.vectors = std::move(turned);
  }

  EigenPairs solve_dense(std::int64_t m, std::vector<double> c, bool single) {
    report(0.7, "eigenvectors");
    total_ = trace(m, c);
    return solve_symmetric(m, k_, std::move(c), single ? 1e-8 : 1e-9, options_);
  }

  std::vector<double> covariance(bool single) {
    std::vector<double> c(static_cast<std::size_t>(d_ * d_));
    const auto in_place = [&]<class T>(const StridedMatrix<T>& x, auto... precision) {
      // Rows at a time between two looks at the stop token: some 16 G operations.
      const double fit = 1.6e10 / (static_cast<double>(d_) * static_cast<double>(d_));
      const std::int64_t step =
          fit > 1e9 ? std::int64_t{1} << 30 : round_up(static_cast<std::int64_t>(fit) + 1, 16 * depth_block);
      std::vector<T> shift(rows_.means().begin(), rows_.means().end());
      for (std::int64_t first = 0; first < n_; first += step) {
        report(0.1 + 0.6 * static_cast<double>(first) / static_cast<double>(n_), "covariance");
        const StridedMatrix<T> part{x.data + first * x.row_stride, x.row_stride, x.column_stride, nullptr,
                                    shift.data()};
        add_symmetric_product((std::min)(step, n_ - first), d_, part, c.data(), precision..., options_.threads);
      }
      std::vector<double> left(static_cast<std::size_t>(d_));
      for (std::size_t i = 0; i < left.size(); ++i) left[i] = rows_.means()[i] - static_cast<double>(shift[i]);
      subtract_outer(left, c);
    };
    const auto precision = single ? ProductPrecision::single_blocks : ProductPrecision::full_double;
    if (const auto floats = rows_.in_place<float>()) {
      in_place(*floats, precision);
    } else if (const auto doubles = rows_.in_place<double>(); doubles && !single) {
      in_place(*doubles);
    } else if (single) {
      add_centred<float>(c, precision);
    } else {
      add_centred<double>(c);
    }
    const double scale = 1 / denominator();
    for (double& value : c) value *= scale;
    mirror_upper_triangle(d_, c.data());
    return c;
  }

  /// Rows that a centred copy holds at a time: 4 · d² bytes of float64, but enough for the product to be efficient.
  std::int64_t copied_rows() const noexcept {
    return (std::min)(n_, (std::clamp)(round_up(d_ / 2, depth_block), depth_block, 16 * depth_block));
  }

  template <class T, class... Precision>
  void add_centred(std::vector<double>& c, Precision... precision) {
    const std::int64_t step = copied_rows();
    const AlignedBuffer<T> part(step * d_);
    for (std::int64_t first = 0; first < n_; first += step) {
      report(0.1 + 0.6 * static_cast<double>(first) / static_cast<double>(n_), "covariance");
      const std::int64_t count = (std::min)(step, n_ - first);
      rows_.centred(first, count, 0, d_, part.data());
      add_symmetric_product(count, d_, StridedMatrix<T>{part.data(), d_}, c.data(), precision..., options_.threads);
    }
  }

  EigenPairs by_gram() {
    EigenPairs pairs;
    bool refined = false;
    for (const bool single : {true, false}) {
      if (single && !single_pays(n_)) continue;
      std::vector<double> g = single ? gram<float>(ProductPrecision::single_blocks) : gram<double>();
      pairs = solve_dense(n_, std::move(g), single);
      refined = single;
      if (!single || single_sufficed(pairs)) break;
    }
    // v = Xᵀu, of length √(λ(n − 1)): normalised after, in order, so that the small ones give way to the large.
    std::vector<double> components(static_cast<std::size_t>(k_ * d_));
    const std::int64_t step = gram_columns();
    const AlignedBuffer<double> part(n_ * step);
    for (std::int64_t first = 0; first < d_; first += step) {
      report(0.8 + 0.2 * static_cast<double>(first) / static_cast<double>(d_), "components");
      const std::int64_t columns = (std::min)(step, d_ - first);
      rows_.centred(0, n_, first, columns, part.data());
      matmul(k_, columns, n_, StridedMatrix<double>{pairs.vectors.data(), n_}, {part.data(), columns},
             components.data() + first, d_, options_.threads);
    }
    pairs.vectors = std::move(components);
    if (refined) {
      std::vector<double> h(static_cast<std::size_t>(k_ * k_));
      add_symmetric_product(d_, k_, StridedMatrix<double>{pairs.vectors.data(), d_}.transposed(), h.data(),
                            options_.threads);
      rotate(h, pairs, d_);
    }
    orthonormalize_rows(k_, d_, pairs.vectors.data(), options_.threads);
    return pairs;
  }

  std::int64_t gram_columns() const noexcept {
    return (std::min)(d_, (std::max)(depth_block, round_up(n_, depth_block)));
  }

  template <class T, class... Precision>
  std::vector<double> gram(Precision... precision) {
    std::vector<double> g(static_cast<std::size_t>(n_ * n_));
    const std::int64_t step = gram_columns();
    const AlignedBuffer<T> part(n_ * step);
    for (std::int64_t first = 0; first < d_; first += step) {
      report(0.1 + 0.6 * static_cast<double>(first) / static_cast<double>(d_), "gram");
      const std::int64_t columns = (std::min)(step, d_ - first);
      rows_.centred(0, n_, first, columns, part.data());
      add_symmetric_product(columns, n_, StridedMatrix<T>{part.data(), columns}.transposed(), g.data(), precision...,
                            options_.threads);
    }
    const double scale = 1 / denominator();
    for (double& value : g) value *= scale;
    mirror_upper_triangle(n_, g.data());
    return g;
  }

  /// Subspace iteration on XᵀX, which is applied row block by row block and never formed.
  EigenPairs by_projection() {
    const std::int64_t step = (std::min)(n_, 4 * depth_block);
    const AlignedBuffer<float> part(step * d_);
    const std::int64_t passes = options_.power_iterations + 2;
    std::int64_t pass = 0;
    bool first_pass = true;
    const auto apply = [&](const double* from, std::int64_t count, double* to) {
      const std::vector<float> directions(from, from + count * d_);
      std::vector<float> along(static_cast<std::size_t>(step * count));
      std::vector<float> back(static_cast<std::size_t>(count * d_));
      std::fill_n(to, count * d_, 0.0);
      for (std::int64_t first = 0; first < n_; first += step) {
        const double done = static_cast<double>(pass) + static_cast<double>(first) / static_cast<double>(n_);
        report(0.1 + 0.9 * done / static_cast<double>(passes), "projection");
        const std::int64_t rows = (std::min)(step, n_ - first);
        rows_.centred(first, rows, 0, d_, part.data());
        if (first_pass) {
          for (std::int64_t i = 0; i < rows * d_; ++i) {
            total_ += static_cast<double>(part.data()[i]) * static_cast<double>(part.data()[i]);
          }
        }
        const StridedMatrix<float> x{part.data(), d_};
        matmul(rows, count, d_, x, StridedMatrix<float>{directions.data(), d_}.transposed(), along.data(), count,
               options_.threads);
        matmul(count, d_, rows, StridedMatrix<float>{along.data(), count}.transposed(), x, back.data(), d_,
               options_.threads);
        for (std::int64_t i = 0; i < count * d_; ++i) {
          to[i] += static_cast<double>(back[static_cast<std::size_t>(i)]) / denominator();
        }
      }
      first_pass = false;
      ++pass;
    };
    EigenPairs pairs = randomized_eigenpairs(d_, k_, options_.oversampling, options_.power_iterations, options_.seed,
                                             options_.threads, apply);
    total_ /= denominator();
    return pairs;
  }

  const PcaRows& rows_;
  std::int64_t n_;
  std::int64_t d_;
  std::int64_t k_;
  const PcaOptions& options_;
  double total_ = 0;
};

LAYERSCOPE_INLINE void check_pca_input(const AnyView& x) {
  if (x.rank() != 2) {
    throw Error(ErrorCode::invalid_argument,
                "pca: an input of shape " + to_text(x.shape()) + "; a matrix [n, d] is expected");
  }
  if (x.empty()) {
    throw Error(ErrorCode::empty,
                "pca: an input of shape " + to_text(x.shape()) + "; at least one row and one column are expected");
  }
}

LAYERSCOPE_INLINE void check_pca_options(const PcaOptions& options) {
  const auto require = [](std::int64_t value, std::int64_t least, const char* what) {
    if (value < least) {
      throw Error(ErrorCode::invalid_argument,
                  std::string("pca: ") + what + " " + to_text(value) + "; at least " + to_text(least) + " is expected");
    }
  };
  require(options.components.value_or(1), 1, "components");
  require(options.oversampling, 0, "oversampling");
  require(options.power_iterations, 0, "power_iterations");
}

/// A variance at or below this fraction of the largest is rounding: of the input, or of the float64 eigenproblem.
LAYERSCOPE_INLINE double rank_tolerance(DType dtype, std::int64_t m) {
  const double size = static_cast<double>(m);
  double rounding = 0;
  if (dtype == DType::f32) rounding = 0x1p-23;
  if (dtype == DType::f16) rounding = 0x1p-10;
  if (dtype == DType::bf16) rounding = 0x1p-7;
  return (std::max)(rounding * rounding * size, 16 * size * 0x1p-52);
}

/// What is known of the rows when their eigenpairs are found; scaled values where nothing else is said.
struct PcaSummary {
  std::int64_t rows = 0, dropped_rows = 0, columns = 0;
  std::int64_t components = 0;  // that are computed
  double scale = 1;
  double magnitude = 0;
  double total_variance = 0;
  double tolerance = 0;  // rank_tolerance()
  const std::vector<double>* means = nullptr;
};

/// How many components are computed; a warning when fewer than asked for.
LAYERSCOPE_INLINE std::int64_t clamp_components(const PcaOptions& options, std::int64_t n, std::int64_t d,
                                                std::vector<std::string>& warnings) {
  const std::int64_t most = (std::min)(n, d);
  const std::int64_t k = (std::min)(most, options.components.value_or(most));
  if (options.components.value_or(k) > k) {
    warnings.push_back("pca: components " + to_text(*options.components) + " exceeds min(n, d); " + to_text(k) +
                       " are computed");
  }
  return k;
}

/// Fills in everything but solver and warnings about components.
LAYERSCOPE_INLINE void finish_pca(const EigenPairs& pairs, const PcaSummary& of, Pca& result) {
  const std::int64_t k = of.components;
  const std::int64_t d = of.columns;
  result.rows = of.rows;
  result.dropped_rows = of.dropped_rows;
  if (result.dropped_rows > 0) {
    result.warnings.push_back("pca: " + to_text(result.dropped_rows) + " of " + to_text(of.rows + of.dropped_rows) +
                              " rows hold NaN or infinity and are left out");
  }
  // Of values that are all but equal, the differences are rounding of the mean.
  const double rounding = 4 * 0x1p-52 * of.magnitude;
  const double least = (std::max)(of.tolerance * pairs.values.front(), rounding * rounding);
  while (result.rank < k && pairs.values[static_cast<std::size_t>(result.rank)] > least) ++result.rank;

  const double unscale = 1 / of.scale;
  const double total = of.total_variance > least ? of.total_variance : 0;
  result.total_variance = total * unscale * unscale;
  result.mean = Tensor(DType::f64, {d});
  double* mean = result.mean.mutable_data<double>();
  for (std::int64_t c = 0; c < d; ++c) mean[c] = (*of.means)[static_cast<std::size_t>(c)] * unscale;
  result.components = Tensor(DType::f64, {k, d});
  double* components = result.components.mutable_data<double>();
  result.explained_variance.assign(static_cast<std::size_t>(k), 0);
  result.explained_variance_ratio.assign(static_cast<std::size_t>(k), 0);
  for (std::int64_t i = 0; i < result.rank; ++i) {
    const std::size_t at = static_cast<std::size_t>(i);
    result.explained_variance[at] = pairs.values[at] * unscale * unscale;
    result.explained_variance_ratio[at] = total > 0 ? pairs.values[at] / total : 0;
    const double* from = pairs.vectors.data() + i * d;
    const double* largest =
        std::max_element(from, from + d, [](double a, double b) { return std::abs(a) < std::abs(b); });
    const double sign = *largest < 0 ? -1.0 : 1.0;
    for (std::int64_t c = 0; c < d; ++c) components[i * d + c] = sign * from[c];
  }
}

}  // namespace detail

LAYERSCOPE_INLINE Pca pca(const AnyView& x, const PcaOptions& options) {
  detail::check_pca_input(x);
  detail::check_pca_options(options);
  throw_if_stopped(options.stop, "pca");
  const detail::PcaRows rows(x, options.non_finite, options.threads);
  Pca result;
  detail::PcaSummary summary;
  summary.rows = rows.rows();
  summary.dropped_rows = rows.dropped();
  summary.columns = rows.columns();
  summary.components = detail::clamp_components(options, rows.rows(), rows.columns(), result.warnings);
  detail::PcaRun run(rows, summary.components, options);
  result.solver = run.chosen();
  const detail::EigenPairs pairs = run.solve();
  summary.scale = rows.scale();
  summary.magnitude = rows.magnitude();
  summary.total_variance = run.total_variance();
  summary.tolerance = detail::rank_tolerance(rows.dtype(), (std::min)(rows.rows(), rows.columns()));
  summary.means = &rows.means();
  detail::finish_pca(pairs, summary, result);
  if (options.progress) options.progress(1, "pca");
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
