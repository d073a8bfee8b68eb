// A view is for reading.
// expected: read-only location | returns a const value
#include <layerscope/core/tensor_view.hpp>

void f(const layerscope::TensorView<float>& x) {
#ifdef WRONG
  x(0) = 1;
#else
  (void)x(0);
#endif
}
