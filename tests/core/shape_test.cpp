#include <layerscope/core/error.hpp>
#include <layerscope/core/shape.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;
using layerscope_test::error_of;

TEST_CASE("Dims holds up to eight numbers") {
  ls::Dims dims;
  CHECK(dims.rank() == 0);
  for (std::int64_t i = 0; i < 8; ++i) dims.push_back(-i);
  CHECK(dims.rank() == 8);
  CHECK(dims[7] == -7);
  CHECK(error_of([&] { dims.push_back(1); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(dims.rank() == 8);
  CHECK(error_of([] { ls::Dims{1, 2, 3, 4, 5, 6, 7, 8, 9}; }).code() == ls::ErrorCode::invalid_argument);
  dims[0] = 5;
  CHECK(*dims.begin() == 5);
  CHECK(dims.end() - dims.begin() == 8);
  CHECK(ls::Dims{1, 2} == ls::Dims(std::vector<std::int64_t>{1, 2}));
  CHECK(ls::Dims{1, 2} != ls::Dims{1, 2, 0});
  CHECK(ls::Dims{} != ls::Dims{0});
}

TEST_CASE("element_count multiplies with a check") {
  const std::int64_t large = std::int64_t{1} << 62;
  CHECK(ls::element_count({}) == 1);
  CHECK(ls::element_count({2, 3, 4}) == 24);
  CHECK(ls::element_count({2, 0, 4}) == 0);
  CHECK(ls::element_count({large, large, 0}) == 0);
  CHECK(ls::element_count({(std::numeric_limits<std::int64_t>::max)(), 1}) ==
        (std::numeric_limits<std::int64_t>::max)());
  CHECK(error_of([&] { ls::element_count({large, 2}); }).code() == ls::ErrorCode::too_large);
  CHECK(error_of([] { ls::element_count({2, -1}); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([] { ls::element_count({0, -1}); }).code() == ls::ErrorCode::invalid_argument);
}

TEST_CASE("row-major strides") {
  CHECK(ls::row_major_strides({}) == ls::Strides{});
  CHECK(ls::row_major_strides({2, 3, 4}) == ls::Strides{12, 4, 1});
  CHECK(ls::row_major_strides({2, 0, 4}) == ls::Strides{4, 4, 1});
  const std::int64_t large = std::int64_t{1} << 62;
  CHECK(ls::row_major_strides({0, large, large}).rank() == 3);  // no overflow beside a zero extent
  CHECK(error_of([&] { ls::row_major_strides({large, 2}); }).code() == ls::ErrorCode::too_large);
}

TEST_CASE("dims as text") {
  CHECK(ls::to_text(ls::Dims{}) == "[]");
  CHECK(ls::to_text(ls::Dims{-2, 3}) == "[-2, 3]");
}
