// libFuzzer target of readers/safetensors.hpp. The tensors of a file that opens must all be readable and fill it.
#include <layerscope/core/error.hpp>
#include <layerscope/readers/safetensors.hpp>

#include <cstdint>
#include <cstdlib>
#include <memory>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::unique_ptr<const layerscope::Safetensors> file;
  try {
    file = std::make_unique<const layerscope::Safetensors>(std::as_bytes(std::span(data, size)));
  } catch (const layerscope::Error&) {  // the one exception that damaged files may cause
    return 0;
  }
  std::size_t bytes = 0;
  if (file->find("no tensor has this name \xFF") != nullptr) std::abort();  // and no header can hold it
  for (const auto& [name, tensor] : file->read_all()) {
    bytes += tensor.bytes();
    if (file->find(name) == nullptr) std::abort();
  }
  if (bytes > size) std::abort();
  return 0;
}
