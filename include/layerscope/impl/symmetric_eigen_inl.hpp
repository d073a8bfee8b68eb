// Bodies of algorithms/detail/symmetric_eigen.hpp.
#pragma once

#include <layerscope/algorithms/detail/symmetric_eigen.hpp>
#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/kernels/matmul_inl.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

using RowMajorMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

LAYERSCOPE_INLINE EigenPairs dense_eigenpairs(std::int64_t m, std::int64_t k, const double* c) {
  // Row-major upper is column-major lower, the triangle that the solver reads.
  const Eigen::Map<const Eigen::MatrixXd> matrix(c, m, m);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix);
  EigenPairs pairs;
  pairs.values.resize(static_cast<std::size_t>(k));
  pairs.vectors.resize(static_cast<std::size_t>(k * m));
  for (std::int64_t i = 0; i < k; ++i) {
    pairs.values[static_cast<std::size_t>(i)] = solver.eigenvalues()[m - 1 - i];
    Eigen::VectorXd::Map(pairs.vectors.data() + i * m, m) = solver.eigenvectors().col(m - 1 - i);
  }
  return pairs;
}

/// One pass of Cholesky orthonormalisation; false when the rows are too near to dependent for it.
LAYERSCOPE_INLINE bool cholesky_orthonormalize(std::int64_t count, std::int64_t m, double* rows, int threads) {
  for (std::int64_t i = 0; i < count; ++i) {
    Eigen::Map<Eigen::VectorXd> row(rows + i * m, m);
    const double norm = row.norm();
    if (!(norm > 0)) return false;
    row /= norm;
  }
  RowMajorMatrix gram(count, count);
  symmetric_product(m, count, StridedMatrix<double>{rows, 1, m}, gram.data(), threads);
  const Eigen::LLT<Eigen::MatrixXd> factor(gram);
  if (factor.info() != Eigen::Success || factor.matrixLLT().diagonal().minCoeff() < 1e-6) return false;
  RowMajorMatrix inverse = RowMajorMatrix::Identity(count, count);
  factor.matrixL().solveInPlace(inverse);
  std::vector<double> result(static_cast<std::size_t>(count * m));
  matmul(count, m, count, {inverse.data(), count}, {rows, m}, result.data(), m, threads);
  std::copy(result.begin(), result.end(), rows);
  return true;
}

LAYERSCOPE_INLINE void orthonormalize_rows(std::int64_t count, std::int64_t m, double* rows, int threads) {
  // Twice is enough (CholeskyQR2: Yamamoto et al., ETNA 44, 2015). NOLINTNEXTLINE(misc-redundant-expression)
  if (cholesky_orthonormalize(count, m, rows, threads) && cholesky_orthonormalize(count, m, rows, threads)) return;
  Eigen::Map<Eigen::MatrixXd> columns(rows, m, count);
  const Eigen::HouseholderQR<Eigen::MatrixXd> factor(columns);
  Eigen::MatrixXd thin = Eigen::MatrixXd::Identity(m, count);
  thin.applyOnTheLeft(factor.householderQ());
  columns = thin;
}

/// Vectors V[b, m] of a subspace and W = V · C.
struct Subspace {
  std::int64_t b;
  std::int64_t m;
  int threads;
  std::vector<double> v;
  std::vector<double> w;
  std::vector<double> values;

  Subspace(std::int64_t count, std::int64_t size, std::uint64_t seed, int thread_limit)
      : b(count),
        m(size),
        threads(thread_limit),
        v(static_cast<std::size_t>(count * size)),
        w(v.size()),
        values(static_cast<std::size_t>(count)) {
    const Random random(seed, 0x50434131);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = random.normal(i);
    orthonormalize_rows(b, m, v.data(), threads);
  }

  /// Turns V and W so that V holds the Ritz vectors, by falling value.
  void rayleigh_ritz() {
    RowMajorMatrix h(b, b);
    matmul(b, b, m, {w.data(), m}, {v.data(), 1, m}, h.data(), b, threads);
    const Eigen::MatrixXd symmetric = (h + h.transpose()) / 2;
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(symmetric);
    // Rows of the transposed eigenvectors, the last first.
    const RowMajorMatrix turn = solver.eigenvectors().rowwise().reverse().transpose();
    for (std::int64_t i = 0; i < b; ++i) values[static_cast<std::size_t>(i)] = solver.eigenvalues()[b - 1 - i];
    std::vector<double> turned(v.size());
    for (std::vector<double>* rows : {&v, &w}) {
      matmul(b, m, b, {turn.data(), b}, {rows->data(), m}, turned.data(), m, threads);
      rows->swap(turned);
    }
  }

