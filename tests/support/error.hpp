// Runs something that must throw a layerscope::Error, and hands the error back for a look at its code and message.
#pragma once

#include <layerscope/core/error.hpp>

#include "support/catch.hpp"

namespace layerscope_test {

template <class Body>
layerscope::Error error_of(Body body) {
  try {
    body();
  } catch (const layerscope::Error& error) {
    return error;
  }
  FAIL("nothing was thrown; expected a layerscope::Error");
  return {layerscope::ErrorCode::closed, ""};
}

}  // namespace layerscope_test
