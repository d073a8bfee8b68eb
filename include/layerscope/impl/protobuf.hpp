// The wire format of protocol buffers (https://protobuf.dev/programming-guides/encoding), as far as it is written here.
#pragma once

#include <layerscope/config.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline constexpr std::size_t varint_size(std::uint64_t value) noexcept {
  return static_cast<std::size_t>(std::bit_width(value | 1u) + 6) / 7;
}

/// Where the bytes of a message go.
struct ProtoText {
  std::string& text;
  void put(char byte) { text += byte; }
  void put(std::string_view bytes) { text += bytes; }
};

/// Or how many there would be, which a message inside another needs to know first.
struct ProtoSize {
  std::size_t size = 0;
  void put(char) noexcept { ++size; }
  void put(std::string_view bytes) noexcept { size += bytes.size(); }
};

template <class Out>
class ProtoWriter {
 public:
  explicit ProtoWriter(Out& out) noexcept : out_(out) {}

  /// int32, int64, enums and bool; negative ones take ten bytes.
  void integer(unsigned field, std::int64_t value) {
    varint(field << 3);
    varint(static_cast<std::uint64_t>(value));
  }
  void real(unsigned field, double value) {
    varint(field << 3 | 1);
    little_endian(std::bit_cast<std::uint64_t>(value), 8);
  }
  void real(unsigned field, float value) {
    varint(field << 3 | 5);
    little_endian(std::bit_cast<std::uint32_t>(value), 4);
  }
  void bytes(unsigned field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    out_.put(value);
  }
  /// `body` is a generic function that writes the fields of the inner message; it runs twice.
  template <class Body>
  void message(unsigned field, const Body& body) {
    ProtoSize size;
    ProtoWriter<ProtoSize> counter(size);
    body(counter);
    varint(field << 3 | 2);
    varint(size.size);
    body(*this);
  }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.put(static_cast<char>(value | 0x80));
    out_.put(static_cast<char>(value));
  }
  void little_endian(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) out_.put(static_cast<char>(value >> (8 * i) & 0xFF));
  }

  Out& out_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
