// The smoothest vectors on a connected graph: eigenvectors of its normalised Laplacian 1 − D^−½ W D^−½ with the
// smallest eigenvalues, the constant one left out.
//
// Chebyshev-filtered subspace iteration (Zhou, Saad, Tiago and Chelikowsky, J. Comput. Phys. 219, 2006) on the random
// walk D⁻¹W, whose eigenvectors are D^−½ times those wanted; products in float32, what is small in float64.
#pragma once

#include <layerscope/algorithms/detail/symmetric_eigen.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/kernels/graph_product_inl.hpp>
#include <layerscope/impl/thread_team_inl.hpp>
#include <layerscope/impl/umap_graph_inl.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

struct SpectralVectors {
  /// Orthonormal, [count, vertices].
  std::vector<std::vector<double>> vectors;
  /// Of the normalised Laplacian, rising.
  std::vector<double> values;
  /// Largest ‖L·v − λ·v‖ over λ.
  double residual = 0;
  /// Products of the graph with eight vectors.
  int products = 0;
  bool converged = false;
};

/// By tridiagonalisation, for few vertices.
LAYERSCOPE_INLINE SpectralVectors dense_spectral_vectors(const UmapGraph& graph, const std::vector<double>& degrees,
                                                         std::int64_t count) {
  const std::int64_t n = graph.vertices();
  // 1 + D^−½ W D^−½ is positive semi-definite, with the vectors wanted leading.
  std::vector<double> matrix(static_cast<std::size_t>(n * n), 0);
  for (std::int64_t v = 0; v < n; ++v) {
    matrix[static_cast<std::size_t>(v * n + v)] += 1;
    for (std::int64_t e = graph.begin(v); e < graph.end(v); ++e) {
      const std::int64_t to = graph.to[static_cast<std::size_t>(e)];
      matrix[static_cast<std::size_t>(v * n + to)] +=
          static_cast<double>(graph.weight[static_cast<std::size_t>(e)]) /
          std::sqrt(degrees[static_cast<std::size_t>(v)] * degrees[static_cast<std::size_t>(to)]);
    }
  }
  const EigenPairs pairs = dense_eigenpairs(n, count + 1, matrix.data());
  SpectralVectors found;
  found.converged = true;
  for (std::int64_t i = 1; i <= count; ++i) {
    found.values.push_back(2 - pairs.values[static_cast<std::size_t>(i)]);
    found.vectors.emplace_back(pairs.vectors.begin() + i * n, pairs.vectors.begin() + (i + 1) * n);
  }
  return found;
}

class SpectralSolver {
 public:
  SpectralSolver(const UmapGraph& graph, const std::vector<double>& degrees, std::uint64_t seed, ThreadTeam& team)
      : graph_(graph),
        degrees_(degrees),
        n_(graph.vertices()),
        team_(team),
        inverse_degrees_(static_cast<std::size_t>(n_)),
        x_(n_ * columns),
        w_(n_ * columns) {
    const Random random(seed, 0x73706563);
    for (std::int64_t v = 0; v < n_; ++v) {
      inverse_degrees_[static_cast<std::size_t>(v)] = static_cast<float>(1 / degrees_[static_cast<std::size_t>(v)]);
      for (std::int64_t c = 0; c < columns; ++c) {
        const std::int64_t i = columns * v + c;
        x_.data()[i] = static_cast<float>(2 * random.uniform(static_cast<std::uint64_t>(i)) - 1);
        w_.data()[i] = 0;
      }
    }
  }

  /// The `count` < 8 smoothest vectors to a residual of `tolerance` times their eigenvalue, or of 1e-6, some ten times
  /// what float32 leaves; in at most `most_products`.
  SpectralVectors solve(std::int64_t count, double tolerance, int most_products) {
    SpectralVectors found;
    apply();
    rayleigh_ritz();
    for (;;) {
      found.residual = 0;
      double reduction = 0;
      for (std::int64_t c = 0; c < count; ++c) {
        const double value = (std::max)(1 - values_[at(c)], 1e-9);
        found.residual = (std::max)(found.residual, residuals_[at(c)] / value);
        reduction = (std::max)(reduction, residuals_[at(c)] / (std::max)(tolerance * value, 1e-6));
      }
      found.converged = reduction <= 1;
      if (found.converged || products_ >= most_products) break;
      filter(count, reduction, most_products - products_);
      apply();
      rayleigh_ritz();
    }
    found.products = products_;
    for (std::int64_t c = 0; c < count; ++c) {
      found.values.push_back(1 - values_[at(c)]);
      std::vector<double> vector(static_cast<std::size_t>(n_));
      double squares = 0;
      for (std::int64_t v = 0; v < n_; ++v) {
        vector[at(v)] = static_cast<double>(x_.data()[columns * v + c]) * std::sqrt(degrees_[at(v)]);
        squares += vector[at(v)] * vector[at(v)];
      }
      for (double& value : vector) value /= std::sqrt(squares);
      found.vectors.push_back(std::move(vector));
    }
    return found;
  }

