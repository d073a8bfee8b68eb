// What all readers of files share.
//
// Files are untrusted. Every length in them is checked against what is left of the file before memory is taken, sizes
// are multiplied with overflow checks, and at most twice the bytes of the tensor plus 1 MiB are allocated (safetensors:
// plus four times its header). Nothing is executed, followed or mapped. Errors name the file, the byte and the reason:
// Error(format) for a damaged file, Error(unsupported) for a sound one with what a Tensor cannot hold,
// Error(too_large) beyond a cap, Error(io) when reading fails.
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

struct ReadOptions {
  /// The largest tensor to accept, in bytes; default 64 GiB. A file that declares more is refused before allocation.
  std::uint64_t max_bytes = std::uint64_t{1} << 36;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
