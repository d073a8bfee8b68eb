// JSON text (RFC 8259), written front to back: numbers by std::to_chars alone, strings always valid UTF-8.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/detail/utf8.hpp>
#include <layerscope/core/finite.hpp>

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

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
      std::size_t length = 1;
      const auto lead = static_cast<unsigned char>(text.front());
      if (lead == '"' || lead == '\\') {
        text_ += '\\';
        text_ += text.front();
      } else if (lead < 0x20 || lead == 0x7F) {
        constexpr std::string_view digits = "0123456789abcdef";
        text_ += "\\u00";
        text_ += digits[lead >> 4];
        text_ += digits[lead & 15u];
      } else {
        const Utf8Sequence sequence = read_utf8(text);
        length = sequence.bytes;
        if (!sequence.valid) replaced_utf8_ = true;
        text_ += sequence.valid ? text.substr(0, length) : "\xEF\xBF\xBD";
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
