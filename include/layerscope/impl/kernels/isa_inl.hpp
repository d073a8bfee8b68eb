// Body of core/kernels/isa.hpp.
#pragma once

#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/impl/kernels/x86_inl.hpp>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#ifdef LAYERSCOPE_X86_KERNELS_
#include <cpuid.h>
#endif

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE IsaLevel supported_isa_level() noexcept {
#ifdef LAYERSCOPE_X86_KERNELS_
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  const bool has_f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & (1U << 29)) != 0;
  if (!has_f16c || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return IsaLevel::sse2;
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return has_avx512 ? IsaLevel::avx512 : IsaLevel::avx2;
#else
  return IsaLevel::portable;
#endif
}

namespace detail {

/// `supported` capped by the value of LAYERSCOPE_ISA, which may be null.
LAYERSCOPE_INLINE IsaLevel capped_isa_level(IsaLevel supported, const char* cap) noexcept {
  if (cap == nullptr) return supported;
  for (const IsaLevel level : {IsaLevel::portable, IsaLevel::sse2, IsaLevel::avx2, IsaLevel::avx512}) {
    if (std::string_view(cap) == name(level)) return (std::min)(level, supported);
  }
  return supported;
}

}  // namespace detail

LAYERSCOPE_INLINE IsaLevel isa_level() noexcept {
  static const IsaLevel level = detail::capped_isa_level(supported_isa_level(), std::getenv("LAYERSCOPE_ISA"));
  return level;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
