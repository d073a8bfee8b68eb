// Which instruction set the functions of core/kernels use on this machine.
//
// Users compile with plain -O2 or -O3. Every kernel is compiled once per level, with `target` attributes, and the level
// is chosen when the program runs. The environment variable LAYERSCOPE_ISA (portable, sse2, avx2, avx512) caps it; it
// is read once. Results are bit-identical between runs of one level, and differ in the last bits between levels.
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Instruction sets in increasing order of vector width.
enum class IsaLevel : std::uint8_t {
  portable,  ///< 4-wide vectors in whatever the compiler's target has (NEON on aarch64)
  sse2,      ///< the baseline of x86-64; the code of `portable`
  avx2,      ///< AVX2, FMA and F16C
  avx512,    ///< AVX-512 F, BW, DQ and VL, and all of avx2
};

/// Stable name of a level, the one that LAYERSCOPE_ISA takes.
constexpr const char* name(IsaLevel level) noexcept {
  switch (level) {
    case IsaLevel::portable: return "portable";
    case IsaLevel::sse2: return "sse2";
    case IsaLevel::avx2: return "avx2";
    case IsaLevel::avx512: return "avx512";
  }
  return "unknown";
}

/// The highest level that this processor and operating system support.
IsaLevel supported_isa_level() noexcept;

/// The level in use: the supported one, capped by LAYERSCOPE_ISA as it stood at the first call. A value that is not one
/// of the names above caps nothing.
IsaLevel isa_level() noexcept;

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/kernels/isa_inl.hpp>
#endif
