// Body of readers/tensor_file.hpp.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/readers/detail/byte_source.hpp>
#include <layerscope/readers/idx.hpp>
#include <layerscope/readers/npy.hpp>
#include <layerscope/readers/safetensors.hpp>
#include <layerscope/readers/tensor_file.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <optional>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

enum class TensorFormat : std::uint8_t { npy, idx, safetensors, unknown };

inline TensorFormat tensor_format(const ByteSource& source) {
  std::array<std::byte, 9> start{};
  const auto size = static_cast<std::size_t>((std::min<std::uint64_t>)(source.size(), start.size()));
  source.read(0, std::span(start).first(size), "the magic");
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(start[i]); };
  if (size >= 6 && at(0) == 0x93 && at(1) == 'N' && at(2) == 'U' && at(3) == 'M' && at(4) == 'P' && at(5) == 'Y') {
    return TensorFormat::npy;
  }
  // A header of a multiple of 65,536 bytes begins with two zeros, as IDX does; "{" in its place tells them apart.
  if (size == 9 && at(8) == '{' && at(5) == 0 && at(6) == 0 && at(7) == 0) return TensorFormat::safetensors;
  if (size >= 4 && ((at(0) == 0 && at(1) == 0) || (at(0) == 0x1F && at(1) == 0x8B))) return TensorFormat::idx;
  return TensorFormat::unknown;
}

inline bool is_file(const std::string& path) {
  struct stat found;
  return stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode);
}

inline Tensor read_only_tensor(const Safetensors& file, const std::string& path) {
  const std::vector<SafetensorsEntry>& entries = file.entries();
  if (entries.size() == 1) return file.read(entries.front().name);
  std::string names;
  constexpr std::size_t listed = 8;
  for (std::size_t i = 0; i < (std::min)(entries.size(), listed); ++i) names += (i > 0 ? ", " : "") + entries[i].name;
  if (entries.size() > listed) names += " and " + to_text(entries.size() - listed) + " more";
  throw Error(ErrorCode::invalid_argument, "read_tensor: \"" + path + "\" has " + to_text(entries.size()) +
                                               " tensors (" + names + "); expected \"" + path + ":name\"");
}

}  // namespace detail

LAYERSCOPE_INLINE Tensor read_tensor(const std::string& location, const ReadOptions& options) {
  // The first colon after which a file's name ends; colons may be part of either name.
  std::string path = location;
  std::optional<std::string> tensor;
  for (std::size_t colon = 0; !detail::is_file(path);) {
    colon = location.find(':', colon);
    if (colon == std::string::npos) {
      path = location;
      break;
    }
    path = location.substr(0, colon);
    tensor = location.substr(++colon);
  }
  if (path == location) tensor.reset();

  const detail::TensorFormat format = detail::tensor_format(detail::ByteSource(path));
  if (format == detail::TensorFormat::safetensors) {
    const Safetensors file(path, options);
    return tensor ? file.read(*tensor) : detail::read_only_tensor(file, path);
  }
  if (tensor) {
    throw Error(ErrorCode::invalid_argument,
                "read_tensor: \"" + *tensor + "\" is given after \"" + path + "\", which holds one unnamed tensor");
  }
  if (format == detail::TensorFormat::npy) return read_npy(path, options);
  if (format == detail::TensorFormat::idx) return read_idx(path, options);
  throw Error(ErrorCode::format,
              "\"" + path + "\", byte 0: no known format; expected .npy, IDX (plain or .gz) or .safetensors");
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
