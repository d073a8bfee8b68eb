// The discrete Fourier transform of real float32 matrices, in two dimensions, and products in the frequency domain.
//
// Stockham's self-sorting algorithm with radices 2 to 5 (Van Loan, "Computational Frameworks for the Fast Fourier
// Transform", 1992, section 1.7), over as many columns or rows at once as a vector has lanes; two real rows make one
// complex one. The instruction set is chosen at run time (isa.hpp); the bits do not depend on the number of threads.
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>
#include <memory>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {
class ThreadTeam;
}

/// A plan for transforms of one size, with the conventions of numpy.fft.rfft2 and irfft2: the forward transform has no
/// factor, the inverse one divides by rows · columns. A spectrum is two planes, real and imaginary parts, of
/// [rows, columns / 2 + 1] each, row-major without gaps. Relative error near 3e-7 · log2(rows · columns).
///
/// Immutable once made: one plan may be used by several threads. `threads` <= 0 means every core.
class RealFft2d {
 public:
  /// Throws Error(invalid_argument) unless both sizes are at least 1 and have no prime factors but 2, 3 and 5.
  RealFft2d(std::int64_t rows, std::int64_t columns);
  ~RealFft2d();
  RealFft2d(RealFft2d&&) noexcept;
  RealFft2d& operator=(RealFft2d&&) noexcept;

  /// The smallest size that a plan takes and that is at least `n`.
  static std::int64_t good_size(std::int64_t n) noexcept;

  std::int64_t rows() const noexcept;
  std::int64_t columns() const noexcept;
  /// columns / 2 + 1.
  std::int64_t spectrum_columns() const noexcept;
  /// Numbers in one plane of a spectrum.
  std::int64_t spectrum_size() const noexcept { return rows() * spectrum_columns(); }

  /// A corner of a matrix: what lies outside it counts as zero on input, and is not computed on output.
  struct Corner {
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::int64_t row_stride = 0;  ///< elements between rows, at least `columns`
  };

  /// re + i·im = the transform of x, of which only the top left `corner` is given.
  void forward(const float* x, Corner corner, float* re, float* im, int threads = 0) const;

  /// The top left `corner` of the inverse transform. The imaginary parts of frequencies that are their own mirror image
  /// count as zero, as in numpy. `re` and `im` are overwritten.
  void inverse(float* re, float* im, float* x, Corner corner, int threads = 0) const;

  /// x = inverse(forward(x) · transfer) over the corner, in place; `transfer` is real, as that of a symmetric filter
  /// is: [rows, columns / 2 + 1]. `scratch` has 2 · spectrum_size() floats.
  void filter(float* x, Corner corner, const float* transfer, float* scratch, int threads = 0) const;
  /// The same, by a team that outlives many calls.
  void filter(float* x, Corner corner, const float* transfer, float* scratch, detail::ThreadTeam& team) const;

 private:
  struct Plan;
  std::unique_ptr<const Plan> plan_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/kernels/fft_inl.hpp>
#endif