 private:
  static constexpr std::int64_t columns = graph_product_columns;
  static constexpr std::int64_t vertices_per_task = 1024;
  using Square = std::array<double, static_cast<std::size_t>(columns* columns)>;

  static std::size_t at(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }

  template <class Body>
  void for_each_task(const Body& body) {
    team_.run(ceil_divide(n_, vertices_per_task), [&](std::int64_t task) {
      body(task, task * vertices_per_task, (std::min)(n_, (task + 1) * vertices_per_task));
    });
  }

  /// to = product · D⁻¹W · from + own · from + before · to.
  void step(const float* from, double product, double own, double before, float* to) {
    const GraphProductJob job{graph_.first.data(),
                              graph_.to.data(),
                              graph_.weight.data(),
                              inverse_degrees_.data(),
                              from,
                              static_cast<float>(product),
                              static_cast<float>(own),
                              static_cast<float>(before),
                              to};
    for_each_task([&](std::int64_t, std::int64_t begin, std::int64_t end) { graph_product(job, begin, end); });
    ++products_;
  }

  /// Takes the constant vector out of X; W = D⁻¹W · X.
  void apply() {
    std::vector<std::array<double, columns + 1>> parts(at(ceil_divide(n_, vertices_per_task)));
    for_each_task([&](std::int64_t task, std::int64_t begin, std::int64_t end) {
      std::array<double, columns + 1> sums{};
      for (std::int64_t v = begin; v < end; ++v) {
        const double degree = degrees_[at(v)];
        for (std::int64_t c = 0; c < columns; ++c) {
          sums[at(c)] += degree * static_cast<double>(x_.data()[columns * v + c]);
        }
        sums[columns] += degree;
      }
      parts[at(task)] = sums;
    });
    std::array<double, columns + 1> sums{};
    for (const auto& part : parts) {
      for (std::size_t c = 0; c <= columns; ++c) sums[c] += part[c];
    }
    for_each_task([&](std::int64_t, std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = columns * begin; i < columns * end; ++i) {
        x_.data()[i] -= static_cast<float>(sums[at(i % columns)] / sums[columns]);
      }
    });
    step(x_.data(), 1, 0, 0, w_.data());
  }

  /// Turns X and W so that X holds the Ritz vectors, of norm 1 by the degrees, by falling value.
  void rayleigh_ritz() {
    std::vector<std::array<Square, 2>> parts(at(ceil_divide(n_, vertices_per_task)));
    for_each_task([&](std::int64_t task, std::int64_t begin, std::int64_t end) {
      std::array<Square, 2>& part = parts[at(task)];
      part = {};
      for (std::int64_t v = begin; v < end; ++v) {
        const float* const x = x_.data() + columns * v;
        const float* const w = w_.data() + columns * v;
        for (std::int64_t i = 0; i < columns; ++i) {
          const double weighted = degrees_[at(v)] * static_cast<double>(x[i]);
          for (std::int64_t j = 0; j < columns; ++j) {
            part[0][at(columns * i + j)] += weighted * static_cast<double>(x[j]);
            part[1][at(columns * i + j)] += weighted * static_cast<double>(w[j]);
          }
        }
      }
    });
    Square gram{};
    Square product{};
    for (const std::array<Square, 2>& part : parts) {
      for (std::size_t i = 0; i < gram.size(); ++i) {
        gram[i] += part[0][i];
        product[i] += part[1][i];
      }
    }
    turn(small_problem(gram, product));
    measure_residuals();
  }

  /// Rows of coefficients that make the Ritz vectors of X; what X lacks in rank is left zero.
  Square small_problem(const Square& gram, const Square& product) {
    const EigenPairs basis = dense_eigenpairs(columns, columns, gram.data());
    Square whiten{};
    for (std::int64_t i = 0; i < columns; ++i) {
      const double value = basis.values[at(i)];
      if (!(value > 1e-12 * basis.values[0])) continue;
      for (std::int64_t j = 0; j < columns; ++j) {
        whiten[at(columns * i + j)] = basis.vectors[at(columns * i + j)] / std::sqrt(value);
      }
    }
    // T · (H + Hᵀ) / 2 · Tᵀ, moved up by 2 so that directions of no rank come last.
    Square left{};
    Square middle{};
    for (std::int64_t i = 0; i < columns; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        for (std::int64_t t = 0; t < columns; ++t) {
          left[at(columns * i + j)] +=
              whiten[at(columns * i + t)] * (product[at(columns * t + j)] + product[at(columns * j + t)]) / 2;
        }
      }
    }
    for (std::int64_t i = 0; i < columns; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        double norm = 0;
        for (std::int64_t t = 0; t < columns; ++t) {
          middle[at(columns * i + j)] += left[at(columns * i + t)] * whiten[at(columns * j + t)];
          norm += whiten[at(columns * i + t)] * whiten[at(columns * i + t)];
        }
        if (i == j && norm > 0) middle[at(columns * i + j)] += 2;
      }
    }
    const EigenPairs ritz = dense_eigenpairs(columns, columns, middle.data());
    Square turned{};
    for (std::int64_t i = 0; i < columns; ++i) {
      values_[at(i)] = ritz.values[at(i)] - 2;
      for (std::int64_t j = 0; j < columns; ++j) {
        for (std::int64_t t = 0; t < columns; ++t) {
          turned[at(columns * i + j)] += ritz.vectors[at(columns * i + t)] * whiten[at(columns * t + j)];
        }
      }
    }
    return turned;
  }

  void turn(const Square& by) {
    for_each_task([&](std::int64_t, std::int64_t begin, std::int64_t end) {
      for (float* const block : {x_.data(), w_.data()}) {
        for (std::int64_t v = begin; v < end; ++v) {
          float* const row = block + columns * v;
          std::array<double, columns> turned{};
          for (std::int64_t i = 0; i < columns; ++i) {
            for (std::int64_t j = 0; j < columns; ++j) {
              turned[at(i)] += by[at(columns * i + j)] * static_cast<double>(row[j]);
            }
          }
          for (std::int64_t i = 0; i < columns; ++i) row[i] = static_cast<float>(turned[at(i)]);
        }
      }
    });
  }

  /// ‖W_i − θ_i · X_i‖ by the degrees.
  void measure_residuals() {
    std::vector<std::array<double, columns>> parts(at(ceil_divide(n_, vertices_per_task)));
    for_each_task([&](std::int64_t task, std::int64_t begin, std::int64_t end) {
      std::array<double, columns> sums{};
      for (std::int64_t v = begin; v < end; ++v) {
        for (std::int64_t c = 0; c < columns; ++c) {
          const double error = static_cast<double>(w_.data()[columns * v + c]) -
                               values_[at(c)] * static_cast<double>(x_.data()[columns * v + c]);
          sums[at(c)] += degrees_[at(v)] * error * error;
        }
      }
      parts[at(task)] = sums;
    });
    residuals_ = {};
    for (const auto& part : parts) {
      for (std::size_t c = 0; c < columns; ++c) residuals_[c] += part[c];
    }
    for (double& residual : residuals_) residual = std::sqrt(residual);
  }

  /// X ← p(D⁻¹W) · X with the Chebyshev polynomial that is small on [−1, the last Ritz value], scaled to 1 at the
  /// first.
  void filter(std::int64_t count, double reduction, int most_products) {
    const double top = values_[0];
    double cut = values_[columns - 1];
    if (!(cut > -0.9)) cut = -0.9;
    if (cut > top - 1e-7) cut = top - 1e-7;
    const double centre = (cut - 1) / 2;
    const double half = (cut + 1) / 2;
    // |T_p(x)| grows as (x + √(x² − 1))^p outside [−1, 1].
    const auto growth = [&](double value) {
      const double x = (std::max)(1.0, (value - centre) / half);
      return (std::max)(1e-4, std::log(x + std::sqrt(x * x - 1)));
    };
    const double needed = std::log(4 * reduction) / growth(values_[at(count - 1)]) + 1;
    // Beyond a spread of 1e4 within the block the small directions drown in the rounding of the large ones.
    const double allowed = std::log(1e4) / growth(top);
    const double most = (std::max)(2.0, static_cast<double>(most_products));
    const int degree = static_cast<int>((std::min)({(std::max)(needed, 2.0), (std::max)(allowed, 2.0), 200.0, most}));
    const double first_sigma = half / (top - centre);
    double sigma = first_sigma;
    float* before = x_.data();
    float* now = w_.data();
    // W is the first product already.
    for_each_task([&](std::int64_t, std::int64_t begin, std::int64_t end) {
      const float factor = static_cast<float>(sigma / half);
      for (std::int64_t i = columns * begin; i < columns * end; ++i) {
        now[i] = (now[i] - static_cast<float>(centre) * before[i]) * factor;
      }
    });
    for (int power = 2; power <= degree; ++power) {
      const double next_sigma = 1 / (2 / first_sigma - sigma);
      const double factor = 2 * next_sigma / half;
      step(now, factor, -factor * centre, -sigma * next_sigma, before);
      std::swap(now, before);
      sigma = next_sigma;
    }
    if (now != x_.data()) std::copy_n(now, n_ * columns, x_.data());
  }

  const UmapGraph& graph_;
  const std::vector<double>& degrees_;
  std::int64_t n_;
  ThreadTeam& team_;
  std::vector<float> inverse_degrees_;
  AlignedBuffer<float> x_;
  AlignedBuffer<float> w_;
  std::array<double, columns> values_{};
  std::array<double, columns> residuals_{};
  int products_ = 0;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
