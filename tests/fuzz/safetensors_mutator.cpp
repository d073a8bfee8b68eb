// Mutates the header of a safetensors file and keeps its length field true; now and then makes a new sound file, since
// offsets that fill the file without gaps are not met by chance.
#include "mutate.hpp"

#include <array>
#include <string>

using namespace layerscope_fuzz;

namespace {

Bytes packed(const Bytes& header, const Bytes& elements) {
  Bytes file;
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<std::uint8_t>(header.size() >> (8 * i)));
  append(file, header);
  append(file, elements);
  return file;
}

/// Up to four tensors side by side, in an order of their own in the header.
Bytes sound_file(Choices& choices) {
  struct Type {
    const char* name;
    std::uint64_t size;
  };
  constexpr std::array<Type, 15> types{{{"BOOL", 1},
                                        {"U8", 1},
                                        {"I8", 1},
                                        {"U16", 2},
                                        {"I16", 2},
                                        {"U32", 4},
                                        {"I32", 4},
                                        {"U64", 8},
                                        {"I64", 8},
                                        {"F16", 2},
                                        {"BF16", 2},
                                        {"F32", 4},
                                        {"F64", 8},
                                        {"F8_E4M3", 1},
                                        {"F64", 8}}};
  constexpr std::array<const char*, 6> names{"a", "", "conv1.weight", "\\u00e9", "\\ud83d\\ude00", "\\\"\\\\\\n"};
  std::vector<std::string> members;
  std::uint64_t offset = 0;
  const std::uint64_t count = choices.below(5);
  for (std::uint64_t i = 0; i < count; ++i) {
    const Type type = types[choices.below(types.size())];
    std::uint64_t bytes = type.size;
    std::string shape;
    const std::uint64_t rank = choices.below(choices.below(8) == 0 ? 10 : 4);
    for (std::uint64_t axis = 0; axis < rank; ++axis) {
      const std::uint64_t extent = choices.below(16) == 0 ? 0 : 1 + choices.below(rank < 3 ? 4 : 2);
      bytes *= extent;
      shape += (axis == 0 ? "" : ",") + std::to_string(extent);
    }
    const std::string name = names[choices.below(names.size())] + std::to_string(choices.below(8) == 0 ? 0 : i);
    std::string member = "\"" + name + "\":{\"dtype\":\"" + type.name + "\",\"shape\":[" + shape +
                         "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(offset + bytes) + "]}";
    members.insert(members.begin() + static_cast<std::ptrdiff_t>(choices.below(members.size() + 1)), member);
    offset += bytes;
  }
  if (choices.below(2) == 0) members.push_back(R"("__metadata__":{"format":"pt","x":"y"})");
  std::string header = "{";
  for (const std::string& member : members) header += (header.size() > 1 ? "," : "") + member;
  header += "}";
  header.append(choices.below(8), ' ');
  return packed({header.begin(), header.end()}, Bytes(offset, static_cast<std::uint8_t>(choices.below(3))));
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  Choices choices(seed);
  Bytes file = choices.below(16) == 0 ? sound_file(choices) : to_bytes({data, size});
  const std::uint64_t what = choices.below(8);
  if (file.size() < 8 || what == 0) return LLVMFuzzerMutate(data, size, max_size);
  const std::span<const std::uint8_t> rest = std::span<const std::uint8_t>(file).subspan(8);
  Bytes header = to_bytes(rest.first(std::min<std::size_t>(file[0] + 256u * file[1], rest.size())));
  Bytes elements = to_bytes(rest.subspan(header.size()));
  if (what == 1) {
    elements = mutated(elements, elements.size() + 16);
  } else if (what < 7) {
    header = mutated(header, max_size);
  }
  return put(packed(header, elements), data, max_size, size) ? size : LLVMFuzzerMutate(data, size, max_size);
}
