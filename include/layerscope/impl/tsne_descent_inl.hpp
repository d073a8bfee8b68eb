// The gradient descent of t-SNE: forces, steps with momentum and gains, and the divergence.
#pragma once

#include <layerscope/algorithms/tsne.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/impl/affinities_inl.hpp>
#include <layerscope/impl/kernels/tsne_inl.hpp>
#include <layerscope/impl/thread_team_inl.hpp>
#include <layerscope/impl/tsne_box.hpp>
#include <layerscope/impl/tsne_grid_inl.hpp>
#include <layerscope/impl/tsne_tree_inl.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// One step's parameters.
struct TsneStep {
  double exaggeration;
  double rate;
  double momentum;
  double anchor_pull;  ///< of the gradient, for each unit from the anchor
};

class TsneDescent {
 public:
  TsneDescent(int dimensions, TsneRepulsion repulsion, double angle, int threads)
      : team(threads), dimensions_(static_cast<std::size_t>(dimensions)), repulsion_(repulsion), angle_(angle) {}

  /// For n points, their affinities set before; all at the origin.
  void resize(std::int64_t n) {
    n_ = n;
    const auto un = static_cast<std::size_t>(n);
    for (std::size_t c = 0; c < dimensions_; ++c) {
      position[c].assign(un, 0.0F);
      velocity_[c] = force_[c] = pull_[c] = position[c];
      gain_[c].assign(un, 1.0F);
    }
    total_.assign(un, 0.0F);
    if (dimensions_ == 2) plane_.assign(un, {0, 0});
  }

