// JSON text (RFC 8259), written front to back: numbers by std::to_chars alone, strings always valid UTF-8.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/finite.hpp>

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// The length of the well-formed UTF-8 sequence at the front of `text`, or 0. `ill_formed` is then how many bytes one
/// U+FFFD stands for: the longest beginning of a well-formed sequence (Unicode 15, table 3-7 and section 3.9).
inline std::size_t utf8_length(std::string_view text, std::size_t& ill_formed) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  ill_formed = 1;
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  unsigned smallest = 0x80;  // of the second byte: overlong forms, surrogates and values past U+10FFFF are ill-formed
  unsigned largest = 0xBF;
  if (lead == 0xE0) smallest = 0xA0;
  if (lead == 0xED) largest = 0x9F;
  if (lead == 0xF0) smallest = 0x90;
  if (lead == 0xF4) largest = 0x8F;
  for (std::size_t i = 1; i < length; ++i, ++ill_formed) {
    if (i >= text.size() || byte(i) < smallest || byte(i) > largest) return 0;
    smallest = 0x80;
    largest = 0xBF;
  }
  return length;
}

inline bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    std::size_t ill_formed = 0;
    const std::size_t length = utf8_length(text, ill_formed);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// Appends to a string. The caller keeps objects and arrays balanced; members and elements of the two outermost levels
/// start new lines.
class JsonWriter {
 public:
  const std::string& text() const noexcept { return text_; }
  /// Whether a string so far had bytes that are no UTF-8; each such sequence was replaced by U+FFFD.
  bool replaced_utf8() const noexcept { return replaced_utf8_; }

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }

  JsonWriter& key(std::string_view name) {
    separate();
    append_string(name);
    text_ += ':';
    after_key_ = true;
    return *this;
  }

  JsonWriter& value(std::string_view text) {
    separate();
    append_string(text);
    return *this;
  }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(std::nullptr_t) {
    separate();
    text_ += "null";
    return *this;
  }
  JsonWriter& value(bool truth) {
    separate();
    text_ += truth ? "true" : "false";
    return *this;
  }
  template <std::integral Integer>
  JsonWriter& value(Integer number) {
    return append_number(number);
  }
  /// Shortest text that reads back the same; the strings "NaN", "Infinity" and "-Infinity" for the rest.
  template <std::floating_point Float>
  JsonWriter& value(Float number) {
    if (number == 0 && sign_bit(static_cast<double>(number))) {
      separate();
      text_ += "-0.0";  // "-0" is an integer to most parsers, and loses its sign
      return *this;
    }
    if (is_finite(number)) return append_number(number);
    if (is_nan(number)) return value("NaN");
    return value(sign_bit(static_cast<double>(number)) ? "-Infinity" : "Infinity");
  }

  template <class Value>
  JsonWriter& member(std::string_view name, const Value& content) {
    return key(name).value(content);
  }

 private:
  void separate() {
    if (after_key_) {
      after_key_ = false;
      return;
    }
    if (!first_) text_ += ',';
    first_ = false;
    if (depth_ == 1 || depth_ == 2) text_ += '\n';
  }
  JsonWriter& open(char bracket) {
    separate();
    text_ += bracket;
    first_ = true;
    ++depth_;
    return *this;
  }
  JsonWriter& close(char bracket) {
    text_ += bracket;
    first_ = false;
    if (--depth_ == 0) text_ += '\n';
    return *this;
  }
  template <class Number>
  JsonWriter& append_number(Number number) {
    separate();
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, number);
    text_.append(buffer, end.ptr);
    return *this;
  }

  void append_string(std::string_view text) {
    text_ += '"';
    while (!text.empty()) {
      std::size_t length = 0;
      std::size_t ill_formed = 0;
      const auto lead = static_cast<unsigned char>(text.front());
      if (lead == '"' || lead == '\\') {
        text_ += '\\';
        text_ += text.front();
        length = 1;
      } else if (lead < 0x20 || lead == 0x7F) {
        constexpr std::string_view digits = "0123456789abcdef";
        text_ += "\\u00";
        text_ += digits[lead >> 4];
        text_ += digits[lead & 15u];
        length = 1;
      } else if ((length = utf8_length(text, ill_formed)) == 0) {
        text_ += "\xEF\xBF\xBD";
        replaced_utf8_ = true;
        length = ill_formed;
      } else {
        text_ += text.substr(0, length);
      }
      text.remove_prefix(length);
    }
    text_ += '"';
  }

  std::string text_;
  int depth_ = 0;
  bool first_ = true;
  bool after_key_ = false;
  bool replaced_utf8_ = false;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
