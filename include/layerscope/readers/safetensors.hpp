// Reads safetensors files (https://huggingface.co/docs/safetensors): a JSON header, then the tensors' bytes.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/readers/options.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// One tensor of a file.
struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::uint64_t offset = 0;  ///< of its first byte in the file
  std::uint64_t bytes = 0;
};

/// An open file whose header is checked: at most 100 MB, at most a million tensors, names unique, and the tensors fill
/// the rest of the file without overlaps and holes. Copies share the file. Several threads may read at once.
class Safetensors {
 public:
  /// Throws Error(format) for a damaged file, Error(unsupported) for 8-bit floats and other types that a Tensor cannot
  /// hold or more than 8 dimensions, Error(too_large) beyond the caps, Error(io) when reading fails.
  explicit Safetensors(const std::string& path, const ReadOptions& options = {});
  /// Borrows the bytes of such a file, which must outlive this object.
  explicit Safetensors(std::span<const std::byte> file, const ReadOptions& options = {});

  /// All tensors, ordered by their place in the file.
  const std::vector<SafetensorsEntry>& entries() const noexcept;
  /// The file's own notes, `__metadata__`, ordered by key.
  const std::vector<std::pair<std::string, std::string>>& metadata() const noexcept;
  /// The entry of that name, or null.
  const SafetensorsEntry* find(std::string_view name) const noexcept;

  /// Reads one tensor. Throws Error(invalid_argument) for an unknown name, Error(too_large) beyond max_bytes.
  Tensor read(std::string_view name) const;
  /// Reads all tensors, in the order of entries().
  std::vector<std::pair<std::string, Tensor>> read_all() const;

 private:
  struct File;
  std::shared_ptr<const File> file_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/safetensors_inl.hpp>
#endif
