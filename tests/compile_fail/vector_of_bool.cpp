// std::vector<bool> has no elements in memory.
// expected: layerscope: no adapter for this type
#include <layerscope/adapters/std.hpp>

#include <vector>

#ifdef WRONG
using Flags = std::vector<bool>;
#else
using Flags = std::vector<unsigned char>;
#endif

void f(const Flags& x) {
  layerscope::view(x);
}
