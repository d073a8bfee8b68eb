// What similarity() is made of: rows that several layers share, sums over pairs of layers, and the nuclear norm.
#pragma once

#include <layerscope/algorithms/detail/symmetric_eigen.hpp>
#include <layerscope/algorithms/similarity.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Several representations of the same samples as matrices, with the samples left out that are not finite in one.
class JointRows {
 public:
  /// `what` begins the messages of errors.
  JointRows(std::span<const Representation> layers, NonFiniteRows policy, const char* what = "similarity")
      : what_(what) {
    if (layers.empty()) throw Error(ErrorCode::empty, what_ + ": no layers given; expected at least one");
    begins_.push_back(0);
    for (const Representation& layer : layers) {
      const AnyView& x = layer.values;
      const std::string which = what_ + ": layer " + layer.name + " of shape " + to_text(x.shape());
      if (x.rank() == 0 || x.empty()) {
        throw Error(ErrorCode::empty, which + "; expected [samples, …] with at least one element");
      }
      if (!matrices_.empty() && x.extent(0) != given_) {
        throw Error(ErrorCode::invalid_argument,
                    which + "; expected " + to_text(given_) + " samples as of " + layers.front().name);
      }
      given_ = x.extent(0);
      const Shape shape{given_, x.size() / given_};
      const std::optional<AnyView> matrix = x.reshape(shape);
      matrices_.push_back(matrix ? *matrix : *contiguous(x, x.dtype()).reshape(shape));
      begins_.push_back(begins_.back() + shape[1]);
    }
    find_rows(layers, policy);
  }

  std::size_t layers() const noexcept { return matrices_.size(); }
  std::int64_t samples() const noexcept { return samples_; }
  std::int64_t dropped() const noexcept { return given_ - samples_; }
  std::int64_t features() const noexcept { return begins_.back(); }
  std::int64_t features(std::size_t layer) const noexcept { return begins_[layer + 1] - begins_[layer]; }
  const std::vector<std::int64_t>& begins() const noexcept { return begins_; }

  /// Rows [first, first + count) of a layer to rows `stride` apart.
  void read(std::size_t layer, std::int64_t first, std::int64_t count, double* to, std::int64_t stride) const {
    for (std::int64_t r = 0; r < count; ++r) {
      const std::int64_t row = kept_.empty() ? first + r : kept_[static_cast<std::size_t>(first + r)];
      convert_into(matrices_[layer].narrow(0, row, 1), DType::f64, to + r * stride);
    }
  }

 private:
  void find_rows(std::span<const Representation> layers, NonFiniteRows policy) {
    std::vector<std::uint8_t> bad(static_cast<std::size_t>(given_), 0);
    std::vector<double> row;
    for (std::size_t layer = 0; layer < matrices_.size(); ++layer) {
      row.resize(static_cast<std::size_t>(features(layer)));
      for (std::int64_t r = 0; r < given_; ++r) {
        convert_into(matrices_[layer].narrow(0, r, 1), DType::f64, row.data());
        for (const double& value : row) {
          const auto refuse = [&](ErrorCode code, const char* expected) {
            throw Error(code, what_ + ": layer " + layers[layer].name + ", sample " + to_text(r) + ", feature " +
                                  to_text(&value - row.data()) + " is " + to_text(value) + "; expected " + expected);
          };
          if (!is_finite(value)) {
            if (policy == NonFiniteRows::error) refuse(ErrorCode::non_finite, "finite values");
            bad[static_cast<std::size_t>(r)] = 1;
          } else if (std::fabs(value) > 1e60) {
            refuse(ErrorCode::invalid_argument, "at most 1e60 in magnitude, since fourth powers are summed");
          }
        }
      }
    }
    samples_ = std::count(bad.begin(), bad.end(), std::uint8_t{0});
    if (samples_ == given_) return;
    for (std::int64_t r = 0; r < given_; ++r) {
      if (bad[static_cast<std::size_t>(r)] == 0) kept_.push_back(r);
    }
    if (samples_ == 0) {
      throw Error(ErrorCode::empty,
                  what_ + ": 0 of " + to_text(given_) + " samples are finite in every layer; expected at least one");
    }
  }

  std::string what_;
  std::vector<AnyView> matrices_;
  std::vector<std::int64_t> begins_;
  std::int64_t given_ = 0;
  std::int64_t samples_ = 0;
  std::vector<std::int64_t> kept_;  // empty: all
};

inline void check_same_layers(std::span<const Representation> batch, const std::vector<std::string>& names) {
  if (names.empty()) return;
  bool same = batch.size() == names.size();
  for (std::size_t i = 0; same && i < names.size(); ++i) same = batch[i].name == names[i];
  if (same) return;
  std::string found;
  std::string expected;
  for (const Representation& layer : batch) found += (found.empty() ? "" : ", ") + layer.name;
  for (const std::string& one : names) expected += (expected.empty() ? "" : ", ") + one;
  throw Error(ErrorCode::invalid_argument,
              "similarity: a batch of the layers " + found + "; expected " + expected + " as before");
}

inline void check_same_features(std::span<const Representation> batch, const std::vector<std::int64_t>& begins) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const AnyView& x = batch[i].values;
    const std::int64_t expected = begins[i + 1] - begins[i];
    if (x.size() / x.extent(0) != expected) {
      throw Error(ErrorCode::invalid_argument, "similarity: layer " + batch[i].name + " of shape " +
                                                   to_text(x.shape()) + "; expected " + to_text(expected) +
                                                   " features a sample as before");
    }
  }
}

