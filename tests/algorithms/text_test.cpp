#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/text.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;

namespace {

constexpr ls::Rgb white{255, 255, 255};
constexpr ls::Rgb black{0, 0, 0};

/// Rows of '#' and '.', as in the reference.
std::vector<std::string> drawn(const std::string& text, const ls::TextOptions& options = {}) {
  const ls::TextExtent extent = ls::text_extent(text, options);
  ls::Image image = ls::make_image(extent.width, extent.height, white);
  ls::draw_text(image, 0, 0, text, black, options);
  std::vector<std::string> rows;
  for (std::int64_t y = 0; y < image.height; ++y) {
    rows.emplace_back();
    for (std::int64_t x = 0; x < image.width; ++x) rows.back() += *image.at(x, y) == 0 ? '#' : '.';
  }
  return rows;
}

}  // namespace

TEST_CASE("text has the pixels that Pillow draws with the same font, bold one pixel further apart") {
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/font.txt");
  int samples = 0;
  for (std::string line; std::getline(file, line); ++samples) {
    const std::size_t space = line.find(' ');
    const auto weight = line.substr(0, space) == "6x13B" ? ls::FontWeight::bold : ls::FontWeight::regular;
    const std::vector<std::string> rows = drawn(line.substr(space + 1), {.scale = 1, .weight = weight});
    INFO(line);
    REQUIRE(rows.size() == 13);
    for (const std::string& row : rows) {
      std::string expected;
      REQUIRE(std::getline(file, expected));
      if (weight == ls::FontWeight::bold) {
        for (std::size_t end = expected.size(); end > 0; end -= 6) expected.insert(end, ".");
      }
      REQUIRE(row == expected);
    }
  }
  CHECK(samples == 6);
}

TEST_CASE("a scale makes every font pixel a square") {
  const auto small = drawn("Ag");
  const auto large = drawn("Ag", {.scale = 3});
  REQUIRE(large.size() == 39);
  for (std::size_t y = 0; y < large.size(); ++y) {
    for (std::size_t x = 0; x < large[y].size(); ++x) REQUIRE(large[y][x] == small[y / 3][x / 3]);
  }
}

TEST_CASE("what has no glyph is a box with its digits, as wide as text_extent says") {
  CHECK(ls::text_extent("") == ls::TextExtent{0, 13});
  CHECK(ls::text_extent("abc") == ls::TextExtent{18, 13});
  CHECK(ls::text_extent("é±µ").width == 18);               // Latin-1
  CHECK(ls::text_extent("Σ→…≤").width == 24);              // Greek and signs
  CHECK(ls::text_extent("日").width == 20);                // 65E5
  CHECK(ls::text_extent("😀").width == 28);                 // 01F600
  CHECK(ls::text_extent("\n").width == 12);                // a control character: 0A
  CHECK(ls::text_extent("\xFF").width == 12);              // no UTF-8
  CHECK(ls::text_extent("\xC0\x80").width == 24);          // overlong: two bytes that are not valid
  CHECK(ls::text_extent("\xED\xA0\x80").width == 36);      // a surrogate
  CHECK(ls::text_extent("\xF4\x90\x80\x80").width == 48);  // above U+10FFFF
  CHECK(ls::text_extent("\xE6\x97").width == 24);          // cut off
  CHECK(ls::text_extent(std::string_view("\0", 1)).width == 12);
  const std::vector<std::string> box = drawn("\xFF");
  CHECK(box[2].substr(0, 11) == "###########");
  CHECK(box[3].substr(0, 11) == "#.........#");
  CHECK(box[4].substr(0, 11) == "#.###.###.#");
  CHECK(box[5].substr(0, 11) == "#.#...#...#");
  CHECK(box[10].substr(0, 11) == "###########");
}

TEST_CASE("text is cut off at every edge, however far outside it starts") {
  for (const auto format : {ls::PixelFormat::gray, ls::PixelFormat::rgb, ls::PixelFormat::rgba}) {
    const ls::Image blank = ls::make_image(9, 7, format);
    constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max();
    for (const std::int64_t x :
         {-far - 1, std::int64_t{-20}, std::int64_t{-3}, std::int64_t{5}, std::int64_t{9}, far}) {
      for (const std::int64_t y :
           {-far - 1, std::int64_t{-8}, std::int64_t{0}, std::int64_t{6}, std::int64_t{7}, far}) {
        ls::Image image = blank;
        ls::draw_text(image, x, y, "W@\xFFW", white, {.scale = 2});
        const bool outside = x >= 9 || y >= 7 || x < -100 || y < -100;
        if (outside) CHECK(image == blank);
      }
    }
  }
}

TEST_CASE("elide keeps whole characters and fits the width") {
  CHECK(ls::elide("conv1", 30) == "conv1");
  CHECK(ls::elide("conv1/very/long", 60) == "conv1/ver…");
  CHECK(ls::elide("ééééé", 24) == "ééé…");
  CHECK(ls::elide("abc", 6) == "…");
  CHECK(ls::elide("abc", 5).empty());
  CHECK(ls::elide("", 0).empty());
  CHECK(ls::elide("abc", -10).empty());
  const std::string hostile = "a\xFFé日😀\xC0z";
  for (std::int64_t width = 0; width < 140; ++width) {
    for (const int scale : {1, 2}) {
      CHECK(ls::text_extent(ls::elide(hostile, width, {.scale = scale}), {.scale = scale}).width <= width);
    }
  }
}

TEST_CASE("wrapped lines fit, and hold every word") {
  const std::vector<std::string> lines = ls::detail::wrap_text("one two three four", 60, {});
  CHECK(lines == std::vector<std::string>{"one two", "three four"});
  CHECK(ls::detail::wrap_text("", 60, {}).empty());
  CHECK(ls::detail::wrap_text("a\nb", 60, {}) == std::vector<std::string>{"a", "b"});
  for (const std::string& line : ls::detail::wrap_text("averyveryverylongword and more", 48, {})) {
    CHECK(ls::text_extent(line).width <= 48);
  }
}

TEST_CASE("indexed images and scales outside 1 to 64 are refused") {
  ls::Image image = ls::make_image(4, 4, ls::PixelFormat::indexed);
  const ls::Error indexed = layerscope_test::error_of([&] { ls::draw_text(image, 0, 0, "a", black); });
  CHECK(std::string(indexed.what()) == "text: the image is indexed; expected gray, rgb or rgba (see to_rgb)");
  const ls::Error scale = layerscope_test::error_of([] { ls::text_extent("a", {.scale = 0}); });
  CHECK(std::string(scale.what()) == "text: scale 0; expected 1 to 64");
}
