// The pieces of a vocabulary in llama2.c's binary format.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

class Tokenizer {
 public:
  static constexpr std::int64_t begin = 1, end = 2;  // of a story

  /// Throws layerscope::Error for a file that cannot be read or is not such a vocabulary of `size` pieces.
  Tokenizer(const std::string& path, std::int64_t size) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw layerscope::Error(layerscope::ErrorCode::io, path + ": cannot be read");
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    std::size_t at = 4;  // after the length of the longest piece
    while (static_cast<std::int64_t>(pieces_.size()) < size) {
      std::int32_t length = -1;
      if (at + 8 <= bytes.size()) std::memcpy(&length, bytes.data() + at + 4, 4);  // after the score
      at += 8;
      if (length < 0 || at + static_cast<std::size_t>(length) > bytes.size()) {
        throw layerscope::Error(layerscope::ErrorCode::format, path + ": ends within piece " +
                                                                   layerscope::to_text(pieces_.size()) + "; expected " +
                                                                   layerscope::to_text(size));
      }
      pieces_.push_back(bytes.substr(at, static_cast<std::size_t>(length)));
      at += static_cast<std::size_t>(length);
    }
    pieces_[begin] = "<s>";  // "\n<s>\n" in the file
  }

  const std::string& piece(std::int64_t token) const { return pieces_[static_cast<std::size_t>(token)]; }

  /// What a piece adds to a story: nothing at its begin, no space before its first word, bytes for "<0x0A>".
  std::string text(std::int64_t token, std::int64_t before) const {
    if (token == begin || token == end) return {};
    const std::string& found = piece(token);
    if (found.size() == 6 && found.starts_with("<0x")) {
      unsigned byte = 0;
      for (const char digit : std::string_view(found).substr(3, 2)) {
        byte = byte * 16 + static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'A' + 10);
      }
      return {static_cast<char>(byte)};
    }
    return before == begin && found.starts_with(' ') ? found.substr(1) : found;
  }

 private:
  std::vector<std::string> pieces_;
};
