// Linear centred kernel alignment of two matrices with the same rows.
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// ‖YᵀX‖² / (‖XᵀX‖·‖YᵀY‖), Frobenius norms, for x[rows, x_columns] and y[rows, y_columns], finite and at most 1e150 in
/// magnitude; in [0, 1], 0 where one is constant. Columns are centred here. By products of features, or of rows where
/// those are fewer.
double linear_cka(std::int64_t rows, std::int64_t x_columns, std::vector<double> x, std::int64_t y_columns,
                  std::vector<double> y, int threads);

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/linear_cka_inl.hpp>
#endif
