#include <layerscope/core/error.hpp>

#include <set>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"

namespace ls = layerscope;

TEST_CASE("errors carry a code and a message, under std::runtime_error") {
  try {
    throw ls::Error(ls::ErrorCode::too_large, "thing: 9; expected at most 8");
  } catch (const std::runtime_error& error) {
    CHECK(error.what() == std::string("thing: 9; expected at most 8"));
    CHECK(dynamic_cast<const ls::Error&>(error).code() == ls::ErrorCode::too_large);
  }
}

TEST_CASE("every code has a name of its own") {
  std::set<std::string> names;
  for (std::uint8_t code = 0; code <= static_cast<std::uint8_t>(ls::ErrorCode::cancelled); ++code) {
    CHECK(names.insert(ls::name(static_cast<ls::ErrorCode>(code))).second);
  }
  CHECK(names.size() == 9);
  CHECK(names.count("unknown") == 0);
  CHECK(ls::name(static_cast<ls::ErrorCode>(200)) == std::string("unknown"));
}
