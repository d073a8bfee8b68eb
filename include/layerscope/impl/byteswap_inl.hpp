// Byte order of elements in place, for files whose order is not the machine's.
#pragma once

#include <layerscope/config.hpp>

#include <algorithm>
#include <cstddef>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Reverses the bytes of each element of `element` bytes in `bytes` bytes, a multiple of it.
inline void swap_bytes(std::byte* data, std::size_t bytes, std::size_t element) {
  if (element < 2) return;
  for (std::size_t at = 0; at < bytes; at += element) std::reverse(data + at, data + at + element);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
