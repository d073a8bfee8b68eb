// The repulsion of t-SNE on a grid: points smeared over nodes, convolved with 1 / (1 + r²), and read back.
#pragma once

#include <layerscope/core/kernels/fft.hpp>
#include <layerscope/impl/kernels/tsne_inl.hpp>
#include <layerscope/impl/thread_team_inl.hpp>
#include <layerscope/impl/tsne_box.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

class TsneGrid {
 public:
  /// Most nodes of a padded grid: 200 MB.
  static constexpr double most_nodes = 16e6;

  /// Nodes of the padded grid that a layout of this span needs.
  static double nodes(const TsneBox& box) {
    const double scale = static_cast<double>(scale_for(box));
    const double least = (2 * scale * span(box, 0) + 56) * (2 * scale * span(box, 1) + 56);
    if (least > most_nodes) return least;
    return static_cast<double>(padded(nodes_along(box, 0))) * static_cast<double>(padded(nodes_along(box, 1)));
  }

  /// Σ_j q² (y_i − y_j) and Σ_j q, itself included, of all points.
  void repel(const TsneKernels& kernels, std::int64_t n, const float* x, const float* y, const TsneBox& box,
             float* force_x, float* force_y, float* total, ThreadTeam& team) {
    fit(box);
    sort(n, y, box.low[1], team);
    TsneGridRange job{};
    job.order = order_.data();
    job.x = x;
    job.y = y;
    job.x0 = box.low[0];
    job.y0 = box.low[1];
    job.scale = scale_;
    job.stride = columns_;
    job.self = self_.data();
    job.force_x = force_x;
    job.force_y = force_y;
    job.total = total;

    // Each strip of rows is smeared on its own, over three rows more; then the strips are added up in order.
    const std::int64_t strips = rows_ / strip_rows, strip_size = (strip_rows + 3) * columns_;
    strips_.resize(static_cast<std::size_t>(strips * strip_size));
    team.run(strips, [&](std::int64_t strip) {
      TsneGridRange range = job;
      range.grid = strips_.data() + strip * strip_size;
      std::fill(range.grid, range.grid + strip_size, 0.0F);
      range.first_row = strip * strip_rows;
      range.first = begins_[static_cast<std::size_t>(strip)];
      range.last = begins_[static_cast<std::size_t>(strip) + 1];
      kernels.spread(range);
    });
    team.run(strips, [&](std::int64_t strip) {
      const float* const own = strips_.data() + strip * strip_size;
      float* const out = grid_.data() + strip * strip_rows * columns_;
      std::copy(own, own + strip_rows * columns_, out);
      if (strip == 0) return;
      const float* const before = own - 3 * columns_;  // the last three rows of the strip before
      for (std::int64_t i = 0; i < 3 * columns_; ++i) out[i] += before[i];
    });
    plan_->filter(grid_.data(), {rows_, columns_, columns_}, transfer_.data(), scratch_.data(), team);
    team.run(strips, [&](std::int64_t strip) {
      TsneGridRange range = job;
      range.grid = grid_.data();
      range.first = begins_[static_cast<std::size_t>(strip)];
      range.last = begins_[static_cast<std::size_t>(strip) + 1];
      kernels.interpolate(range);
    });
  }

 private:
  static constexpr std::int64_t strip_rows = 4;
  static constexpr std::int64_t point_block = 8192;

  static double span(const TsneBox& box, int axis) {
    return static_cast<double>(box.high[axis]) - static_cast<double>(box.low[axis]);
  }
  /// Nodes per unit: 3 make the forces of splines those of the kernel within some 2 %. A layout of less than 8 units
  /// needs more, as its forces nearly cancel, but not so many that slopes drown in rounding.
  static float scale_for(const TsneBox& box) {
    return static_cast<float>(std::clamp(24 / (std::max)({span(box, 0), span(box, 1), 1e-3}), 3.0, 12.0));
  }
  /// A multiple of 16, so that a growing layout does not need another plan at every step.
  static std::int64_t nodes_along(const TsneBox& box, int axis) {
    return (static_cast<std::int64_t>(span(box, axis) * static_cast<double>(scale_for(box))) + 4 + 15) / 16 * 16;
  }
  /// Twice as many, so that the two ends do not meet, and room for the ripples of the splines' inverse.
  static std::int64_t padded(std::int64_t nodes) { return RealFft2d::good_size(2 * nodes + 16); }

