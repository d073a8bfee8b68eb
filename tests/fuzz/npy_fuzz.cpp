// libFuzzer target of readers/npy.hpp. What is read must be written and read back the same.
#include <layerscope/core/error.hpp>
#include <layerscope/core/npy.hpp>
#include <layerscope/readers/npy.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::uint64_t most = size % 4 == 0 ? 16 : std::uint64_t{1} << 36;  // so that the limit is met too
  try {
    const layerscope::Tensor tensor = layerscope::read_npy(std::as_bytes(std::span(data, size)), {.max_bytes = most});
    if (tensor.bytes() > most || tensor.bytes() > size) std::abort();
    const layerscope::Tensor again = layerscope::read_npy(layerscope::encode_npy(tensor));
    const bool same = again.dtype() == tensor.dtype() && again.shape() == tensor.shape() &&
                      (tensor.empty() || std::memcmp(again.raw(), tensor.raw(), tensor.bytes()) == 0);
    if (!same) std::abort();
  } catch (const layerscope::Error&) {  // the one exception that damaged files may cause
  }
  return 0;
}
