// A type without an adapter.
// expected: layerscope: no adapter for this type
// expected: specialise layerscope::adapter<X>
#include <layerscope/core/adapter.hpp>

struct Foreign {};

#ifndef WRONG
template <>
struct layerscope::adapter<Foreign> {
  static layerscope::TensorView<float> view(const Foreign&) { return {}; }
};
#endif

void f(const Foreign& x) {
  layerscope::view(x);
}