  void fit(const TsneBox& box) {
    const std::int64_t columns = nodes_along(box, 0), rows = nodes_along(box, 1);
    const float scale = scale_for(box);
    if (plan_ && columns == columns_ && rows == rows_ && scale == scale_) return;
    scale_ = scale;
    plan_.emplace(padded(rows), padded(columns));
    rows_ = rows;
    columns_ = columns;
    grid_.assign(static_cast<std::size_t>(rows * columns), 0.0F);
    scratch_.resize(static_cast<std::size_t>(2 * plan_->spectrum_size()));
    transfer_.resize(static_cast<std::size_t>(plan_->spectrum_size()));

    // The kernel at the distances of the nodes, and the inverse of the splines at both ends, which is applied twice.
    const std::int64_t height = plan_->rows(), width = plan_->columns(), half = plan_->spectrum_columns();
    std::vector<float> kernel(static_cast<std::size_t>(height * width));
    const auto distance = [scale](std::int64_t at, std::int64_t size) {
      return static_cast<double>((std::min)(at, size - at)) / static_cast<double>(scale);
    };
    for (std::int64_t r = 0; r < height; ++r) {
      const double dy = distance(r, height);
      for (std::int64_t c = 0; c < width; ++c) {
        const double dx = distance(c, width);
        kernel[static_cast<std::size_t>(r * width + c)] = static_cast<float>(1 / (1 + dx * dx + dy * dy));
      }
    }
    plan_->forward(kernel.data(), {height, width, width}, transfer_.data(), scratch_.data(), 1);
    const auto spline = [](std::int64_t frequency, std::int64_t size) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(frequency) / static_cast<double>(size);
      return (2 + std::cos(angle)) / 3;
    };
    for (std::int64_t r = 0; r < height; ++r) {
      for (std::int64_t c = 0; c < half; ++c) {
        const double smear = spline(r, height) * spline(c, width);
        transfer_[static_cast<std::size_t>(r * half + c)] /= static_cast<float>(smear * smear);
      }
    }

    // What a smeared unit makes another feel a few nodes away; both signs of an offset together.
    std::vector<float> re = transfer_, im(re.size(), 0.0F);
    plan_->inverse(re.data(), im.data(), kernel.data(), {height, width, width}, 1);
    for (std::int64_t r = 0; r < 4; ++r) {
      for (std::int64_t c = 0; c < 4; ++c) {
        self_[static_cast<std::size_t>(4 * r + c)] = kernel[static_cast<std::size_t>(r % height * width + c % width)] *
                                                     static_cast<float>((r > 0 ? 2 : 1) * (c > 0 ? 2 : 1));
      }
    }
  }

  /// Points by strip, in their own order within one.
  void sort(std::int64_t n, const float* y, float y0, ThreadTeam& team) {
    const std::int64_t strips = rows_ / strip_rows, blocks = (n + point_block - 1) / point_block;
    order_.resize(static_cast<std::size_t>(n));
    counts_.assign(static_cast<std::size_t>(blocks * strips), 0);
    begins_.assign(static_cast<std::size_t>(strips) + 1, 0);
    const auto strip_of = [&](std::int64_t i) { return static_cast<std::int64_t>((y[i] - y0) * scale_) / strip_rows; };
    team.run(blocks, [&](std::int64_t block) {
      std::int64_t* const counts = counts_.data() + block * strips;
      for (std::int64_t i = block * point_block; i < (std::min)(n, (block + 1) * point_block); ++i) {
        ++counts[strip_of(i)];
      }
    });
    std::int64_t place = 0;
    for (std::int64_t strip = 0; strip < strips; ++strip) {
      begins_[static_cast<std::size_t>(strip)] = place;
      for (std::int64_t block = 0; block < blocks; ++block) {
        std::int64_t& count = counts_[static_cast<std::size_t>(block * strips + strip)];
        const std::int64_t here = count;
        count = place;
        place += here;
      }
    }
    begins_[static_cast<std::size_t>(strips)] = place;
    team.run(blocks, [&](std::int64_t block) {
      std::int64_t* const places = counts_.data() + block * strips;
      for (std::int64_t i = block * point_block; i < (std::min)(n, (block + 1) * point_block); ++i) {
        order_[static_cast<std::size_t>(places[strip_of(i)]++)] = static_cast<std::int32_t>(i);
      }
    });
  }

  std::optional<RealFft2d> plan_;
  std::int64_t rows_ = 0;
  float scale_ = 0;  ///< nodes per unit
  std::int64_t columns_ = 0;
  std::vector<float> transfer_;
  std::array<float, 16> self_{};
  std::vector<float> grid_;
  std::vector<float> scratch_;
  std::vector<float> strips_;
  std::vector<std::int32_t> order_;
  std::vector<std::int64_t> counts_;
  std::vector<std::int64_t> begins_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
