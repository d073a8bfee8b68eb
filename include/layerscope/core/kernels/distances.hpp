// Distances of pairs of rows by their differences: no cancellation, for few pairs, close points and sums of magnitudes.
//
// What products of matrices give (matmul.hpp) is faster for many pairs, but errs by 1e-7 of the squared norms. The
// instruction set is chosen at run time (isa.hpp). Nothing is checked here: callers validate.
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

/// What the columns of a pair of rows add up to.
enum class Difference : std::uint8_t {
  squared,   ///< Σ (a − b)²
  absolute,  ///< Σ |a − b|
};

/// out[r] = the sum over d columns of a and of row rows[r] of `b`, whose rows are b_stride apart; float32 arithmetic.
void gathered_distances(Difference what, std::int64_t d, const float* a, const float* b, std::int64_t b_stride,
                        const std::int32_t* rows, std::int64_t count, float* out);

/// The sum over d columns of a and (b − shift) · scale in float64.
double exact_distance(Difference what, std::int64_t d, const double* a, const float* b, double shift, double scale);
double exact_distance(Difference what, std::int64_t d, const double* a, const double* b);

/// out[m, n] = the sums of rows of two blocks that pack_rows() made, on the calling thread. `scratch` has
/// packed_scratch_size() floats aligned to 64 bytes.
void differences_packed(Difference what, std::int64_t m, std::int64_t n, std::int64_t k, const float* a_packed,
                        const float* b_packed, float* out, std::int64_t out_stride, float* scratch);

/// out[rows] = the sums of squares of rows that pack_rows() made, in float32 arithmetic. `out` has room for whole
/// panels: packed_size(rows, 1) floats.
void packed_norms(std::int64_t rows, std::int64_t k, const float* packed, float* out);

/// The entries with values[j] <= limit or, where `limits` is not null, values[j] <= limits[j]: their positions in
/// increasing order to `hits`, which has room for `count` + 16; returns how many. Numbers are finite.
std::int64_t find_within(const float* values, std::int64_t count, float limit, const float* limits, std::int32_t* hits);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/kernels/distances_inl.hpp>
#endif
