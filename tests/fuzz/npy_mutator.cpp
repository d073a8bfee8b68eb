// Mutates the header or the elements of a .npy file and keeps the header's length field true.
#include "mutate.hpp"

using namespace layerscope_fuzz;

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  Choices choices(seed);
  const std::size_t preamble = size > 6 && data[6] >= 2 ? 12 : 10;
  if (size < preamble || choices.below(4) == 0) return LLVMFuzzerMutate(data, size, max_size);
  const std::span<const std::uint8_t> rest = std::span<const std::uint8_t>(data, size).subspan(preamble);
  const std::size_t declared = data[8] + 256u * data[9];
  Bytes header = to_bytes(rest.first(std::min(declared, rest.size())));
  Bytes elements = to_bytes(rest.subspan(header.size()));
  if (choices.below(4) == 0) {
    elements = mutated(elements, max_size - preamble - header.size());
  } else {
    header = mutated(header, max_size - preamble - elements.size());
  }
  Bytes file = to_bytes({data, preamble});
  file[8] = static_cast<std::uint8_t>(header.size());
  file[9] = static_cast<std::uint8_t>(header.size() >> 8);
  append(file, header);
  append(file, elements);
  std::size_t result = size;
  put(file, data, max_size, result);
  return result;
}