/// Takes from each column its mean, found from its first number on, so that a constant column becomes exactly 0.
inline void take_means_off(std::int64_t rows, std::int64_t columns, std::int64_t stride, double* x, double* means) {
  std::vector<double> sums(static_cast<std::size_t>(columns));
  for (std::int64_t r = 1; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) sums[static_cast<std::size_t>(c)] += x[r * stride + c] - x[c];
  }
  for (std::int64_t c = 0; c < columns; ++c) {
    means[c] = x[c] + sums[static_cast<std::size_t>(c)] / static_cast<double>(rows);
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) x[r * stride + c] -= means[c];
  }
}

/// Σ f(i) over [0, count), in blocks so that the error does not grow with the count.
template <class F>
double sum_in_blocks(F f, std::size_t count) {
  double sum = 0;
  for (std::size_t first = 0; first < count; first += 4096) {
    double part = 0;
    for (std::size_t i = first; i < (std::min)(first + 4096, count); ++i) part += f(i);
    sum += part;
  }
  return sum;
}

/// What HSIC_1 takes of two Gram matrices K and L whose diagonals are 0.
struct HsicTerms {
  double products = 0;          ///< tr(KL)
  double rows = 0;              ///< 1ᵀKL1
  double sum_x = 0, sum_y = 0;  ///< 1ᵀK1, 1ᵀL1
};

/// HSIC_1 · n(n − 3) of Song et al., equation 5.
inline double unbiased_hsic(const HsicTerms& terms, std::int64_t samples) noexcept {
  const auto n = static_cast<double>(samples);
  return terms.products + terms.sum_x * terms.sum_y / ((n - 1) * (n - 2)) - 2 * terms.rows / (n - 2);
}

/// What the measures take of each pair of layers.
class SimilaritySums {
 public:
  virtual ~SimilaritySums() = default;
  virtual std::int64_t samples() const noexcept = 0;
  /// ‖X‖² of centred columns; exactly 0 for constant ones.
  virtual double variance(std::size_t i) const = 0;
  /// ‖XᵀY‖² for linear CKA, HSIC_1 · n(n − 3) for the debiased one, ‖XᵀY‖_* for Procrustes; of centred columns.
  virtual double product(SimilarityMeasure measure, std::size_t i, std::size_t j) const = 0;
};

/// The sum of the singular values of m[rows, columns]: the eigenvectors of mᵀm turn it so that its columns are nearly
/// orthogonal, and one-sided Jacobi rotations (Hestenes 1958) do the rest, so that small ones are right too.
inline double nuclear_norm(std::int64_t rows, std::int64_t columns, std::vector<double> m) {
  if (columns > rows) {  // the fewer columns the better
    std::vector<double> turned(m.size());
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        turned[static_cast<std::size_t>(c * rows + r)] = m[static_cast<std::size_t>(r * columns + c)];
      }
    }
    m.swap(turned);
    std::swap(rows, columns);
  }
  double largest = 0;
  for (const double value : m) largest = (std::max)(largest, std::fabs(value));
  if (!(largest > 0)) return 0;
  for (double& value : m) value /= largest;
  std::vector<double> gram(static_cast<std::size_t>(columns * columns));
  symmetric_product(rows, columns, StridedMatrix<double>{m.data(), columns}, gram.data(), 1);
  const EigenPairs pairs = dense_eigenpairs(columns, columns, gram.data());
  // A row for each singular vector.
  std::vector<double> w(m.size());
  matmul(columns, rows, columns, {pairs.vectors.data(), columns}, StridedMatrix<double>{m.data(), columns}.transposed(),
         w.data(), rows, 1);
  const auto product = [&](std::int64_t a, std::int64_t b) {
    const double* const x = w.data() + a * rows;
    const double* const y = w.data() + b * rows;
    double sum = 0;
    for (std::int64_t k = 0; k < rows; ++k) sum += x[k] * y[k];
    return sum;
  };
  std::vector<double> squares(static_cast<std::size_t>(columns));
  const double floor = 1e-32 * (std::max)(pairs.values.front(), 0.0);  // below it there is only rounding
  for (int sweep = 0; sweep < 30; ++sweep) {
    bool turned = false;
    for (std::int64_t a = 0; a < columns; ++a) squares[static_cast<std::size_t>(a)] = product(a, a);
    for (std::int64_t a = 0; a + 1 < columns; ++a) {
      for (std::int64_t b = a + 1; b < columns; ++b) {
        double& aa = squares[static_cast<std::size_t>(a)];
        double& bb = squares[static_cast<std::size_t>(b)];
        if (aa <= floor || bb <= floor) continue;
        const double ab = product(a, b);
        if (std::fabs(ab) <= 1e-14 * std::sqrt(aa) * std::sqrt(bb)) continue;
        turned = true;
        const double zeta = (bb - aa) / (2 * ab);
        const double t = (zeta >= 0 ? 1.0 : -1.0) / (std::fabs(zeta) + std::sqrt(1 + zeta * zeta));
        const double c = 1 / std::sqrt(1 + t * t), s = c * t;
        double* const x = w.data() + a * rows;
        double* const y = w.data() + b * rows;
        for (std::int64_t k = 0; k < rows; ++k) {
          const double before = x[k];
          x[k] = c * before - s * y[k];
          y[k] = s * before + c * y[k];
        }
        aa = product(a, a);
        bb = product(b, b);
      }
    }
    if (!turned) break;
  }
  double sum = 0;
  for (std::int64_t a = 0; a < columns; ++a) sum += std::sqrt(product(a, a));
  return sum * largest;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
