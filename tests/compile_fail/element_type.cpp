// A pointer to something that is no element of a tensor.
// expected: constraints not satisfied
#include <layerscope/core/adapter.hpp>

#include <string>

#ifdef WRONG
using Value = std::string;
#else
using Value = double;
#endif

void f(Value* x) {
  layerscope::view(x, {3});
}
