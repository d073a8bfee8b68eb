// Tensors as NumPy .npy files, format version 1.0 (numpy.lib.format), which numpy.load() reads.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// The header of a little-endian, row-major file, padded with spaces to a multiple of 64 bytes. bfloat16, which NumPy
/// has no name for, is given as float32.
std::string npy_header(DType dtype, const Shape& shape);

/// The whole file as bytes: header, then the elements row-major; bfloat16 is converted to float32.
std::vector<std::byte> encode_npy(const AnyView& view);

/// Writes the file through publish_file(). A row-major tensor is written from where it lies, another is copied first.
/// Throws as publish_file().
void write_npy(const std::string& path, const AnyView& view, const PublishOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/npy_inl.hpp>
#endif