  /// ‖W_i − θ_i · V_i‖.
  double residual(std::int64_t i) const {
    const double* vi = v.data() + i * m;
    const double* wi = w.data() + i * m;
    double sum = 0;
    for (std::int64_t j = 0; j < m; ++j) {
      const double difference = wi[j] - values[static_cast<std::size_t>(i)] * vi[j];
      sum += difference * difference;
    }
    return std::sqrt(sum);
  }

  double worst_residual(std::int64_t k) const {
    double worst = 0;
    for (std::int64_t i = 0; i < k; ++i) worst = (std::max)(worst, residual(i));
    return worst;
  }

  EigenPairs leading(std::int64_t k, double relative_residual, int applications) && {
    values.resize(static_cast<std::size_t>(k));
    v.resize(static_cast<std::size_t>(k * m));
    return {std::move(values), std::move(v), relative_residual, applications};
  }
};

/// V ← p(C) · V with the Chebyshev polynomial of the degree given that is small on [0, cut], scaled to 1 at `top`.
/// W = V · C is the first application. Algorithm 3.2 of Zhou et al., with the wanted end above.
LAYERSCOPE_INLINE void chebyshev_filter(Subspace& space, int degree, double cut, double top, ApplyToRows apply) {
  const double half = cut / 2;
  const double first_sigma = half / (top - half);
  double sigma = first_sigma;
  const std::size_t size = space.v.size();
  std::vector<double> next(size);
  for (std::size_t i = 0; i < size; ++i) space.w[i] = (space.w[i] - half * space.v[i]) * (sigma / half);
  for (int step = 2; step <= degree; ++step) {
    const double next_sigma = 1 / (2 / first_sigma - sigma);
    apply(space.w.data(), space.b, next.data());
    const double scale = 2 * next_sigma / half;
    const double back = sigma * next_sigma;
    for (std::size_t i = 0; i < size; ++i) {
      next[i] = scale * (next[i] - half * space.w[i]) - back * space.v[i];
    }
    space.v.swap(space.w);
    space.w.swap(next);
    sigma = next_sigma;
  }
  space.v.swap(space.w);
}

LAYERSCOPE_INLINE EigenPairs leading_eigenpairs(std::int64_t m, std::int64_t k, double tolerance, std::uint64_t seed,
                                                int threads, ApplyToRows apply) {
  constexpr int max_applications = 600;
  // The directions carried along set how fast the last wanted one converges.
  const std::int64_t b = (std::min)(m, round_up(k + (std::max<std::int64_t>)(10, k / 4), 8));
  Subspace space(b, m, seed, threads);
  int applications = 0;
  const auto apply_and_rotate = [&] {
    orthonormalize_rows(b, m, space.v.data(), threads);
    apply(space.v.data(), b, space.w.data());
    ++applications;
    space.rayleigh_ritz();
  };
  apply(space.v.data(), b, space.w.data());
  ++applications;
  space.v.swap(space.w);
  apply_and_rotate();

  while (applications < max_applications) {
    const double top = space.values.front();
    const double cut = space.values.back();
    const double wanted = space.values[static_cast<std::size_t>(k - 1)];
    if (!(top > 0)) return {};
    const double worst = space.worst_residual(k);
    if (worst <= tolerance * top) return std::move(space).leading(k, worst / top, applications);
    if (!(cut > 1e-13 * top)) return {};

    // |T_p(x)| grows as (x + √(x² − 1))^p outside [−1, 1].
    const auto growth = [cut](double value) {
      const double x = (std::max)(1.0, 2 * value / cut - 1);
      return std::log(x + std::sqrt(x * x - 1));
    };
    const double slow = (std::max)(1e-3, growth(wanted));
    const double needed = std::log(3 * worst / (tolerance * top)) / slow;
    // Beyond a spread of 1e10 within the block the small directions drown in the rounding of the large ones.
    const double allowed = std::log(1e10) / (std::max)(1e-3, growth(top) - growth(wanted));
    const int degree = static_cast<int>((std::min)({(std::max)(needed + 1, 2.0), (std::max)(allowed, 2.0), 30.0}));
    chebyshev_filter(space, degree, cut, top, apply);
    applications += degree - 1;
    apply_and_rotate();
  }
  return {};
}

