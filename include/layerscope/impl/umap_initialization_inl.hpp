// Where the rows of a UMAP layout start.
#pragma once

#include <layerscope/algorithms/pca.hpp>
#include <layerscope/algorithms/umap.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/umap_options_inl.hpp>
#include <layerscope/impl/umap_spectral_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Positions of n rows, [n, dims] without gaps.
struct UmapStart {
  std::vector<float> positions;
  UmapInitialization used = UmapInitialization::spectral;
  std::string reason;
};

/// Stretches each coordinate to `centre` ± `radius`, and adds noise of a hundred-thousandth of that, so that no two
/// rows start on one point.
LAYERSCOPE_INLINE void scale_start(std::int64_t n, std::int64_t dims, const double* centre, double radius,
                                   const Random& noise, double* positions) {
  for (std::int64_t axis = 0; axis < dims; ++axis) {
    double low = positions[axis];
    double high = positions[axis];
    for (std::int64_t i = 0; i < n; ++i) {
      low = (std::min)(low, positions[i * dims + axis]);
      high = (std::max)(high, positions[i * dims + axis]);
    }
    const double scale = high > low ? 2 * radius / (high - low) : 0;
    for (std::int64_t i = 0; i < n; ++i) {
      double& position = positions[i * dims + axis];
      position = centre[axis] + (scale > 0 ? (position - low) * scale - radius : 0) +
                 1e-5 * radius * noise.normal(static_cast<std::uint64_t>(i * dims + axis));
    }
  }
}

class UmapPlacement {
 public:
  static constexpr double radius = 5;  // as umap-learn, which has 0 to 10

  /// `x` is null where only neighbours are known. `rows` are those of the matrix that were kept, empty for all.
  UmapPlacement(const UmapGraph& graph, const UmapComponents& components, const UmapOptions& options, const AnyView* x,
                ThreadTeam& team)
      : graph_(graph),
        components_(components),
        options_(options),
        x_(x),
        team_(team),
        n_(graph.vertices()),
        dims_(options.dimensions),
        positions_(static_cast<std::size_t>(n_ * dims_)) {}

  UmapStart place(const std::vector<std::int64_t>& rows, std::int64_t given_rows) {
    UmapStart start;
    start.used = options_.initialization;
    start.reason = "asked for";
    switch (options_.initialization) {
      case UmapInitialization::spectral: place_spectral(start); break;
      case UmapInitialization::pca:
        if (x_ == nullptr) {
          start.used = UmapInitialization::random;
          start.reason = "principal components need the matrix, and only neighbours are given";
          place_random();
        } else {
          place_pca();
        }
        break;
      case UmapInitialization::random: place_random(); break;
      case UmapInitialization::given: place_given(rows, given_rows); break;
    }
    start.positions.assign(positions_.begin(), positions_.end());
    return start;
  }

 private:
  static std::size_t at(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }
  Random noise() const { return Random(options_.seed, 0x6e6f697365); }

  void place_random() {
    const Random random(options_.seed, 0x756e69);
    for (std::size_t i = 0; i < positions_.size(); ++i) positions_[i] = 2 * radius * (2 * random.uniform(i) - 1);
  }

  void place_pca() {
    PcaOptions options;
    options.components = dims_;
    options.non_finite = options_.non_finite;
    options.seed = options_.seed;
    options.threads = options_.threads;
    options.stop = options_.stop;
    const Pca found = pca(*x_, options);
    const Tensor scores = convert(found.transform(*x_, options_.threads, options_.non_finite), DType::f64);
    const double* const from = scores.data<double>();
    const std::int64_t columns = scores.extent(1);  // fewer than wanted of a matrix with fewer
    std::fill(positions_.begin(), positions_.end(), 0.0);
    for (std::int64_t i = 0; i < n_; ++i) {
      for (std::int64_t axis = 0; axis < (std::min)(columns, dims_); ++axis) {
        positions_[at(i * dims_ + axis)] = from[i * columns + axis];
      }
    }
    const double centre[3] = {};
    scale_start(n_, dims_, centre, radius, noise(), positions_.data());
  }

