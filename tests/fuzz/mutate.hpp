// What the structure-aware mutators of the fuzz targets share: <reader>_mutator.cpp knows where the length fields and
// checksums of its format are, changes a part, and puts them right again, so that most inputs pass the first checks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace layerscope_fuzz {

using Bytes = std::vector<std::uint8_t>;

inline Bytes to_bytes(std::span<const std::uint8_t> bytes) {
  return {bytes.begin(), bytes.end()};
}

inline void append(Bytes& bytes, std::span<const std::uint8_t> more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

/// `part` after one of libFuzzer's own mutations, at most `room` bytes long.
inline Bytes mutated(std::span<const std::uint8_t> part, std::size_t room) {
  Bytes result(std::max({room, part.size(), std::size_t{1}}));
  std::copy(part.begin(), part.end(), result.begin());
  result.resize(LLVMFuzzerMutate(result.data(), part.size(), result.size()));
  return result;
}

/// Hands `file` back to libFuzzer; false when it is too long.
inline bool put(const Bytes& file, std::uint8_t* data, std::size_t max_size, std::size_t& size) {
  if (file.size() > max_size) return false;
  std::copy(file.begin(), file.end(), data);
  size = file.size();
  return true;
}

/// A small generator of numbers for choices that libFuzzer's seed decides (SplitMix64).
class Choices {
 public:
  explicit Choices(unsigned seed) : state_(seed) {}
  std::uint64_t below(std::uint64_t limit) {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % limit;
  }

 private:
  std::uint64_t state_;
};

}  // namespace layerscope_fuzz
