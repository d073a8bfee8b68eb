// Event files taken apart with nothing of the library's: records, checksums by the definition, fields of messages.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/temporary_directory.hpp"

namespace layerscope_test {

template <class Number>
Number little_endian(std::string_view bytes) {
  Number value;
  std::memcpy(&value, bytes.substr(0, sizeof value).data(), sizeof value);  // the tests run on such machines
  return value;
}

inline std::uint32_t masked_crc(std::string_view data) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      made[byte] = byte;
      for (int bit = 0; bit < 8; ++bit) made[byte] = (made[byte] >> 1) ^ ((made[byte] & 1u) != 0 ? 0x82F63B78u : 0u);
    }
    return made;
  }();
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char c : data) crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(c)) & 255u];
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

/// The data of every record. Throws for one that is cut or has a wrong checksum.
inline std::vector<std::string> records_of(std::string_view file) {
  std::vector<std::string> records;
  while (!file.empty()) {
    if (file.size() < 12) throw std::runtime_error("a cut header");
    const auto size = little_endian<std::uint64_t>(file);
    if (little_endian<std::uint32_t>(file.substr(8)) != masked_crc(file.substr(0, 8))) {
      throw std::runtime_error("the checksum of a length");
    }
    if (file.size() - 12 < size + 4) throw std::runtime_error("a cut record");
    const std::string_view data = file.substr(12, static_cast<std::size_t>(size));
    if (little_endian<std::uint32_t>(file.substr(12 + data.size())) != masked_crc(data)) {
      throw std::runtime_error("the checksum of a record");
    }
    records.emplace_back(data);
    file.remove_prefix(16 + data.size());
  }
  return records;
}

/// The fields of a message, in order.
class Message {
 public:
  struct Field {
    unsigned number;
    std::uint64_t value;  // of a number, its bits
    std::string bytes;    // of a string or message
  };

  explicit Message(std::string_view data) {
    while (!data.empty()) {
      const std::uint64_t key = varint(data);
      Field field{static_cast<unsigned>(key >> 3), 0, {}};
      switch (key & 7u) {
        case 0: field.value = varint(data); break;
        case 1: field.value = fixed<std::uint64_t>(data); break;
        case 5: field.value = fixed<std::uint32_t>(data); break;
        case 2: {
          const std::uint64_t size = varint(data);
          if (size > data.size()) throw std::runtime_error("a field beyond its message");
          field.bytes = data.substr(0, static_cast<std::size_t>(size));
          data.remove_prefix(static_cast<std::size_t>(size));
          break;
        }
        default: throw std::runtime_error("a wire type that is not in use");
      }
      fields_.push_back(std::move(field));
    }
  }

  std::vector<const Field*> all(unsigned number) const {
    std::vector<const Field*> found;
    for (const Field& field : fields_) {
      if (field.number == number) found.push_back(&field);
    }
    return found;
  }
  bool has(unsigned number) const { return !all(number).empty(); }
  std::uint64_t integer(unsigned number) const { return has(number) ? all(number).back()->value : 0; }
  double f64(unsigned number) const { return std::bit_cast<double>(all(number).at(0)->value); }
  float f32(unsigned number) const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(all(number).at(0)->value));
  }
  std::string bytes(unsigned number) const { return has(number) ? all(number).back()->bytes : ""; }
  Message message(unsigned number) const { return Message(bytes(number)); }

 private:
  static std::uint64_t varint(std::string_view& data) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (data.empty()) throw std::runtime_error("a cut varint");
      const auto byte = static_cast<unsigned char>(data.front());
      data.remove_prefix(1);
      value |= std::uint64_t{byte & 127u} << shift;
      if (byte < 128) return value;
    }
    throw std::runtime_error("a long varint");
  }
  template <class Number>
  static Number fixed(std::string_view& data) {
    if (data.size() < sizeof(Number)) throw std::runtime_error("a cut number");
    const auto value = little_endian<Number>(data);
    data.remove_prefix(sizeof(Number));
    return value;
  }

  std::vector<Field> fields_;
};

/// One value of one event, as TensorBoard's plugins see it.
struct SeenValue {
  std::int64_t step = 0;
  std::string tag;
  std::string plugin;  // "" for a plain scalar
  float scalar = 0;
  std::int64_t data_class = 0;
  std::int64_t dtype = 0;
  std::vector<std::int64_t> shape;
  std::vector<double> numbers;  // of a float64 tensor
  std::vector<std::string> strings;
  std::string content;  // of the plugin
  double wall_time = 0;
};

inline std::vector<SeenValue> values_of(std::string_view file) {
  std::vector<SeenValue> seen;
  for (const std::string& record : records_of(file)) {
    const Message event(record);
    if (!event.has(5)) continue;
    const Message summary = event.message(5);
    for (const auto* const field : summary.all(1)) {
      const Message value(field->bytes);
      SeenValue one;
      one.wall_time = event.f64(1);
      one.step = static_cast<std::int64_t>(event.integer(2));
      one.tag = value.bytes(1);
      if (value.has(2)) one.scalar = value.f32(2);
      if (value.has(9)) {
        one.plugin = value.message(9).message(1).bytes(1);
        one.content = value.message(9).message(1).bytes(2);
        one.data_class = static_cast<std::int64_t>(value.message(9).integer(4));
      }
      if (value.has(8)) {
        const Message tensor = value.message(8);
        one.dtype = static_cast<std::int64_t>(tensor.integer(1));
        const Message shape = tensor.message(2);
        for (const auto* const dim : shape.all(2)) {
          one.shape.push_back(static_cast<std::int64_t>(Message(dim->bytes).integer(1)));
        }
        const std::string content = tensor.bytes(4);
        for (std::size_t at = 0; at < content.size(); at += 8) {
          one.numbers.push_back(little_endian<double>(std::string_view(content).substr(at)));
        }
        for (const auto* const text : tensor.all(8)) one.strings.push_back(text->bytes);
      }
      seen.push_back(std::move(one));
    }
  }
  return seen;
}

/// The event files of a directory, in the order in which TensorBoard reads them.
inline std::vector<std::string> event_files(const TemporaryDirectory& directory) {
  std::vector<std::string> files;
  for (const std::string& name : directory.names()) {
    if (name.find("tfevents") != std::string::npos) files.push_back(directory / name);
  }
  return files;
}

}  // namespace layerscope_test
