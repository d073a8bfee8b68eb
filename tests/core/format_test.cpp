#include <layerscope/core/format.hpp>
#include <layerscope/core/random.hpp>

#include <bit>
#include <clocale>
#include <cstdint>
#include <limits>
#include <string>

#include "support/catch.hpp"
#include "support/ieee.hpp"

namespace ls = layerscope;

TEST_CASE("numbers become their shortest text") {
  CHECK(ls::to_text(0) == "0");
  CHECK(ls::to_text((std::numeric_limits<std::int64_t>::min)()) == "-9223372036854775808");
  CHECK(ls::to_text((std::numeric_limits<std::uint64_t>::max)()) == "18446744073709551615");
  CHECK(ls::to_text(0.1) == "0.1");
  CHECK(ls::to_text(0.1f) == "0.1");
  CHECK(ls::to_text(static_cast<double>(0.1f)) == "0.10000000149011612");
  CHECK(ls::to_text(1e300) == "1e+300");
  CHECK(ls::to_text(-0.0) == "-0");
  CHECK(ls::to_text(std::numeric_limits<double>::infinity()) == "inf");
  CHECK(ls::to_text(-std::numeric_limits<float>::infinity()) == "-inf");
  CHECK(ls::to_text(-std::numeric_limits<double>::quiet_NaN()) == "nan");
}

TEST_CASE("short text rounds to significant digits") {
  CHECK(ls::to_short_text(0.125) == "0.125");
  CHECK(ls::to_short_text(-3) == "-3");
  CHECK(ls::to_short_text(1.23456e-7, 2) == "1.2e-07");
  CHECK(ls::to_short_text(123456) == "1.235e+05");
  CHECK(ls::to_short_text(-0.0) == "0");
  CHECK(ls::to_short_text(std::numeric_limits<double>::quiet_NaN()) == "nan");
  CHECK(ls::to_short_text(-std::numeric_limits<double>::infinity()) == "-inf");
  CHECK(ls::to_short_text((std::numeric_limits<double>::max)(), 17) == "1.7976931348623157e+308");
}

TEST_CASE("text reads back as the same bits") {
  LAYERSCOPE_NEEDS_IEEE_ROUNDING();
  const ls::Random random(3);
  for (std::uint64_t i = 0; i < 100000; ++i) {
    const auto x = std::bit_cast<double>(random.bits(i));
    const auto y = std::bit_cast<float>(static_cast<std::uint32_t>(random.bits(i) >> 7));
    double x_back = 0;
    float y_back = 0;
    if (!ls::from_text(ls::to_text(x), x_back) || !ls::from_text(ls::to_text(y), y_back)) FAIL(i);
    if (x == x && std::bit_cast<std::uint64_t>(x_back) != std::bit_cast<std::uint64_t>(x)) FAIL(i);
    if (y == y && std::bit_cast<std::uint32_t>(y_back) != std::bit_cast<std::uint32_t>(y)) FAIL(i);
  }
}

TEST_CASE("from_text takes the whole text or nothing") {
  int i = 7;
  CHECK(ls::from_text("-12", i));
  CHECK(i == -12);
  for (const char* const text : {"", " 1", "1 ", "+1", "1.5", "0x10", "2147483648", "1,000"}) {
    CAPTURE(text);
    CHECK_FALSE(ls::from_text(text, i));
  }
  double x = 0;
  CHECK(ls::from_text("1e-3", x));
  CHECK(x == 1e-3);
  CHECK_FALSE(ls::from_text("1,5", x));
  CHECK_FALSE(ls::from_text("1e999", x));
}

TEST_CASE("no locale changes a text") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  bool found = false;
  for (const char* const locale : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8"}) {
    found = found || std::setlocale(LC_ALL, locale) != nullptr;
  }
  CHECK(found);
  CHECK(ls::to_text(1234567.5) == "1234567.5");
  double x = 0;
  CHECK(ls::from_text("0.5", x));
  std::setlocale(LC_ALL, before.c_str());
}
