#include <layerscope/core/layout.hpp>

#include <string>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;

TEST_CASE("a layout names each axis once") {
  constexpr ls::Layout layout{"NCHW"};
  STATIC_REQUIRE(layout.rank() == 4);
  STATIC_REQUIRE(layout.find('H') == 2);
  STATIC_REQUIRE(layout.find('T') == -1);
  CHECK(layout == ls::layouts::nchw);
  CHECK_FALSE(layout == ls::layouts::nhwc);
  CHECK_FALSE(layout == ls::layouts::chw);
  CHECK(layout.axes() == "NCHW");
  CHECK(ls::Layout().rank() == 0);
  CHECK(ls::Layout().find('N') == -1);
  CHECK(ls::Layout("NCTLDHWO").rank() == 8);
  for (const char* const bad : {"", "NN", "NCHX", "nchw", "N C", "NCTLDHWOI", "NCHWN", "NCTLDHWON"}) {
    const ls::Error error = layerscope_test::error_of([&] { ls::Layout{bad}; });
    CHECK(error.code() == ls::ErrorCode::invalid_argument);
    CHECK_THAT(error.what(), Catch::Matchers::ContainsSubstring("\"" + std::string(bad) + "\""));
  }
}
