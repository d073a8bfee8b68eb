// Passes over a block that lies in the first-level cache: sums, extremes, magnitudes; dispatched by instruction set.
#pragma once

#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/impl/kernels/x86_inl.hpp>

#include <cstdint>
#include <limits>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Bits of the magnitudes, which order as the magnitudes do.
struct MagnitudeScan {
  std::uint64_t largest;
  std::uint64_t smallest_nonzero;  ///< 0 when all are zero
  bool any_positive;
  bool any_negative;  ///< −0 included
};

/// Of finite numbers, at least one.
struct SumScan {
  double sum;
  double min;
  double max;
  std::uint64_t zeros;
};

/// Σ(x − centre) and Σ(x − centre)².
struct DeviationScan {
  double sum;
  double squares;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#define LAYERSCOPE_KERNEL_BODY <layerscope/impl/kernels/moments_body.inc>
#include <layerscope/impl/kernels/for_each_level.inc>
#undef LAYERSCOPE_KERNEL_BODY

#ifdef LAYERSCOPE_X86_KERNELS_
#define LAYERSCOPE_DISPATCH_(type, call)                    \
  switch (isa_level()) {                                    \
    case IsaLevel::avx512: return level_avx512::type::call; \
    case IsaLevel::avx2: return level_avx2::type::call;     \
    default: return level_portable::type::call;             \
  }
#else
#define LAYERSCOPE_DISPATCH_(type, call) return level_portable::type::call;
#endif

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline MagnitudeScan scan_magnitudes(const float* x, std::int64_t count) {
  LAYERSCOPE_DISPATCH_(f32, scan_magnitudes(x, count))
}
inline MagnitudeScan scan_magnitudes(const double* x, std::int64_t count) {
  LAYERSCOPE_DISPATCH_(f64, scan_magnitudes(x, count))
}
inline SumScan scan_sums(const float* x, std::int64_t count) {
  LAYERSCOPE_DISPATCH_(f32, scan_sums(x, count))
}
inline SumScan scan_sums(const double* x, std::int64_t count) {
  LAYERSCOPE_DISPATCH_(f64, scan_sums(x, count))
}
inline DeviationScan scan_deviations(const float* x, std::int64_t count, double centre) {
  LAYERSCOPE_DISPATCH_(f32, scan_deviations(x, count, centre))
}
inline DeviationScan scan_deviations(const double* x, std::int64_t count, double centre) {
  LAYERSCOPE_DISPATCH_(f64, scan_deviations(x, count, centre))
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#undef LAYERSCOPE_DISPATCH_
