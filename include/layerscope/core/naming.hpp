// Names of layers, tags and labels as file names: one path component each, safe on Linux, macOS and Windows, and two
// names never share one, not even on a file system that ignores case.
//
//   conv1               conv1                    letters, digits, ".", "_" and "-" stay
//   block/0:weight      block%2F0%3Aweight       every other byte is percent-encoded, UTF-8 byte by byte
//   .hidden  -rf  end.  %2Ehidden %2Drf end%2E   a dot first or last, and a hyphen first
//   nul  com1.txt       %6Eul %63om1.txt         device names of Windows
//   Conv1               Conv1+1                  capitals stay, and their places follow "+" as hexadecimal digits
//   (empty)             %_
//   over 200 bytes      128 bytes, "+h", 32 hexadecimal digits of a hash
//
// The digits after "+" are a bit mask over the ASCII letters of the name, least significant digit first, so that
// "Conv1" (Conv1+1) and "conv1" differ wherever case does not count. Everything but the hashed form decodes; two names
// of over 200 encoded bytes that begin alike are told apart by a 128-bit hash, which makes a collision by accident as
// good as impossible but does not resist someone who searches for one.
#pragma once

#include <layerscope/config.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI {

/// The longest encoded name in bytes. It leaves 55 for a step and an extension below the 255 that file systems take.
inline constexpr std::size_t max_component_bytes = 200;

/// `name`, any bytes, as one path component of 1 to 200 characters of [A-Za-z0-9._%+-]. Appending a suffix that
/// starts with ".", "_" or "-" to the result keeps it safe and, for one fixed suffix, injective.
std::string encode_component(std::string_view name);

/// The name that encode_component() gave `component` for; std::nullopt for the hashed form and for anything that
/// encode_component() does not return.
std::optional<std::string> decode_component(std::string_view component);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/naming_inl.hpp>
#endif
