// Bodies of core/kernels/half.hpp.
#pragma once

#include <layerscope/core/kernels/half.hpp>
#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/impl/kernels/x86_inl.hpp>

#ifdef LAYERSCOPE_X86_KERNELS_
#include <immintrin.h>
#endif

#define LAYERSCOPE_KERNEL_BODY <layerscope/impl/kernels/half_body.inc>
#include <layerscope/impl/kernels/for_each_level.inc>
#undef LAYERSCOPE_KERNEL_BODY

namespace layerscope::inline LAYERSCOPE_ABI::detail {

struct HalfKernels {
  void (*half_to_float)(const std::uint16_t*, std::int64_t, float*);
  void (*float_to_half)(const float*, std::int64_t, std::uint16_t*);
  void (*bfloat16_to_float)(const std::uint16_t*, std::int64_t, float*);
  void (*float_to_bfloat16)(const float*, std::int64_t, std::uint16_t*);
};

LAYERSCOPE_INLINE HalfKernels half_kernels(IsaLevel level) noexcept {
#ifdef LAYERSCOPE_X86_KERNELS_
  if (level == IsaLevel::avx512) {
    return {level_avx512::half_to_float, level_avx512::float_to_half, level_avx512::bfloat16_to_float,
            level_avx512::float_to_bfloat16};
  }
  if (level == IsaLevel::avx2) {
    return {level_avx2::half_to_float, level_avx2::float_to_half, level_avx2::bfloat16_to_float,
            level_avx2::float_to_bfloat16};
  }
#endif
  static_cast<void>(level);
  return {level_portable::half_to_float, level_portable::float_to_half, level_portable::bfloat16_to_float,
          level_portable::float_to_bfloat16};
}

static_assert(sizeof(Half) == sizeof(std::uint16_t) && sizeof(BFloat16) == sizeof(std::uint16_t));

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE void half_to_float(const Half* from, std::int64_t count, float* to) {
  detail::half_kernels(isa_level()).half_to_float(reinterpret_cast<const std::uint16_t*>(from), count, to);
}

LAYERSCOPE_INLINE void float_to_half(const float* from, std::int64_t count, Half* to) {
  detail::half_kernels(isa_level()).float_to_half(from, count, reinterpret_cast<std::uint16_t*>(to));
}

LAYERSCOPE_INLINE void bfloat16_to_float(const BFloat16* from, std::int64_t count, float* to) {
  detail::half_kernels(isa_level()).bfloat16_to_float(reinterpret_cast<const std::uint16_t*>(from), count, to);
}

LAYERSCOPE_INLINE void float_to_bfloat16(const float* from, std::int64_t count, BFloat16* to) {
  detail::half_kernels(isa_level()).float_to_bfloat16(from, count, reinterpret_cast<std::uint16_t*>(to));
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