  /// Where component `c` lies: areas or volumes in proportion to the vertices, the largest in the middle, the others
  /// turned by the golden angle from one to the next.
  void component_place(std::int64_t c, double* centre, double& extent) const {
    const double all = static_cast<double>(n_);
    const double size = static_cast<double>(components_.first[at(c + 1)] - components_.first[at(c)]);
    const double before = static_cast<double>(components_.first[at(c)]);
    std::fill_n(centre, 3, 0.0);
    if (components_.count() == 1) {
      extent = radius;
      return;
    }
    const double power = 1 / static_cast<double>(dims_);
    extent = radius * std::pow(size / all, power);
    if (c == 0) return;
    // Boxes whose corners point at each other need the room of their diagonals.
    const double distance =
        2 * radius * std::sqrt(static_cast<double>(dims_)) * std::pow((before + size / 2) / all, power);
    const double angle = static_cast<double>(c) * std::numbers::pi * (3 - std::sqrt(5.0));
    // Heights 1/2, 1/4, 3/4, 1/8 … (van der Corput) cover a sphere evenly however many there are.
    double height = 0;
    for (std::int64_t i = c, digit = 2; dims_ == 3 && i > 0; i /= 2, digit *= 2) {
      height += static_cast<double>(i % 2) / static_cast<double>(digit);
    }
    height = dims_ == 3 ? 2 * height - 1 : 0;
    const double flat = std::sqrt(1 - height * height);
    centre[0] = distance * flat * std::cos(angle);
    centre[1] = distance * flat * std::sin(angle);
    centre[2] = distance * height;
  }

