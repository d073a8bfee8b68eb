// A const temporary, which can be neither borrowed nor moved from.
// expected: layerscope: a const rvalue cannot be moved into a view
#include <layerscope/adapters/std.hpp>

#include <vector>

#ifdef WRONG
const std::vector<float> make();
#else
std::vector<float> make();
#endif

void f() {
  layerscope::view(make());
}
