// libFuzzer target of readers/idx.hpp, plain and gzip.
#include <layerscope/core/error.hpp>
#include <layerscope/readers/idx.hpp>

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::uint64_t most = size % 4 == 0 ? 16 : std::uint64_t{1} << 36;  // so that the limit is met too
  try {
    const layerscope::Tensor tensor = layerscope::read_idx(std::as_bytes(std::span(data, size)), {.max_bytes = most});
    if (tensor.bytes() > most || tensor.bytes() > 1032 * size) std::abort();  // more than gzip can hold
  } catch (const layerscope::Error&) {  // the one exception that damaged files may cause
  }
  return 0;
}
