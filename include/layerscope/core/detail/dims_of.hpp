// Extents and strides of outside types, whose integers and containers differ.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/shape.hpp>

#include <concepts>
#include <cstdint>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// value(0), value(1) … value(rank - 1). Throws Error(invalid_argument) unless 0 <= rank <= 8; `library` opens the
/// message.
template <std::integral Rank, class F>
Dims dims_of(const char* library, Rank rank, F value) {
  if (rank < Rank{0} || rank > static_cast<Rank>(max_rank)) {
    throw Error(ErrorCode::invalid_argument,
                std::string(library) + ": the tensor has " + to_text(rank) + " dimensions; expected 0 to 8");
  }
  Dims dims;
  for (Rank axis = 0; axis < rank; ++axis) dims.push_back(static_cast<std::int64_t>(value(axis)));
  return dims;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
