// Runs of a view's elements by row-major position, as float32 or float64: how one-pass algorithms read any tensor in
// blocks without copying it whole.
#pragma once

#include <layerscope/core/tensor_view.hpp>
#include <layerscope/impl/elements_inl.hpp>

#include <algorithm>
#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

class ElementRange {
 public:
  /// Borrows the view, which is not empty.
  explicit ElementRange(const AnyView& view) : view_(view), loop_(merged_loop(view)), direct_(view.contiguous()) {}

  /// Elements [start, start + count) as Work: in place where they lie there already, else converted into `buffer`.
  template <class Work>
  const Work* read(std::int64_t start, std::int64_t count, Work* buffer) const {
    if (direct_ && view_.dtype() == dtype_of<Work>) return static_cast<const Work*>(view_.data()) + start;
    visit_dtype(view_.dtype(), [&](auto element) { gather<decltype(element)>(start, count, buffer); });
    return buffer;
  }

 private:
  template <class From, class Work>
  void gather(std::int64_t start, std::int64_t count, Work* out) const {
    const int inner = loop_.extents.rank() - 1;
    Dims index = loop_.extents;
    for (int axis = inner; axis >= 0; --axis) {
      index[axis] = start % loop_.extents[axis];
      start /= loop_.extents[axis];
    }
    const std::int64_t stride = loop_.strides[inner];
    while (count > 0) {
      std::int64_t offset = 0;
      for (int axis = 0; axis <= inner; ++axis) offset += index[axis] * loop_.strides[axis];
      const From* const in = static_cast<const From*>(view_.data()) + offset;
      const std::int64_t run = (std::min)(count, loop_.extents[inner] - index[inner]);
      if (stride == 1) {
        for (std::int64_t i = 0; i < run; ++i) out[i] = convert_element<Work>(in[i]);
      } else {
        for (std::int64_t i = 0; i < run; ++i) out[i] = convert_element<Work>(in[i * stride]);
      }
      out += run;
      count -= run;
      index[inner] = 0;
      for (int axis = inner - 1; axis >= 0 && ++index[axis] == loop_.extents[axis]; --axis) index[axis] = 0;
    }
  }

  AnyView view_;
  Loop loop_;
  bool direct_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
