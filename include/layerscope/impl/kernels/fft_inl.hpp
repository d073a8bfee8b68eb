// Body of core/kernels/fft.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/kernels/fft.hpp>
#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/kernels/x86_inl.hpp>
#include <layerscope/impl/thread_team_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// One pass over the elements: `count` butterflies of `radix`, for each of `stride` places.
struct FftStage {
  int radix;
  std::int64_t count;
  std::int64_t stride;
  const float* twiddles;  ///< [count][radix - 1][2]
};

/// The transform of n elements.
struct FftAxis {
  std::int64_t n;
  const FftStage* stage;
  int stages;
};

/// Rows between a real matrix and half spectra.
struct FftRows {
  FftAxis axis;
  float* x;  ///< read by the forward pass, written by the inverse one
  std::int64_t x_stride;
  std::int64_t rows;     ///< at most 2 · lanes
  std::int64_t columns;  ///< of x that are given or wanted
  float* re;
  float* im;
  float* work;
};

enum class FftPass : std::uint8_t { forward, inverse, filter };

/// Columns of a spectrum, in place.
struct FftColumns {
  FftAxis axis;
  FftPass pass;
  float* re;
  float* im;
  std::int64_t stride;
  std::int64_t columns;   ///< at most `lanes`
  std::int64_t rows_in;   ///< the rest count as zero
  std::int64_t rows_out;  ///< the rest are not written
  const float* transfer;
  float factor;  ///< of the inverse
  float* work;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#define LAYERSCOPE_KERNEL_BODY <layerscope/impl/kernels/fft_body.inc>
#include <layerscope/impl/kernels/for_each_level.inc>
#undef LAYERSCOPE_KERNEL_BODY

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

struct FftKernels {
  std::int64_t lanes;
  void (*rows_forward)(const FftRows&);
  void (*rows_inverse)(const FftRows&);
  void (*columns)(const FftColumns&);
};

inline FftKernels fft_kernels(IsaLevel level) noexcept {
#ifdef LAYERSCOPE_X86_KERNELS_
  if (level == IsaLevel::avx512) {
    return {level_avx512::fft_lanes, level_avx512::fft_rows_forward, level_avx512::fft_rows_inverse,
            level_avx512::fft_columns};
  }
  if (level == IsaLevel::avx2) {
    return {level_avx2::fft_lanes, level_avx2::fft_rows_forward, level_avx2::fft_rows_inverse, level_avx2::fft_columns};
  }
#endif
  static_cast<void>(level);
  return {level_portable::fft_lanes, level_portable::fft_rows_forward, level_portable::fft_rows_inverse,
          level_portable::fft_columns};
}

/// The stages of an axis and the memory of their twiddles.
class FftSteps {
 public:
  explicit FftSteps(std::int64_t n) : n_(n) {
    std::vector<std::size_t> offsets;
    std::int64_t left = n, stride = 1;
    for (const int radix : {4, 2, 3, 5}) {
      for (; left % radix == 0; left /= radix, stride *= radix) {
        const std::int64_t count = left / radix;
        offsets.push_back(twiddles_.size());
        for (std::int64_t p = 0; p < count; ++p) {
          for (int j = 1; j < radix; ++j) {
            const double angle = -2 * std::numbers::pi * static_cast<double>(p * j) / static_cast<double>(left);
            twiddles_.push_back(static_cast<float>(std::cos(angle)));
            twiddles_.push_back(static_cast<float>(std::sin(angle)));
          }
        }
        stages_.push_back({radix, count, stride, nullptr});
      }
    }
    for (std::size_t i = 0; i < stages_.size(); ++i) stages_[i].twiddles = twiddles_.data() + offsets[i];
  }
  FftSteps(const FftSteps&) = delete;
  FftSteps& operator=(const FftSteps&) = delete;

  FftAxis axis() const noexcept { return {n_, stages_.data(), static_cast<int>(stages_.size())}; }

 private:
  std::int64_t n_;
  std::vector<FftStage> stages_;
  std::vector<float> twiddles_;
};

/// What is left of n > 0 without its factors 2, 3 and 5.
inline std::int64_t without_small_factors(std::int64_t n) noexcept {
  for (const std::int64_t factor : {2, 3, 5}) {
    while (n % factor == 0) n /= factor;
  }
  return n;
}

}  // namespace detail

struct RealFft2d::Plan {
  Plan(std::int64_t rows_wanted, std::int64_t columns_wanted)
      : rows(rows_wanted), columns(columns_wanted), along_rows(columns_wanted), along_columns(rows_wanted) {}

  std::int64_t half() const noexcept { return columns / 2 + 1; }

  /// Work space of one task, aligned to 64 bytes: two buffers of the longer axis, and the planes of a real row.
  std::shared_ptr<std::byte> work() const {
    const std::int64_t longer = (std::max)(rows, columns);
    return allocate_bytes(static_cast<std::size_t>((2 * longer + 2 * half()) * 2 * kernels.lanes) * sizeof(float));
  }

