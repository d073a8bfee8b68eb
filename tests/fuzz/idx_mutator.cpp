// Mutates an IDX file, below its gzip wrapping where it has one, and often puts the number of elements and the wrapping
// right again: neither a product of extents nor a CRC-32 is met by chance.
#include "mutate.hpp"

#include <zlib.h>

using namespace layerscope_fuzz;

namespace {

constexpr std::size_t longest_plain = 4096;

/// What the first member of a gzip stream decompresses to, at most `longest_plain` bytes of it.
Bytes unwrapped(std::span<const std::uint8_t> file) {
  Bytes plain(longest_plain);
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return {};
  stream.next_in = const_cast<Bytef*>(file.data());
  stream.avail_in = static_cast<uInt>(file.size());
  stream.next_out = plain.data();
  stream.avail_out = static_cast<uInt>(plain.size());
  inflate(&stream, Z_FINISH);
  plain.resize(plain.size() - stream.avail_out);
  inflateEnd(&stream);
  return plain;
}

/// One member of gzip. A stored block, which costs nothing to make, or deflate at its best, which repeats much.
void wrap(Bytes& file, std::span<const std::uint8_t> plain, bool stored) {
  const auto little = [&file](unsigned long value, int bytes) {
    for (int i = 0; i < bytes; ++i) file.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  append(file, std::vector<std::uint8_t>{0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255});
  if (stored) {
    file.push_back(1);
    little(plain.size(), 2);
    little(~plain.size(), 2);
    append(file, plain);
  } else {
    Bytes packed(compressBound(static_cast<uLong>(plain.size())));
    uLong size = packed.size();
    compress2(packed.data(), &size, plain.data(), static_cast<uLong>(plain.size()), 9);
    append(file, std::span<const std::uint8_t>(packed).subspan(2, size - 6));  // without zlib's own header and sum
  }
  little(crc32(0, plain.data(), static_cast<uInt>(plain.size())), 4);
  little(plain.size(), 4);
}

/// Gives the file as many elements as its header declares, where that is little.
void fit(Bytes& plain) {
  if (plain.size() < 4) return;
  const std::size_t rank = plain[3];
  const std::size_t begin = 4 + 4 * rank;
  if (rank > 8 || plain.size() < begin) return;
  std::uint64_t elements = 1;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    std::uint64_t extent = 0;
    for (std::size_t i = 0; i < 4; ++i) extent = extent << 8 | plain[4 + 4 * axis + i];
    elements *= extent;
    if (elements > longest_plain) return;
  }
  const std::size_t size_of_type = plain[2] == 14 ? 8 : plain[2] >= 12 ? 4 : plain[2] == 11 ? 2 : 1;
  if (elements * size_of_type <= longest_plain) plain.resize(begin + elements * size_of_type, 7);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  Choices choices(seed);
  if (choices.below(4) == 0) return LLVMFuzzerMutate(data, size, max_size);
  const bool was_gzip = size > 2 && data[0] == 0x1F && data[1] == 0x8B;
  Bytes plain = was_gzip ? unwrapped({data, size}) : to_bytes({data, size});
  plain = mutated(plain, std::min(max_size, longest_plain));
  if (choices.below(4) != 0) fit(plain);
  if (choices.below(16) == 0) plain.push_back(0);
  const bool to_gzip = choices.below(16) == 0 ? !was_gzip : was_gzip;
  Bytes file;
  if (!to_gzip) {
    file = plain;
  } else {
    const std::size_t cut = choices.below(8) == 0 ? choices.below(plain.size() + 1) : plain.size();
    const bool stored = choices.below(4) != 0;
    wrap(file, std::span(plain).first(cut), stored);
    if (cut < plain.size()) wrap(file, std::span(plain).subspan(cut), stored);
  }
  return put(file, data, max_size, size) ? size : LLVMFuzzerMutate(data, size, max_size);
}
