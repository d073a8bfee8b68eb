#include <layerscope/algorithms/filters.hpp>
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

TEST_CASE("RGB filters: zero is mid grey and each tile reaches its ends") {
  ls::Tensor weight(ls::DType::f32, {2, 3, 1, 2});
  float* w = weight.mutable_data<float>();
  w[0] = 0.5f;    // filter 0, red, pixel 0: the largest of this filter
  w[2] = -0.25f;  // filter 0, green, pixel 0
  w[9] = -4;      // filter 1, green, pixel 1
  const ls::Image each = ls::filters(weight.view(), {.zoom = 10});
  CHECK(count_colour(each, {255, 64, 128}) == 100);
  CHECK(count_colour(each, {128, 128, 128}) == 200);
  CHECK(count_colour(each, {128, 0, 128}) == 100);
  const ls::Image global = ls::filters(weight.view(), {.scaling = ls::Scaling::global, .zoom = 10});
  CHECK(count_colour(global, {143, 120, 128}) == 100);
}

TEST_CASE("single filters are symmetric about white") {
  ls::Tensor weight(ls::DType::f32, {2, 1, 1, 2});
  weight.mutable_data<float>()[1] = 3;
  weight.mutable_data<float>()[2] = -3;
  const ls::Image image = ls::filters(weight.view(), {.zoom = 10});
  const auto table = ls::colormap_table(ls::Colormap::blue_white_red);
  CHECK(count_colour(image, table[255]) >= 100);
  CHECK(count_colour(image, table[0]) >= 100);
}

TEST_CASE("caps bound the picture, and totals do not") {
  const ls::Tensor weight = normal_tensor({80, 20, 3, 3}, 5);
  const ls::Image capped = ls::filters(weight.view(), {.max_outputs = 4, .max_inputs = 2});
  const ls::Image narrowed =
      ls::filters(weight.view().narrow(0, 0, 4).narrow(1, 0, 2), {.outputs_total = 80, .inputs_total = 20});
  CHECK(capped == narrowed);
}

TEST_CASE("layouts in any order give the picture of the usual one") {
  const ls::Tensor weight = normal_tensor({6, 4, 3, 5}, 5);
  const ls::Image expected = ls::filters(weight.view());
  CHECK(ls::filters(weight.view().permute({2, 3, 1, 0}), {.layout = ls::Layout("HWIO")}) == expected);
  const ls::Tensor flat = normal_tensor({5, 6}, 5);
  CHECK(ls::filters(flat.view().permute({1, 0}), {.layout = ls::Layout("IO")}) ==
        ls::filters(flat.view(), {.layout = ls::layouts::oi}));
  const ls::Tensor deep = normal_tensor({3, 2, 5, 4, 4}, 5);
  const ls::Image slice = ls::filters(deep.view(), {.layout = ls::layouts::oidhw});
  CHECK(slice.width > 0);
  const ls::Tensor sequence = normal_tensor({3, 2, 5}, 5);
  CHECK(ls::filters(sequence.view().narrow(2, 4, 5, -1), {.layout = ls::layouts::oil}) ==
        ls::filters(ls::copy(sequence.view().narrow(2, 4, 5, -1)).view(), {.layout = ls::layouts::oil}));
}

TEST_CASE("rows of a dense layer are shown as the images they look at") {
  const ls::Tensor weight = normal_tensor({3, 12}, 5);
  const ls::Image image = ls::filters(weight.view(), {.layout = ls::layouts::oi, .input_shape = {3, 4}});
  CHECK(image == ls::filters(weight.view().reshape({3, 1, 3, 4}).value()));
  const ls::Image rgb = ls::filters(weight.view(), {.layout = ls::layouts::oi, .input_shape = {3, 2, 2}});
  CHECK(rgb == ls::filters(weight.view().reshape({3, 3, 2, 2}).value()));
}

TEST_CASE("weights that are not finite have colours of their own") {
  ls::Tensor weight = normal_tensor({2, 3, 2, 2}, 5);
  weight.mutable_data<float>()[0] = std::bit_cast<float>(0x7FC00000u);
  weight.mutable_data<float>()[1] = std::bit_cast<float>(0x7F800000u);
  const ls::Image rgb = ls::filters(weight.view(), {.zoom = 10});
  CHECK(count_colour(rgb, {255, 0, 255}) == 100);
  CHECK(count_colour(rgb, {0, 255, 0}) == 100);
  const ls::Image gray = ls::filters(weight.view().narrow(1, 0, 1), {.zoom = 10});
  CHECK(count_colour(gray, {255, 0, 255}) == 100);
}

TEST_CASE("filters of nothing and wrong layouts are refused by name") {
  const float one = 1;
  const auto view = [&](const ls::Shape& shape) { return ls::AnyView(&one, ls::DType::f32, shape); };
  const auto message = [](auto body) { return std::string(error_of(body).what()); };
  CHECK(message([&] { ls::filters(view({})); }) == "filters: shape [] has nothing to show");
  CHECK(error_of([&] { ls::filters(view({4, 0, 3, 3})); }).code() == ls::ErrorCode::empty);
  CHECK(message([&] {
          ls::filters(view({1, 1}));
        }) == "filters: shape [1, 1] has 2 axes; expected the 4 of layout OIHW");
  CHECK(message([&] {
          ls::filters(view({1, 1}), {.layout = ls::layouts::nc});
        }) == "filters: layout NC is not one that can be drawn");
  CHECK(message([&] {
          ls::filters(view({1, 1}), {.layout = ls::layouts::hw});
        }) == "filters: layout HW; expected OIHW, OIDHW, OIL or OI in any order");
  CHECK(message([&] {
          ls::filters(view({1, 1, 1, 1}), {.max_outputs = 0});
        }) == "filters: max_outputs 0; expected 1 or more");
  CHECK(message([&] {
          ls::filters(view({1, 1}), {.layout = ls::layouts::oi, .input_shape = {2, 2}});
        }) == "filters: input_shape [2, 2] for 1 inputs; expected [h, w] or [3, h, w] of that many");
}
