// Checks of what umap() is asked for.
#pragma once

#include <layerscope/algorithms/umap.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <cstdint>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE const char* name(UmapInitialization initialization) noexcept {
  switch (initialization) {
    case UmapInitialization::spectral: return "spectral";
    case UmapInitialization::pca: return "pca";
    case UmapInitialization::random: return "random";
    case UmapInitialization::given: return "given";
  }
  return "unknown";
}

LAYERSCOPE_INLINE UmapInitialization umap_initialization_from_name(std::string_view text) {
  for (const auto initialization :
       {UmapInitialization::spectral, UmapInitialization::pca, UmapInitialization::random, UmapInitialization::given}) {
    if (text == name(initialization)) return initialization;
  }
  throw Error(ErrorCode::invalid_argument,
              "initialisation \"" + std::string(text) + "\"; expected spectral, pca, random or given");
}

namespace detail {

template <class Number>
[[noreturn]] void refuse_umap_option(const char* option, Number found, const char* expected) {
  throw Error(ErrorCode::invalid_argument,
              std::string("umap: ") + option + " is " + to_text(found) + "; expected " + expected);
}

LAYERSCOPE_INLINE void check_umap_options(const UmapOptions& options) {
  const auto at_least = [](const char* option, std::int64_t found, std::int64_t least, const char* expected) {
    if (found < least) refuse_umap_option(option, found, expected);
  };
  at_least("n_neighbors", options.n_neighbors, 2, "2 or more");
  if (options.dimensions != 2 && options.dimensions != 3) {
    refuse_umap_option("dimensions", options.dimensions, "2 or 3");
  }
  at_least("epochs", options.epochs.value_or(0), 0, "0 or more");
  at_least("negative_sample_rate", options.negative_sample_rate, 0, "0 to 1000");
  if (options.negative_sample_rate > 1000) {
    refuse_umap_option("negative_sample_rate", options.negative_sample_rate, "0 to 1000");
  }
  const auto within = [](const char* option, double found, double least, double most, const char* expected) {
    if (!is_finite(found) || found < least || found > most) refuse_umap_option(option, found, expected);
  };
  within("spread", options.spread, 1e-3, 1e3, "a number from 0.001 to 1000");
  within("min_dist", options.min_dist, 0, options.spread, "a number from 0 to spread");
  within("learning_rate", options.learning_rate.value_or(1), 1e-6, 1e3, "a number from 0.000001 to 1000");
  within("local_connectivity", options.local_connectivity, 0, 1e9, "0 or more");
  within("set_op_mix_ratio", options.set_op_mix_ratio, 0, 1, "a number from 0 to 1");
  within("repulsion_strength", options.repulsion_strength, 0, 1e6, "a number from 0 to 1000000");
  within("alignment", options.alignment, 0, 1e6, "a number from 0 to 1000000");
  within("a", options.a.value_or(1), 1e-6, 1e6, "a number from 0.000001 to 1000000");
  within("b", options.b.value_or(1), 0.01, 4, "a number from 0.01 to 4");
  if ((options.initialization == UmapInitialization::given) != options.initial.has_value()) {
    throw Error(ErrorCode::invalid_argument, std::string("umap: initialization is ") + name(options.initialization) +
                                                 " and initial is " + (options.initial ? "there" : "absent") +
                                                 "; expected initialization given with initial, or neither");
  }
}

/// float32 [rows, columns] of a view of float32 or float64, or of [rows] for 1 column.
LAYERSCOPE_INLINE Tensor checked_floats(const AnyView& given, const char* what, std::int64_t rows,
                                        std::int64_t columns) {
  const Shape expected = columns == 1 ? Shape{rows} : Shape{rows, columns};
  const bool real = given.dtype() == DType::f32 || given.dtype() == DType::f64;
  if (!real || !(given.shape() == expected)) {
    throw Error(ErrorCode::invalid_argument, std::string("umap: ") + what + " has type " + name(given.dtype()) +
                                                 " and shape " + to_text(given.shape()) +
                                                 "; expected float32 or float64 and " + to_text(expected));
  }
  return convert(given, DType::f32);
}

}  // namespace detail
}  // namespace layerscope::inline LAYERSCOPE_ABI
