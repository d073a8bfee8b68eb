// What a view of a tensor must be, told the slow way: the list of its elements' places in memory, in row-major order.
// Shares no code and no idea with core/tensor_view.hpp, which it is compared with.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace layerscope_fuzz {

/// Bytes of a fuzzer's input, one decision after the other; zeros once they are used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  bool done() const { return left_ == 0; }
  unsigned byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  unsigned below(unsigned limit) { return byte() % limit; }
  /// Mostly small, of either sign; now and then any number of 64 bits.
  std::int64_t number() {
    const unsigned first = byte();
    if (first < 240) return static_cast<std::int64_t>(first % 12) - 3;
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return static_cast<std::int64_t>(value);
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

using Numbers = std::vector<std::int64_t>;

inline std::int64_t product(const Numbers& extents) {
  if (std::find(extents.begin(), extents.end(), 0) != extents.end()) return 0;  // whatever stands beside it
  std::int64_t result = 1;
  for (const std::int64_t extent : extents) result *= extent;
  return result;
}

/// One number per axis; those past the rank are 0.
using Index = std::array<std::int64_t, 10>;

struct StridedModel {
  Numbers extents;
  Numbers places;  ///< of each element, in elements from the begin of the memory

  StridedModel(Numbers given, const Numbers& strides, std::int64_t origin) : extents(std::move(given)) {
    places.reserve(static_cast<std::size_t>(product(extents)));
    each_index(extents, [&](const Index& index) {
      std::int64_t place = origin;
      for (std::size_t axis = 0; axis < strides.size(); ++axis) place += index[axis] * strides[axis];
      places.push_back(place);
    });
  }

  /// Calls `visit` with every index in row-major order.
  template <class Visit>
  static void each_index(const Numbers& extents, Visit visit) {
    const std::int64_t count = product(extents);
    Index index{};
    for (std::int64_t flat = 0; flat < count; ++flat) {
      std::int64_t rest = flat;
      for (std::size_t axis = extents.size(); axis-- > 0;) {
        index[axis] = rest % extents[axis];
        rest /= extents[axis];
      }
      visit(index);
    }
  }

  std::int64_t place(const Index& index) const {
    std::int64_t flat = 0;
    for (std::size_t axis = 0; axis < extents.size(); ++axis) flat = flat * extents[axis] + index[axis];
    return places[static_cast<std::size_t>(flat)];
  }

  /// The elements at `source(index)` for every index of `new_extents`.
  template <class Source>
  void pick(Numbers new_extents, Source source) {
    Numbers picked;
    picked.reserve(static_cast<std::size_t>(product(new_extents)));
    each_index(new_extents, [&](const Index& index) { picked.push_back(place(source(index))); });
    places = std::move(picked);
    extents = std::move(new_extents);
  }

  StridedModel& narrow(std::size_t axis, std::int64_t start, std::int64_t count, std::int64_t step) {
    Numbers fewer = extents;
    fewer[axis] = count;
    pick(std::move(fewer), [&](Index index) {
      index[axis] = start + index[axis] * step;
      return index;
    });
    return *this;
  }

  void select(std::size_t axis, std::int64_t at) {
    Numbers rest = extents;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(axis));
    pick(std::move(rest), [&](const Index& index) {
      Index original{};
      for (std::size_t i = 0; i < extents.size(); ++i)
        original[i] = i < axis ? index[i] : i == axis ? at : index[i - 1];
      return original;
    });
  }

  StridedModel& permute(const std::vector<int>& axes) {
    Numbers turned;
    for (const int axis : axes) turned.push_back(extents[static_cast<std::size_t>(axis)]);
    pick(std::move(turned), [&](const Index& index) {
      Index original{};
      for (std::size_t i = 0; i < axes.size(); ++i) original[static_cast<std::size_t>(axes[i])] = index[i];
      return original;
    });
    return *this;
  }

  /// Whether constant strides reach all elements in this order.
  bool strided() const {
    if (places.empty()) return true;
    Numbers strides(extents.size(), 0);
    for (std::size_t axis = 0; axis < extents.size(); ++axis) {
      if (extents[axis] < 2) continue;
      Index index{};
      index[axis] = 1;
      strides[axis] = place(index) - places[0];
    }
    return StridedModel(extents, strides, places[0]).places == places;
  }

  bool gapless() const {
    for (std::size_t i = 1; i < places.size(); ++i) {
      if (places[i] != places[i - 1] + 1) return false;
    }
    return true;
  }
};

/// A number of any element type, exactly: long double holds every one of them.
struct Exact {
  long double value = 0;
  bool nan = false;
};

inline Exact exact_of_float_bits(std::uint64_t bits, int exponent_bits, int fraction_bits) {
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << fraction_bits) - 1);
  const int exponent = static_cast<int>(bits >> fraction_bits & ((1u << exponent_bits) - 1));
  const long double sign = (bits >> (exponent_bits + fraction_bits) & 1u) != 0 ? -1.0L : 1.0L;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  if (exponent == (1 << exponent_bits) - 1) {
    if (fraction != 0) return {0, true};
    return {sign * std::numeric_limits<long double>::infinity(), false};
  }
  const long double significand =
      static_cast<long double>(fraction) + (exponent == 0 ? 0 : std::ldexp(1.0L, fraction_bits));
  return {sign * std::ldexp(significand, (exponent == 0 ? 1 : exponent) - bias - fraction_bits), false};
}

/// Cut towards zero, held within 64 bits, NaN being 0.
inline std::int64_t truncated(Exact number) {
  if (number.nan) return 0;
  if (number.value >= 0x1p63L) return std::numeric_limits<std::int64_t>::max();
  if (number.value <= -0x1p63L) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(number.value);
}

}  // namespace layerscope_fuzz
