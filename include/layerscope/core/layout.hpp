// What each axis of a tensor means. A layout is said by the caller, never guessed from the extents.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/shape.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {
inline constexpr std::string_view axis_letters = "NCTLDHWOI";

/// Not constexpr: where a constant is wrong, the compiler's message names what cannot be called.
[[noreturn]] inline void layout_needs_1_to_8_distinct_letters_of_NCTLDHWOI(std::string_view axes) {
  throw Error(ErrorCode::invalid_argument,
              "layout: \"" + std::string(axes) + "\" is not 1 to 8 distinct letters of " + std::string(axis_letters));
}
}  // namespace detail

/// One letter per axis, outermost first: N samples, C channels or features, T tokens, L positions of a sequence,
/// D depth (or, after T, the features of a token), H rows, W columns, O output and I input channels of a weight.
/// `Layout{"NCHW"}`; the ones in use are named below. A column-major Eigen batch of features × samples is "CN".
class Layout {
 public:
  constexpr Layout() = default;
  /// Throws Error(invalid_argument) unless `axes` is 1 to 8 distinct letters of "NCTLDHWOI".
  constexpr explicit Layout(std::string_view axes) {
    bool valid = !axes.empty() && axes.size() <= static_cast<std::size_t>(max_rank);
    for (std::size_t i = 0; valid && i < axes.size(); ++i) {
      valid = detail::axis_letters.find(axes[i]) != std::string_view::npos &&
              axes.find(axes[i], i + 1) == std::string_view::npos;
      axes_[i] = axes[i];
    }
    if (!valid) detail::layout_needs_1_to_8_distinct_letters_of_NCTLDHWOI(axes);
    rank_ = static_cast<int>(axes.size());
  }

  constexpr int rank() const noexcept { return rank_; }
  constexpr std::string_view axes() const noexcept { return {axes_, static_cast<std::size_t>(rank_)}; }
  /// The axis that `letter` names, or -1.
  constexpr int find(char letter) const noexcept {
    const std::size_t at = axes().find(letter);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
  }
  friend constexpr bool operator==(const Layout& a, const Layout& b) noexcept { return a.axes() == b.axes(); }

 private:
  char axes_[max_rank] = {};
  int rank_ = 0;
};

namespace layouts {
inline constexpr Layout hw{"HW"}, chw{"CHW"}, nhw{"NHW"}, nchw{"NCHW"}, nhwc{"NHWC"}, ncdhw{"NCDHW"};
inline constexpr Layout nc{"NC"}, cn{"CN"}, ntd{"NTD"}, ncl{"NCL"};
inline constexpr Layout oi{"OI"}, oil{"OIL"}, oihw{"OIHW"}, oidhw{"OIDHW"};
}  // namespace layouts

}  // namespace layerscope::inline LAYERSCOPE_ABI
