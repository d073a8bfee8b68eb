#include <layerscope/sinks/null.hpp>

#include "support/catch.hpp"

namespace ls = layerscope;

TEST_CASE("NullSink takes everything and counts it") {
  ls::NullSink sink;
  for (int i = 0; i < 3; ++i) sink.write({});
  sink.flush();
  sink.report({});
  CHECK(sink.written() == 3);
  CHECK(sink.failed() == 0);
}
