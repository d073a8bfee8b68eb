// Float32 to and from the 16-bit float formats, in bulk.
//
// Rounding is to nearest, ties to even; subnormals, overflow to infinity and NaN as IEEE 754 has them, also where the
// processor was told to flush subnormals. NaN stays NaN, quiet. The instruction set is chosen at run time (isa.hpp).
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/dtype.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

void half_to_float(const Half* from, std::int64_t count, float* to);
void float_to_half(const float* from, std::int64_t count, Half* to);
void bfloat16_to_float(const BFloat16* from, std::int64_t count, float* to);
void float_to_bfloat16(const float* from, std::int64_t count, BFloat16* to);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/kernels/half_inl.hpp>
#endif
