// A type without an adapter, given to a function that takes any tensor.
// expected: layerscope: no adapter for this type
#include <layerscope/core/tensor_ref.hpp>

struct Foreign {};

#ifndef WRONG
template <>
struct layerscope::adapter<Foreign> {
  static layerscope::TensorView<float> view(const Foreign&) { return {}; }
};
#endif

layerscope::Shape f(const Foreign& x) {
  return layerscope::TensorRef(x).shape();
}
