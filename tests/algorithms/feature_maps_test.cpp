#include <layerscope/algorithms/feature_maps.hpp>
#include <layerscope/core/tensor.hpp>

#include <bit>
#include <string>

#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/pictures.hpp"

namespace ls = layerscope;
using layerscope_test::count_colour;
using layerscope_test::error_of;
using layerscope_test::normal_tensor;

TEST_CASE("every map reaches both ends of its scale, or all of one") {
  ls::Tensor x(ls::DType::f32, {2, 3, 1, 2});
  for (int i = 0; i < 12; ++i) x.mutable_data<float>()[i] = static_cast<float>((i % 2) * (1 << (i / 2)));
  const ls::Rgb top = ls::colour(ls::Colormap::viridis, 1);
  const ls::Image each = ls::feature_maps(x.view(), ls::layouts::nchw, {.zoom = 10});
  CHECK(count_colour(each, top) == 6 * 100);
  const ls::Image global = ls::feature_maps(x.view(), ls::layouts::nchw, {.scaling = ls::Scaling::global, .zoom = 10});
  CHECK(count_colour(global, top) >= 100);
  CHECK(count_colour(global, top) < 200);
}

TEST_CASE("a dead map among living ones looks dead") {
  ls::Tensor x(ls::DType::f32, {1, 3, 1, 2});
  x.mutable_data<float>()[0] = 1;
  x.mutable_data<float>()[2] = 2;  // channel 2 stays zero
  const ls::Image maps = ls::feature_maps(x.view(), ls::layouts::nchw, {.zoom = 10});
  CHECK(count_colour(maps, ls::colour(ls::Colormap::viridis, 0)) == 4 * 100);
  CHECK(count_colour(maps, ls::colour(ls::Colormap::viridis, 0.5)) == 0);
}

TEST_CASE("axes in any order give the picture of the usual one") {
  const ls::Tensor x = normal_tensor({3, 4, 5, 6}, 9);
  CHECK(ls::feature_maps(x.view().permute({0, 2, 3, 1}), ls::layouts::nhwc) ==
        ls::feature_maps(x.view(), ls::layouts::nchw));
  const ls::Tensor units = normal_tensor({7, 9}, 9);
  CHECK(ls::feature_maps(units.view().permute({1, 0}), ls::layouts::cn) ==
        ls::feature_maps(units.view(), ls::layouts::nc));
  const ls::Tensor tokens = normal_tensor({2, 5, 8}, 9);
  CHECK(ls::feature_maps(tokens.view().narrow(1, 4, 5, -1), ls::layouts::ntd) ==
        ls::feature_maps(ls::copy(tokens.view().narrow(1, 4, 5, -1)).view(), ls::layouts::ntd));
  CHECK(ls::feature_maps(x.view().select(0, 0), ls::layouts::chw) ==
        ls::feature_maps(x.view().narrow(0, 0, 1), ls::layouts::nchw));
  CHECK(ls::feature_maps(x.view().select(1, 0), ls::layouts::nhw) ==
        ls::feature_maps(x.view().narrow(1, 0, 1), ls::layouts::nchw));
}

TEST_CASE("caps leave out samples and channels, and totals do not change the maps") {
  const ls::Tensor x = normal_tensor({12, 40, 4, 4}, 9);
  const ls::Image capped = ls::feature_maps(x.view(), ls::layouts::nchw, {.max_samples = 2, .max_channels = 20});
  const ls::Image narrowed = ls::feature_maps(x.view().narrow(0, 0, 2).narrow(1, 0, 20), ls::layouts::nchw,
                                              {.samples_total = 12, .channels_total = 40});
  CHECK(capped == narrowed);
  CHECK_FALSE(capped == ls::feature_maps(x.view().narrow(0, 0, 2).narrow(1, 0, 20), ls::layouts::nchw));
}

TEST_CASE("depth is the middle slice or the maximum") {
  ls::Tensor x(ls::DType::f32, {1, 1, 3, 1, 2});
  x.mutable_data<float>()[0] = 9;                                  // slice 0, pixel 0
  x.mutable_data<float>()[5] = std::bit_cast<float>(0x7FC00000u);  // slice 2, pixel 1
  const ls::Image middle = ls::feature_maps(x.view(), ls::layouts::ncdhw, {.zoom = 10});
  CHECK(count_colour(middle, {255, 0, 255}) == 0);
  const ls::Image largest =
      ls::feature_maps(x.view(), ls::layouts::ncdhw, {.depth = ls::DepthView::max_projection, .zoom = 10});
  CHECK(count_colour(largest, {255, 0, 255}) == 100);
}

TEST_CASE("every layout draws constant, tiny, single and non-finite maps") {
  for (const ls::Layout& layout : {ls::layouts::hw, ls::layouts::chw, ls::layouts::nhw, ls::layouts::nchw,
                                   ls::layouts::ncdhw, ls::layouts::nc, ls::layouts::ntd, ls::layouts::ncl}) {
    for (const std::int64_t extent : {1, 2, 17}) {
      ls::Shape shape;
      for (int axis = 0; axis < layout.rank(); ++axis) shape.push_back(axis < 2 ? extent : 3);
      ls::Tensor x(ls::DType::f64, shape);
      INFO(std::string(layout.axes()) << " " << ls::to_text(shape));
      for (const auto scaling : {ls::Scaling::each, ls::Scaling::global}) {
        ls::Tensor filled = x;
        CHECK(ls::feature_maps(filled.view(), layout, {.scaling = scaling}).width > 0);
        std::fill_n(filled.mutable_data<double>(), filled.size(), std::bit_cast<double>(0x7FF8000000000000u));
        CHECK(count_colour(ls::feature_maps(filled.view(), layout, {.scaling = scaling}), {255, 0, 255}) > 0);
        std::fill_n(filled.mutable_data<double>(), filled.size(), 1.7e308);
        filled.mutable_data<double>()[0] = -1.7e308;
        CHECK(ls::feature_maps(filled.view(), layout, {.title = "t", .scaling = scaling}).width > 0);
      }
    }
  }
}

TEST_CASE("a matrix too large to show is averaged") {
  const float one = 1;
  const ls::AnyView wide(&one, ls::DType::f32, {3, 5000}, ls::Strides{0, 0});
  const ls::Image image = ls::feature_maps(wide, ls::layouts::nc);
  CHECK(image.width < 1300);
}

TEST_CASE("maps of nothing and wrong layouts are refused by name") {
  const float one = 1;
  const auto view = [&](const ls::Shape& shape) { return ls::AnyView(&one, ls::DType::f32, shape); };
  const auto message = [](auto body) { return std::string(error_of(body).what()); };
  CHECK(message([&] { ls::feature_maps(view({}), ls::layouts::nchw); }) ==
        "feature_maps: shape [] has nothing to show");
  CHECK(message([&] {
          ls::feature_maps(view({0, 2}), ls::layouts::oi);
        }) == "feature_maps: shape [0, 2] has nothing to show");
  CHECK(message([&] {
          ls::feature_maps(view({1, 1}), ls::layouts::nchw);
        }) == "feature_maps: shape [1, 1] has 2 axes; expected the 4 of layout NCHW");
  CHECK(message([&] {
          ls::feature_maps(view({1, 1}), ls::layouts::oi);
        }) ==
        "feature_maps: layout OI; expected NCHW, NCDHW, CHW, NHW, HW, NCL, NTD or NC with their axes in any order");
  CHECK(message([&] {
          ls::feature_maps(view({1, 1}), ls::layouts::nc, {.max_samples = 0});
        }) == "feature_maps: max_samples 0; expected 1 or more");
}
