// -ffast-math lets the compiler reorder sums, divide by multiplying, and flush subnormal numbers to zero. What remains
// promised there is that NaN and infinity are found and that nothing breaks; exact rounding is not.
#pragma once

#include "support/catch.hpp"

#ifdef __FAST_MATH__
/// Ends the test case, visibly, where the compiler was told not to round as IEEE 754 says.
#define LAYERSCOPE_NEEDS_IEEE_ROUNDING()                                                   \
  do {                                                                                     \
    WARN("not checked: compiled with -ffast-math, which does not round as IEEE 754 says"); \
    return;                                                                                \
  } while (false)
#else
#define LAYERSCOPE_NEEDS_IEEE_ROUNDING() static_cast<void>(0)
#endif
