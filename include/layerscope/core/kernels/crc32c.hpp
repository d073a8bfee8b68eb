// CRC-32C (Castagnoli; RFC 3720 appendix B.4): the checksum of TensorBoard's event files.
#pragma once

#include <layerscope/config.hpp>

#include <cstddef>
#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

/// The checksum of `size` bytes: reflected polynomial 0x82F63B78, initial value and final xor 0xFFFFFFFF. Continues
/// `crc`, that of the bytes before; 0 for none. Uses the SSE4.2 instruction where the processor has it and
/// LAYERSCOPE_ISA does not cap the level (isa.hpp).
std::uint32_t crc32c(const void* data, std::size_t size, std::uint32_t crc = 0) noexcept;

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/kernels/crc32c_inl.hpp>
#endif
