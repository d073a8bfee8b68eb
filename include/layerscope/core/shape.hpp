// Extents and strides of up to eight dimensions, kept inline, and their checked arithmetic.
#pragma once

#include <layerscope/config.hpp>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

inline constexpr int max_rank = 8;

/// Up to eight signed 64-bit numbers with value semantics: the extents, or the strides, of a tensor.
class Dims {
 public:
  constexpr Dims() = default;
  /// Throws Error(invalid_argument) for more than eight values.
  Dims(std::initializer_list<std::int64_t> values) : Dims(std::span(values.begin(), values.size())) {}
  explicit Dims(std::span<const std::int64_t> values);

  constexpr int rank() const noexcept { return rank_; }
  constexpr std::int64_t operator[](int axis) const noexcept { return values_[static_cast<std::size_t>(axis)]; }
  constexpr std::int64_t& operator[](int axis) noexcept { return values_[static_cast<std::size_t>(axis)]; }
  constexpr const std::int64_t* begin() const noexcept { return values_.data(); }
  constexpr const std::int64_t* end() const noexcept { return values_.data() + rank_; }

  void push_back(std::int64_t value);
  friend bool operator==(const Dims&, const Dims&) = default;

 private:
  std::array<std::int64_t, max_rank> values_{};
  int rank_ = 0;
};

/// Extents, outermost first.
using Shape = Dims;
/// Distance between neighbours along each axis, in elements; may be zero (expanded) or negative (flipped).
using Strides = Dims;

/// The number of elements. Throws Error(invalid_argument) for a negative extent and Error(too_large) beyond 2^63 − 1.
std::int64_t element_count(const Shape& shape);

/// Strides of a row-major tensor without gaps. Throws as element_count.
Strides row_major_strides(const Shape& shape);

/// "[2, 3, 4]".
std::string to_text(const Dims& dims);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/shape_inl.hpp>
#endif
