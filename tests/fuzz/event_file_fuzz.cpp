// libFuzzer target of readers/event_file.hpp. The checksums are put right first, as no fuzzer finds them; what is read
// must lie within the file, and the reader must get to its end.
#include <layerscope/core/error.hpp>
#include <layerscope/core/kernels/crc32c.hpp>
#include <layerscope/readers/event_file.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

void put_checksum(std::vector<std::byte>& file, std::size_t at, std::size_t begin, std::size_t size) {
  const std::uint32_t crc = layerscope::crc32c(file.data() + begin, size);
  const std::uint32_t masked = (crc >> 15 | crc << 17) + 0xA282EAD8u;
  std::memcpy(file.data() + at, &masked, sizeof masked);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  std::vector<std::byte> file(bytes.begin(), bytes.end());
  for (std::size_t at = 0; at + 12 <= size;) {
    std::uint64_t length = 0;
    std::memcpy(&length, file.data() + at, sizeof length);
    put_checksum(file, at + 8, at, 8);
    if (length > size || at + 16 + length > size) break;
    put_checksum(file, at + 12 + length, at + 12, length);
    at += 16 + length;
  }
  layerscope::EventFile events(file);
  std::uint64_t before = 0;
  for (layerscope::Event event;;) {
    try {
      if (!events.next(event)) break;
    } catch (const layerscope::Error&) {  // the one exception that damaged files may cause
      continue;                           // it has to come to an end all the same
    }
    if (events.position() <= before) std::abort();
    before = events.position();
    for (const layerscope::EventValue& value : event.values) {
      std::size_t held = value.numbers().size() * 4;
      for (const auto text : value.strings()) held += text.size();
      if (held > size) std::abort();
    }
  }
  if (events.position() + events.left() != size) std::abort();
  return 0;
}
