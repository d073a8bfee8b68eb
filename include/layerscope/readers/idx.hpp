// Reads IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist), plain or compressed by gzip.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/readers/options.hpp>

#include <cstddef>
#include <span>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

/// The tensor of a file of 1 to 8 dimensions: uint8, int8, int16, int32, float32 or float64. A file that begins as gzip
/// is decompressed while it is read, at most to the size that its header declares and 1,032 times its own (the most
/// that gzip can reach); without LAYERSCOPE_WITH_ZLIB it is Error(unsupported). Bytes missing or left over are
/// Error(format), as is a wrong checksum.
Tensor read_idx(const std::string& path, const ReadOptions& options = {});

/// As above, from the bytes of such a file.
Tensor read_idx(std::span<const std::byte> file, const ReadOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/read_idx_inl.hpp>
#endif
