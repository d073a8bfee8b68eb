// Reads NumPy .npy files, format versions 1.0, 2.0 and 3.0 (numpy.lib.format).
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/readers/options.hpp>

#include <cstddef>
#include <span>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

/// The array of a file, row-major, in the element type and shape stored; `()` gives rank 0. Both byte orders and
/// Fortran order are read. What follows the array is ignored, as numpy.load() does. Object, structured, string, complex
/// and date arrays, and more than 8 dimensions, are Error(unsupported); a header over 64 KiB is Error(too_large).
Tensor read_npy(const std::string& path, const ReadOptions& options = {});

/// As above, from the bytes of such a file.
Tensor read_npy(std::span<const std::byte> file, const ReadOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/read_npy_inl.hpp>
#endif