  /// The part of the graph on one component, its vertices numbered from 0.
  UmapGraph subgraph(std::int64_t c, std::vector<std::int32_t>& number) const {
    UmapGraph part;
    const std::int64_t begin = components_.first[at(c)];
    const std::int64_t end = components_.first[at(c + 1)];
    for (std::int64_t i = begin; i < end; ++i) {
      number[at(components_.vertices[at(i)])] = static_cast<std::int32_t>(i - begin);
    }
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t v = components_.vertices[at(i)];
      for (std::int64_t e = graph_.begin(v); e < graph_.end(v); ++e) {
        part.to.push_back(number[at(graph_.to[at(e)])]);
        part.weight.push_back(graph_.weight[at(e)]);
      }
      part.first.push_back(static_cast<std::int64_t>(part.to.size()));
    }
    return part;
  }

  /// Of a connected graph. `found` is empty where there are too few vertices for as many vectors.
  SpectralVectors spectral_vectors(const UmapGraph& graph) {
    const std::int64_t n = graph.vertices();
    if (n <= dims_) return {};
    std::vector<double> degrees(at(n), 0);
    for (std::int64_t v = 0; v < n; ++v) {
      for (std::int64_t e = graph.begin(v); e < graph.end(v); ++e) {
        degrees[at(v)] += static_cast<double>(graph.weight[at(e)]);
      }
    }
    constexpr std::int64_t dense_vertices = 128;
    if (n <= dense_vertices) return dense_spectral_vectors(graph, degrees, dims_);
    // MNIST takes some 100 products; what takes more than twice as many has no few vectors that are smoother than
    // others.
    return SpectralSolver(graph, degrees, options_.seed, team_).solve(dims_, 1e-2, 256);
  }

  void place_spectral(UmapStart& start) {
    const std::int64_t count = components_.count();
    std::vector<std::int32_t> number(count > 1 ? at(n_) : 0);
    std::vector<double> part;
    for (std::int64_t c = 0; c < count; ++c) {
      throw_if_stopped(options_.stop, "umap");
      const std::int64_t begin = components_.first[at(c)];
      const std::int64_t size = components_.first[at(c + 1)] - begin;
      const SpectralVectors found = spectral_vectors(count > 1 ? subgraph(c, number) : graph_);
      if (!found.vectors.empty() && !found.converged) {
        const std::string what = "the eigenvectors of the graph did not converge in " + to_text(found.products) +
                                 " products (residual " + to_short_text(found.residual, 2) + " of the eigenvalue)";
        start.used = x_ != nullptr ? UmapInitialization::pca : UmapInitialization::random;
        start.reason = what + (x_ != nullptr ? "" : ", and principal components need the matrix");
        if (x_ != nullptr) {
          place_pca();
        } else {
          place_random();
        }
        return;
      }
      part.assign(at(size * dims_), 0);
      if (found.vectors.empty()) {  // some few vertices: anywhere near each other
        const Random random(options_.seed, 0x666577);
        for (std::size_t i = 0; i < part.size(); ++i) part[i] = random.normal(at(begin * dims_) + i);
      }
      for (std::size_t axis = 0; axis < found.vectors.size(); ++axis) {
        for (std::int64_t i = 0; i < size; ++i) part[at(i * dims_) + axis] = found.vectors[axis][at(i)];
      }
      double centre[3];
      double extent = 0;
      component_place(c, centre, extent);
      scale_start(size, dims_, centre, extent, noise(), part.data());
      for (std::int64_t i = 0; i < size; ++i) {
        const std::int64_t v = components_.vertices[at(begin + i)];
        std::copy_n(part.begin() + i * dims_, dims_, positions_.begin() + v * dims_);
      }
    }
  }

  /// Rows without a position take the weighted mean of the neighbours that have one, again and again, then a random
  /// one.
  void place_given(const std::vector<std::int64_t>& rows, std::int64_t given_rows) {
    const Tensor given = checked_floats(*options_.initial, "initial", given_rows, dims_);
    std::vector<std::int32_t> missing;
    std::vector<char> known(at(n_), 1);
    double low[3] = {};
    double high[3] = {};
    for (std::int64_t i = 0; i < n_; ++i) {
      const float* const from = given.data<float>() + (rows.empty() ? i : rows[at(i)]) * dims_;
      if (!std::all_of(from, from + dims_, [](float value) { return is_finite(value); })) {
        known[at(i)] = 0;
        missing.push_back(static_cast<std::int32_t>(i));
        continue;
      }
      for (std::int64_t axis = 0; axis < dims_; ++axis) {
        positions_[at(i * dims_ + axis)] = static_cast<double>(from[axis]);
        low[axis] = (std::min)(low[axis], static_cast<double>(from[axis]));
        high[axis] = (std::max)(high[axis], static_cast<double>(from[axis]));
      }
    }
    std::vector<std::int32_t> placed;
    do {
      placed.clear();
      std::vector<std::int32_t> left;
      for (const std::int32_t v : missing) {
        double sum[3] = {};
        double weights = 0;
        for (std::int64_t e = graph_.begin(v); e < graph_.end(v); ++e) {
          const std::int64_t to = graph_.to[at(e)];
          if (known[at(to)] == 0) continue;
          const double weight = static_cast<double>(graph_.weight[at(e)]);
          weights += weight;
          for (std::int64_t axis = 0; axis < dims_; ++axis) sum[axis] += weight * positions_[at(to * dims_ + axis)];
        }
        if (!(weights > 0)) {
          left.push_back(v);
          continue;
        }
        placed.push_back(v);
        for (std::int64_t axis = 0; axis < dims_; ++axis) {
          const std::uint64_t draw = static_cast<std::uint64_t>(v * dims_ + axis);
          positions_[at(v * dims_ + axis)] = sum[axis] / weights + 1e-3 * noise().normal(draw);
        }
      }
      for (const std::int32_t v : placed) known[at(v)] = 1;
      missing.swap(left);
    } while (!placed.empty() && !missing.empty());
    const Random random(options_.seed, 0x756e69);
    for (const std::int32_t v : missing) {
      for (std::int64_t axis = 0; axis < dims_; ++axis) {
        const double width = high[axis] > low[axis] ? high[axis] - low[axis] : 2 * radius;
        const double draw = random.uniform(static_cast<std::uint64_t>(v * dims_ + axis));
        positions_[at(v * dims_ + axis)] = (low[axis] + high[axis]) / 2 + width * (draw - 0.5);
      }
    }
  }

  const UmapGraph& graph_;
  const UmapComponents& components_;
  const UmapOptions& options_;
  const AnyView* x_;
  ThreadTeam& team_;
  std::int64_t n_;
  std::int64_t dims_;
  std::vector<double> positions_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
