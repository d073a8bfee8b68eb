// A layout with a letter that names no axis, in a constant.
// expected: layout_needs_1_to_8_distinct_letters_of_NCTLDHWOI
#include <layerscope/core/layout.hpp>

#ifdef WRONG
constexpr layerscope::Layout layout{"NCHQ"};
#else
constexpr layerscope::Layout layout{"NCHW"};
#endif
static_assert(layout.rank() == 4);