  void iterate(const TsneStep& step) {
    measure();
    sum_repulsion();
    const auto one_over_z = static_cast<float>(1 / normalization());
    sum_attraction();
    const auto strength = static_cast<float>(step.exaggeration), rate = static_cast<float>(step.rate);
    const auto momentum = static_cast<float>(step.momentum), anchored = static_cast<float>(step.anchor_pull);
    constexpr float longest_step = 5;  // a point thrown out by an early swing would not come back
    for_each_block([&](std::int64_t first, std::int64_t last, std::int64_t) {
      for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) {
        float length = 0;
        for (std::size_t c = 0; c < dimensions_; ++c) {
          const float gradient = strength * pull_[c][i] - one_over_z * force_[c][i];
          float& v = velocity_[c][i];
          float& g = gain_[c][i];
          g = (gradient > 0) != (v > 0) ? g + 0.2F : (std::max)(g * 0.8F, 0.01F);
          v = momentum * v - rate * g * gradient;
          length += v * v;
        }
        const float shrink = length > longest_step * longest_step ? longest_step / std::sqrt(length) : 1.0F;
        for (std::size_t c = 0; c < dimensions_; ++c) {
          float& v = velocity_[c][i];
          v *= shrink;
          if (!anchors.empty() && is_finite(anchors[i * dimensions_ + c])) {
            // An implicit step, stable for any strength.
            const float pull = anchored * rate * gain_[c][i] * (anchor_weights.empty() ? 1.0F : anchor_weights[i]);
            v = (v + pull * (anchors[i * dimensions_ + c] - position[c][i])) / (1 + pull);
          }
          position[c][i] += v;
        }
      }
    });
    interpolated += used_ == TsneRepulsion::interpolation;
    by_tree += used_ == TsneRepulsion::tree;
  }

  /// Σ p log(p / q), q = 1 / (1 + d²) / Z.
  double divergence() {
    if (affinities.affinity.empty()) return 0;
    measure();
    sum_repulsion();
    const double log_z = std::log(normalization());
    return sum_blocks([&](std::int64_t first, std::int64_t last) {
      double sum = 0;
      for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) {
        for (auto e = static_cast<std::size_t>(affinities.offsets[i]);
             e < static_cast<std::size_t>(affinities.offsets[i + 1]); ++e) {
          const auto p = static_cast<double>(affinities.affinity[e]);
          if (p <= 0) continue;
          double length = 1;
          for (std::size_t c = 0; c < dimensions_; ++c) {
            const double d = static_cast<double>(position[c][i]) -
                             static_cast<double>(position[c][static_cast<std::size_t>(affinities.neighbor[e])]);
            length += d * d;
          }
          sum += p * (std::log(p * length) + log_z);
        }
      }
      return sum;
    });
  }

  ThreadTeam team;
  Affinities affinities;
  std::array<std::vector<float>, 3> position;
  std::vector<float> anchors;         ///< none, or [n, dimensions]
  std::vector<float> anchor_weights;  ///< none, or [n]
  int interpolated = 0;
  int by_tree = 0;

 private:
  static constexpr std::int64_t block = 1024;  // points of one task

  std::int64_t blocks() const noexcept { return (n_ + block - 1) / block; }

  template <class F>  // f(first point, past the last one, number of the task)
  void for_each_block(F f) {
    team.run(blocks(), [&](std::int64_t task) { f(task * block, (std::min)(n_, (task + 1) * block), task); });
  }

  template <class F>  // f(first point, past the last one)
  double sum_blocks(F f) {
    std::vector<double> sums(static_cast<std::size_t>(blocks()), 0.0);
    for_each_block([&](std::int64_t first, std::int64_t last, std::int64_t task) {
      sums[static_cast<std::size_t>(task)] = f(first, last);
    });
    double sum = 0;
    for (const double part : sums) sum += part;
    return sum;
  }

  void measure() {
    std::vector<TsneBox> boxes(static_cast<std::size_t>(blocks()));
    for_each_block([&](std::int64_t first, std::int64_t last, std::int64_t task) {
      TsneBox& around = boxes[static_cast<std::size_t>(task)];
      for (std::size_t c = 0; c < dimensions_; ++c) {
        const auto [low, high] = std::minmax_element(position[c].data() + first, position[c].data() + last);
        around.low[c] = *low;
        around.high[c] = *high;
      }
      if (dimensions_ == 2) {
        for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) {
          plane_[i] = {position[0][i], position[1][i]};
        }
      }
    });
    box_ = boxes.front();
    for (const TsneBox& other : boxes) {
      for (std::size_t c = 0; c < dimensions_; ++c) {
        box_.low[c] = (std::min)(box_.low[c], other.low[c]);
        box_.high[c] = (std::max)(box_.high[c], other.high[c]);
      }
    }
  }

  /// What costs least, in units of one pair, by measurement.
  TsneRepulsion choose() const {
    const bool plane = dimensions_ == 2;
    const double nodes = plane ? TsneGrid::nodes(box_) : 0;
    const bool fits = plane && nodes <= TsneGrid::most_nodes;
    if (repulsion_ == TsneRepulsion::interpolation) {
      return fits ? TsneRepulsion::interpolation : TsneRepulsion::tree;
    }
    if (repulsion_ != TsneRepulsion::automatic) return repulsion_;
    const auto points = static_cast<double>(n_);
    const double exact = points * points;
    const double grid = fits ? nodes * std::log2(nodes) + 150 * points + 20000 : exact;
    const double tree = (plane ? 2800 : 6000) * points;
    if (exact <= (std::min)(grid, tree)) return TsneRepulsion::exact;
    return grid <= tree ? TsneRepulsion::interpolation : TsneRepulsion::tree;
  }

  void sum_repulsion() {
    used_ = choose();
    if (used_ == TsneRepulsion::interpolation) {
      grid_.repel(kernels_, n_, position[0].data(), position[1].data(), box_, force_[0].data(), force_[1].data(),
                  total_.data(), team);
      return;
    }
    std::array<const float*, 3> from{};
    std::array<float*, 3> to{};
    for (std::size_t c = 0; c < dimensions_; ++c) {
      from[c] = position[c].data();
      to[c] = force_[c].data();
    }
    const auto dimensions = static_cast<int>(dimensions_);
    if (used_ == TsneRepulsion::tree) {
      tree_.repel(kernels_, n_, dimensions, angle_, from, box_, to, total_.data(), team);
      return;
    }
    // Narrower tasks than elsewhere, as each point has n times as much to do.
    constexpr std::int64_t points = 64;
    team.run((n_ + points - 1) / points, [&](std::int64_t task) {
      kernels_.pairs({task * points,
                      (std::min)(n_, (task + 1) * points),
                      n_,
                      dimensions,
                      {from[0], from[1], from[2]},
                      {to[0], to[1], to[2]},
                      total_.data()});
    });
  }

  void sum_attraction() {
    TsneEdges job{};
    for (std::size_t c = 0; c < dimensions_; ++c) {
      job.y[c] = position[c].data();
      job.force[c] = pull_[c].data();
    }
    if (dimensions_ == 2) job.plane = plane_.front().data();
    job.offsets = affinities.offsets.data();
    job.neighbor = affinities.neighbor.data();
    job.affinity = affinities.affinity.data();
    for_each_block([&](std::int64_t first, std::int64_t last, std::int64_t) {
      TsneEdges range = job;
      range.first = first;
      range.last = last;
      (dimensions_ == 2 ? kernels_.edges_plane : kernels_.edges_space)(range);
    });
  }

  /// Σ_i Σ_{j ≠ i} q.
  double normalization() {
    const double sum = sum_blocks([&](std::int64_t first, std::int64_t last) {
      double part = 0;
      for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) {
        part += static_cast<double>(total_[i]) - 1;
      }
      return part;
    });
    return (std::max)(sum, 1e-30);
  }

  const std::size_t dimensions_;
  const TsneRepulsion repulsion_;
  const double angle_;
  const TsneKernels kernels_ = tsne_kernels(isa_level());
  std::int64_t n_ = 0;
  std::array<std::vector<float>, 3> velocity_;
  std::array<std::vector<float>, 3> gain_;
  std::array<std::vector<float>, 3> force_;  ///< of the repulsion, not yet divided by Z
  std::array<std::vector<float>, 3> pull_;
  std::vector<float> total_;
  std::vector<std::array<float, 2>> plane_;
  TsneBox box_{};
  TsneGrid grid_;
  TsneTree tree_;
  TsneRepulsion used_ = TsneRepulsion::exact;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
