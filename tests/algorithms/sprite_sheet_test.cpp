#include <layerscope/algorithms/sprite_sheet.hpp>

#include <layerscope/core/tensor.hpp>

#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::error_of;

namespace {

ls::Rgb at(const ls::Image& image, std::int64_t x, std::int64_t y) {
  const ls::Image rgb = ls::to_rgb(image);
  const std::uint8_t* p = rgb.at(x, y);
  return {p[0], p[1], p[2]};
}

}  // namespace

TEST_CASE("Sprite sheet: a square grid, row by row, black where nothing is") {
  std::vector<ls::Image> images;
  for (int i = 0; i < 5; ++i) images.push_back(ls::make_image(4, 4, ls::Rgb{static_cast<std::uint8_t>(50 * i), 9, 1}));
  const ls::SpriteSheet sheet = ls::sprite_sheet(images);
  CHECK(sheet.warnings.empty());
  CHECK(sheet.sprites.width == 4);
  CHECK(sheet.sprites.height == 4);
  const ls::Image& picture = sheet.sprites.sheet.get();
  CHECK(picture.width == 12);
  CHECK(picture.height == 12);
  for (int i = 0; i < 5; ++i) {
    CHECK(at(picture, i % 3 * 4, i / 3 * 4) == ls::Rgb{static_cast<std::uint8_t>(50 * i), 9, 1});
    CHECK(at(picture, i % 3 * 4 + 3, i / 3 * 4 + 3) == ls::Rgb{static_cast<std::uint8_t>(50 * i), 9, 1});
  }
  CHECK(at(picture, 8, 4) == ls::Rgb{0, 0, 0});
  CHECK(at(picture, 11, 11) == ls::Rgb{0, 0, 0});
}

TEST_CASE("Sprite sheet: images that are not square lie in the middle of one") {
  const ls::SpriteSheet sheet = ls::sprite_sheet(std::vector<ls::Image>{ls::make_image(8, 2, ls::Rgb{255, 0, 0})});
  const ls::Image& picture = sheet.sprites.sheet.get();
  CHECK(picture.width == 8);
  CHECK(picture.height == 8);
  CHECK(at(picture, 0, 2) == ls::Rgb{0, 0, 0});
  CHECK(at(picture, 0, 3) == ls::Rgb{255, 0, 0});
  CHECK(at(picture, 7, 4) == ls::Rgb{255, 0, 0});
  CHECK(at(picture, 7, 5) == ls::Rgb{0, 0, 0});
}

TEST_CASE("Sprite sheet: thumbnails shrink to fit, and a warning says so") {
  ls::SpriteSheetOptions options;
  options.max_side = 10;
  const std::vector<ls::Image> images(4, ls::make_image(8, 8, ls::Rgb{7, 7, 7}));
  const ls::SpriteSheet sheet = ls::sprite_sheet(images, options);
  CHECK(sheet.sprites.width == 5);
  REQUIRE(sheet.warnings.size() == 1);
  CHECK_THAT(sheet.warnings[0], ContainsSubstring("from 8 to 5 pixels"));
  CHECK(sheet.sprites.sheet.get().width == 10);
  CHECK(at(sheet.sprites.sheet.get(), 9, 9) == ls::Rgb{7, 7, 7});
  options.max_thumbnail = 3;
  CHECK(ls::sprite_sheet(images, options).warnings.empty());
  CHECK(ls::sprite_sheet(images, options).sprites.width == 3);
}

TEST_CASE("Sprite sheet: tensors of every layout, scaled by the range of all") {
  ls::Tensor images(ls::DType::f32, {2, 1, 2, 2});
  float* values = images.mutable_data<float>();
  for (int i = 0; i < 8; ++i) values[i] = static_cast<float>(i) - 2;  // -2 to 5
  values[7] = std::numeric_limits<float>::quiet_NaN();                // -2 to 4
  const ls::SpriteSheet sheet = ls::sprite_sheet(images.view());
  const ls::Image& picture = sheet.sprites.sheet.get();
  CHECK(picture.format == ls::PixelFormat::gray);
  CHECK(picture.width == 4);
  CHECK(*picture.at(0, 0) == 0);
  CHECK(*picture.at(1, 0) == 43);  // 255 / 6 = 42.5
  CHECK(*picture.at(2, 1) == 255);
  CHECK(*picture.at(3, 1) == 0);  // NaN
  const ls::AnyView swapped = images.view().permute({3, 2, 0, 1});
  CHECK(ls::sprite_sheet(swapped, ls::Layout("WHNC")).sprites.sheet.get() == picture);
  CHECK(ls::sprite_sheet(*images.view().reshape({2, 2, 2})).sprites.sheet.get() == picture);

  ls::Tensor bytes(ls::DType::u8, {1, 1, 1, 3});  // NHWC
  const std::uint8_t colour[] = {10, 20, 30};
  for (int i = 0; i < 3; ++i) bytes.mutable_data<std::uint8_t>()[i] = colour[i];
  const ls::SpriteSheet coloured = ls::sprite_sheet(bytes.view(), ls::layouts::nhwc);
  CHECK(at(coloured.sprites.sheet.get(), 0, 0) == ls::Rgb{10, 20, 30});
}

TEST_CASE("Sprite sheet: what is refused") {
  const auto says = [](auto body, const std::string& words) {
    CHECK_THAT(error_of(body).what(), ContainsSubstring(words));
  };
  says([] { ls::sprite_sheet(std::vector<ls::Image>{}); }, "no images");
  says([] { ls::sprite_sheet(ls::Tensor(ls::DType::f32, {0, 2, 2}).view()); }, "[0, 2, 2]");
  says([] { ls::sprite_sheet(ls::Tensor(ls::DType::f32, {2, 2}).view()); }, "expected NHW or NCHW");
  says([] { ls::sprite_sheet(ls::Tensor(ls::DType::f32, {2, 2, 2, 2}).view()); }, "2 channels; expected 1");
  says([] { ls::sprite_sheet(ls::Tensor(ls::DType::f32, {2, 2, 2}).view(), ls::layouts::nchw); }, "as NCHW");
  ls::SpriteSheetOptions options;
  options.max_side = 1;
  const std::vector<ls::Image> two(2, ls::make_image(1, 1, ls::Rgb{}));
  CHECK(error_of([&] { ls::sprite_sheet(two, options); }).code() == ls::ErrorCode::too_large);
  options.max_thumbnail = 0;
  says([&] { ls::sprite_sheet(two, options); }, "max_thumbnail 0");
}
