// libFuzzer target of readers/idx.hpp, plain and gzip.
#include <layerscope/core/error.hpp>
#include <layerscope/readers/idx.hpp>

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const layerscope::Tensor tensor = layerscope::read_idx(std::as_bytes(std::span(data, size)));
    if (tensor.bytes() > 1032 * size) std::abort();  // more than gzip can hold
  } catch (const layerscope::Error&) {               // the one exception that damaged files may cause
  }
  return 0;
}