  enum class Direction : std::uint8_t { forward, inverse };

  void rows_pass(Direction direction, float* x, const Corner& corner, float* re, float* im,
                 detail::ThreadTeam& team) const {
    const std::int64_t block = 2 * kernels.lanes;
    team.run((corner.rows + block - 1) / block, [&](std::int64_t task) {
      const std::int64_t first = task * block;
      const auto buffer = work();
      const detail::FftRows job{along_rows.axis(),   x + first * corner.row_stride,
                                corner.row_stride,   (std::min)(block, corner.rows - first),
                                corner.columns,      re + first * half(),
                                im + first * half(), reinterpret_cast<float*>(buffer.get())};
      (direction == Direction::forward ? kernels.rows_forward : kernels.rows_inverse)(job);
    });
  }

  void columns_pass(detail::FftPass pass, float* re, float* im, std::int64_t rows_in, std::int64_t rows_out,
                    const float* transfer, detail::ThreadTeam& team) const {
    const float factor = static_cast<float>(1.0 / (static_cast<double>(rows) * static_cast<double>(columns)));
    team.run((half() + kernels.lanes - 1) / kernels.lanes, [&](std::int64_t task) {
      const std::int64_t first = task * kernels.lanes;
      const auto buffer = work();
      kernels.columns({along_columns.axis(), pass, re + first, im + first, half(),
                       (std::min)(kernels.lanes, half() - first), rows_in, rows_out,
                       transfer == nullptr ? nullptr : transfer + first, factor,
                       reinterpret_cast<float*>(buffer.get())});
    });
  }

  const std::int64_t rows;
  const std::int64_t columns;
  const detail::FftSteps along_rows;     ///< transforms of `columns` elements
  const detail::FftSteps along_columns;  ///< transforms of `rows` elements
  const detail::FftKernels kernels = detail::fft_kernels(isa_level());
};

LAYERSCOPE_INLINE RealFft2d::RealFft2d(std::int64_t rows, std::int64_t columns) {
  for (const std::int64_t size : {rows, columns}) {
    if (size < 1 || detail::without_small_factors(size) != 1) {
      throw Error(ErrorCode::invalid_argument,
                  "fft: size " + to_text(size) + "; expected at least 1 and no prime factors but 2, 3 and 5");
    }
  }
  plan_ = std::make_unique<const Plan>(rows, columns);
}

LAYERSCOPE_INLINE RealFft2d::~RealFft2d() = default;
LAYERSCOPE_INLINE RealFft2d::RealFft2d(RealFft2d&&) noexcept = default;
LAYERSCOPE_INLINE RealFft2d& RealFft2d::operator=(RealFft2d&&) noexcept = default;

LAYERSCOPE_INLINE std::int64_t RealFft2d::good_size(std::int64_t n) noexcept {
  n = (std::max)(n, std::int64_t{1});
  while (detail::without_small_factors(n) != 1) ++n;
  return n;
}

LAYERSCOPE_INLINE std::int64_t RealFft2d::rows() const noexcept {
  return plan_->rows;
}
LAYERSCOPE_INLINE std::int64_t RealFft2d::columns() const noexcept {
  return plan_->columns;
}
LAYERSCOPE_INLINE std::int64_t RealFft2d::spectrum_columns() const noexcept {
  return plan_->half();
}

LAYERSCOPE_INLINE void RealFft2d::forward(const float* x, Corner corner, float* re, float* im, int threads) const {
  detail::ThreadTeam team(threads);
  plan_->rows_pass(Plan::Direction::forward, const_cast<float*>(x), corner, re, im, team);  // which does not write x
  plan_->columns_pass(detail::FftPass::forward, re, im, corner.rows, rows(), nullptr, team);
}

LAYERSCOPE_INLINE void RealFft2d::inverse(float* re, float* im, float* x, Corner corner, int threads) const {
  detail::ThreadTeam team(threads);
  plan_->columns_pass(detail::FftPass::inverse, re, im, rows(), corner.rows, nullptr, team);
  plan_->rows_pass(Plan::Direction::inverse, x, corner, re, im, team);
}

LAYERSCOPE_INLINE void RealFft2d::filter(float* x, Corner corner, const float* transfer, float* scratch,
                                         detail::ThreadTeam& team) const {
  float* const im = scratch + spectrum_size();
  plan_->rows_pass(Plan::Direction::forward, x, corner, scratch, im, team);
  plan_->columns_pass(detail::FftPass::filter, scratch, im, corner.rows, corner.rows, transfer, team);
  plan_->rows_pass(Plan::Direction::inverse, x, corner, scratch, im, team);
}

LAYERSCOPE_INLINE void RealFft2d::filter(float* x, Corner corner, const float* transfer, float* scratch,
                                         int threads) const {
  detail::ThreadTeam team(threads);
  filter(x, corner, transfer, scratch, team);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
