// Reads a tensor from a file of any format that the readers know, as the command-line tool does.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/readers/options.hpp>

#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

/// The tensor that `location` names: "x.npy", "train-images-idx3-ubyte.gz", or "model.safetensors:conv1.weight". The
/// format is told by the file's first bytes, not by its name. After a safetensors file with a single tensor the name
/// may be left out. Throws Error(invalid_argument) for a missing or needless tensor name, Error(format) for a file of
/// no known format, and what read_npy(), read_idx() and Safetensors throw.
Tensor read_tensor(const std::string& location, const ReadOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/tensor_file_inl.hpp>
#endif