LAYERSCOPE_INLINE EigenPairs randomized_eigenpairs(std::int64_t m, std::int64_t k, std::int64_t oversampling,
                                                   std::int64_t power_iterations, std::uint64_t seed, int threads,
                                                   ApplyToRows apply) {
  const std::int64_t b = (std::min)(m, k + oversampling);
  Subspace space(b, m, seed, threads);
  int applications = 0;
  for (std::int64_t pass = 0; pass <= power_iterations; ++pass) {
    apply(space.v.data(), b, space.w.data());
    ++applications;
    space.v.swap(space.w);
    orthonormalize_rows(b, m, space.v.data(), threads);
  }
  apply(space.v.data(), b, space.w.data());
  ++applications;
  space.rayleigh_ritz();
  const double top = space.values.front();
  const double residual = top > 0 ? space.worst_residual(k) / top : 0;
  return std::move(space).leading(k, residual, applications);
}

LAYERSCOPE_INLINE PackedSymmetric::PackedSymmetric(std::int64_t m, const double* c, int threads)
    : m_(m), threads_(threads) {
  const MatrixKernels& kernels = matrix_kernels(isa_level());
  const std::int64_t panel_rows = kernels.f64.panel_rows;
  const std::int64_t panels = ceil_divide(m, panel_rows);
  panels_ = static_cast<double*>(
      ::operator new (static_cast<std::size_t>(panels * panel_rows * m) * sizeof(double), std::align_val_t{64}));
  parallel_for(panels, m * m < parallel_threshold / 4 ? 1 : threads, [&](std::int64_t panel) {
    const std::int64_t first = panel * panel_rows;
    // By columns of C, which are its rows: neighbours in memory at each depth.
    pack(kernels, PackJob<double, double>{{c, 1, m},
                                          first,
                                          (std::min)(panel_rows, m - first),
                                          0,
                                          m,
                                          panel_rows,
                                          panel_rows * m,
                                          panels_ + first * m});
  });
}

LAYERSCOPE_INLINE PackedSymmetric::~PackedSymmetric() {
  ::operator delete (panels_, std::align_val_t{64});
}

LAYERSCOPE_INLINE void PackedSymmetric::apply(const double* from, std::int64_t count, double* to) const {
  const MatrixKernels& kernels = matrix_kernels(isa_level());
  const GemmKernels<double>& gemm = kernels.f64;
  const std::int64_t padded = round_up(count, gemm.strip_rows);
  const AlignedBuffer<double> strips(padded * m_);
  const std::int64_t depth_blocks = ceil_divide(m_, depth_block);
  const auto depth_of = [this](std::int64_t t) { return (std::min)(depth_block, m_ - t); };
  const int used = m_ * m_ * count < parallel_threshold ? 1 : threads_;
  parallel_for(depth_blocks, used, [&](std::int64_t block) {
    const std::int64_t t = block * depth_block;
    pack(kernels, PackJob<double, double>{{from, m_},
                                          0,
                                          count,
                                          t,
                                          depth_of(t),
                                          gemm.strip_rows,
                                          gemm.strip_rows * depth_of(t),
                                          strips.data() + padded * t});
  });
  const std::int64_t task_columns = 4 * gemm.panel_rows;
  parallel_for(ceil_divide(m_, task_columns), used, [&](std::int64_t task) {
    const std::int64_t first = task * task_columns;
    for (std::int64_t t = 0; t < m_; t += depth_block) {
      TileJob<double> job{};
      job.strips = strips.data() + padded * t;
      job.panels = panels_ + first * m_ + t * gemm.panel_rows;
      job.panel_stride = gemm.panel_rows * m_;
      job.rows = count;
      job.columns = (std::min)(task_columns, m_ - first);
      job.depth = depth_of(t);
      job.put = t == 0 ? Put::store : Put::add;
      job.c = to + first;
      job.c_stride = m_;
      job.first_column = count;  // nothing is below a diagonal here
      gemm.multiply_block(job);
    }
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
