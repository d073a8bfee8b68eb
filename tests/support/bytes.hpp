// Files put together in memory, and what must hold for every reader of untrusted bytes.
#pragma once

#include <layerscope/core/error.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace layerscope_test {

inline std::vector<std::byte> to_bytes(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  return {bytes.begin(), bytes.end()};
}

/// `read(span)` of `file` cut at every length, and with every byte changed to a few others, must return or throw an
/// Error that names a reason; anything else fails the test. Returns how many of the cut files were refused.
template <class Read>
std::size_t survive_damage(const std::vector<std::byte>& file, Read read) {
  const auto refused = [&](std::span<const std::byte> bytes) {
    try {
      read(bytes);
    } catch (const layerscope::Error& error) {
      const std::string message = error.what();
      if (message.find(", byte ") == std::string::npos) FAIL("no offset in: " << message);
      return true;
    }
    return false;
  };
  std::size_t cut = 0;
  for (std::size_t size = 0; size < file.size(); ++size) {
    // A copy of its own, so that a sanitizer sees any read beyond the cut.
    const std::vector<std::byte> part(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    cut += refused(part) ? 1 : 0;
  }
  std::vector<std::byte> damaged = file;
  for (std::size_t at = 0; at < file.size(); ++at) {
    for (const unsigned value : {0u, 1u, 9u, 0x22u, 0x2Cu, 0x39u, 0x5Bu, 0x7Bu, 0x7Du, 0x7Fu, 0x80u, 0xFFu}) {
      damaged[at] = static_cast<std::byte>(value);
      refused(damaged);
    }
    damaged[at] = file[at];
  }
  return cut;
}

}  // namespace layerscope_test
