#include <layerscope/algorithms/attention_chart.hpp>

#include <layerscope/algorithms/attention_rollout.hpp>
#include <layerscope/algorithms/detail/attention_panel.hpp>
#include <layerscope/algorithms/detail/number_table.hpp>
#include <layerscope/core/error.hpp>

#include "support/attention.hpp"
#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/pictures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace ls = layerscope;
using layerscope_test::count_colour;
using layerscope_test::error_of;

namespace {

const double not_a_number = std::numeric_limits<double>::quiet_NaN();

ls::AttentionSummary summary_of(const ls::Tensor& weights, ls::AttentionKind kind = ls::AttentionKind::self,
                                std::vector<std::string> tokens = {}) {
  return ls::summarize_attention({.weights = weights, .kind = kind, .query_tokens = std::move(tokens)});
}

}  // namespace

TEST_CASE("Attention heads: cells have the colours of their weights, NaN and odd rows their own") {
  ls::Tensor weights = layerscope_test::uniform_attention(1, 4, 4);
  double* const w = weights.mutable_data<double>();
  w[3] = not_a_number;
  w[9] = std::numeric_limits<double>::infinity();
  w[12] = 0.85;  // row 3 sums to 1.6
  const ls::Image image = ls::attention_heads(summary_of(weights));
  const std::int64_t cell = 28 * 28;  // the largest there is
  CHECK(count_colour(image, {255, 0, 255}) == cell);
  CHECK(count_colour(image, {0, 255, 0}) == cell);
  CHECK(count_colour(image, {0xD5, 0x5E, 0x00}) == 4 * 28);
  const std::int64_t bar = 16 * 12;  // some rows of the scale have the same colour
  const auto near = [&](ls::Rgb colour, std::int64_t cells) {
    const std::int64_t found = count_colour(image, colour);
    return found >= cells * cell && found <= cells * cell + bar;
  };
  CHECK(near(ls::colour(ls::Colormap::viridis, 1), 1));
  CHECK(near(ls::colour(ls::Colormap::viridis, 0.25 / 0.85), 13));
  // On a scale of one's own, 0.25 is in its middle.
  const ls::Image scaled =
      ls::attention_heads(summary_of(layerscope_test::uniform_attention(1, 4, 4)), {.range = ls::Range{0, 0.5}});
  CHECK(count_colour(scaled, ls::colour(ls::Colormap::viridis, 0.5)) >= 16 * cell);
  CHECK(count_colour(scaled, {0xD5, 0x5E, 0x00}) == 0);
}

TEST_CASE("Attention heads: what a causal query cannot see is grey") {
  const ls::Tensor weights = layerscope_test::random_attention(2, 6, 6, ls::AttentionKind::causal, 1);
  const ls::Rgb grey{0xE4, 0xE4, 0xE4};
  CHECK(count_colour(ls::attention_heads(summary_of(weights, ls::AttentionKind::causal)), grey) == 2 * 15 * 28 * 28);
  CHECK(count_colour(ls::attention_heads(summary_of(weights)), grey) == 0);
  // A query that looks at the tokens before it alone could see itself.
  ls::Tensor before(ls::DType::f64, {1, 6, 6});
  before.mutable_data<double>()[0] = 1;
  for (std::int64_t q = 1; q < 6; ++q) before.mutable_data<double>()[q * 6 + q - 1] = 1;
  CHECK(count_colour(ls::attention_heads(summary_of(before, ls::AttentionKind::causal)), grey) == 15 * 28 * 28);
  // A weight that should not be there is drawn.
  ls::Tensor ahead = weights;
  ahead.mutable_data<double>()[5] = 0.5;
  CHECK(count_colour(ls::attention_heads(summary_of(ahead, ls::AttentionKind::causal)), grey) ==
        (2 * 15 - 1) * 28 * 28);
}

TEST_CASE("Attention heads: labels of tokens never overlap, and say when some are left out") {
  using namespace ls::detail;
  CHECK(label_stride(32, 13, false) == 1);
  CHECK(label_stride(100, 6, false) == 3);
  CHECK(label_stride(4096, 1, true) == 50);
  CHECK(cell_labels({"Ġa", "b"}, 2, 1) == std::vector<std::string>{"·a", "b"});
  CHECK(cell_labels({"a", "b", "c"}, 3, 2) == std::vector<std::string>{"0", "2"});
  CHECK(cell_labels({}, 3, 1) == std::vector<std::string>{"0", "1", "2"});
  // 48 tokens have a line of text each; and the pictures of 1, 8 and 300 heads stay within a screen or two.
  for (const std::int64_t heads : {1, 8, 300}) {
    const auto summary = summary_of(layerscope_test::uniform_attention(heads, 48, 48), ls::AttentionKind::encoder,
                                    layerscope_test::numbered_tokens(48));
    const ls::Image image = ls::attention_heads(summary);
    CHECK(image.width <= 1800);
    CHECK(image.height <= 6000);
    CHECK(image.width >= (heads <= 16 ? 48 * 13 : 48 * 3));
  }
  const auto pooled =
      ls::summarize_attention({.weights = layerscope_test::uniform_attention(1, 90, 90)}, {.max_side = 20});
  const AttentionPanel panel(pooled, 0, 10, 10);
  CHECK(panel.rows == 9);
  CHECK(panel.query_pool == 10);
  CHECK(attention_captions(pooled, panel) ==
        std::vector<std::string>{"90 queries × 90 keys: each cell shows the largest of 10 × 10 weights"});
}

TEST_CASE("Attention heads: captions say what is wrong") {
  ls::Tensor weights = layerscope_test::random_attention(1, 3, 3, ls::AttentionKind::causal, 2);
  weights.mutable_data<double>()[0] = 0.5;
  weights.mutable_data<double>()[4] = not_a_number;
  const auto summary = summary_of(weights, ls::AttentionKind::causal);
  CHECK(ls::detail::attention_captions(summary, ls::detail::AttentionPanel(summary, 0, 10, 10)) ==
        std::vector<std::string>{"nan: 1 of 3 rows with NaN, first of head 0, query 1 (magenta)",
                                 "row_sum: 1 of 3 rows not summing to 1, first of head 0, query 0: 0.5",
                                 "A vermilion mark stands right of such a row", "Grey: keys that a query cannot see"});
}

TEST_CASE("Attention heads: one query has a row a head") {
  const ls::Tensor weights = layerscope_test::uniform_attention(5, 1, 9);
  const ls::Image image = ls::attention_heads(summary_of(weights, ls::AttentionKind::decoder, {"Ġcat"}));
  CHECK(count_colour(image, ls::colour(ls::Colormap::viridis, 1)) >= 5 * 9 * 28 * 28);
  const ls::Image matrix = ls::attention_matrix(
      ls::attention_rollout(std::vector<ls::Attention>{{.weights = layerscope_test::uniform_attention(2, 7, 7)}}),
      layerscope_test::numbered_tokens(7), {});
  CHECK(count_colour(matrix, ls::colour(ls::Colormap::viridis, 1)) >= 7 * 28 * 28);  // the diagonal
  CHECK(count_colour(matrix, {0xD5, 0x5E, 0x00}) == 0);
}

TEST_CASE("Attention overview: 48 layers of 32 heads, 12 pixels each at least; each head on its own scale") {
  std::vector<ls::AttentionSummary> layers;
  for (int layer = 0; layer < 48; ++layer) layers.push_back(summary_of(layerscope_test::uniform_attention(32, 20, 20)));
  ls::Tensor small = layerscope_test::uniform_attention(32, 20, 20);
  small.mutable_data<double>()[0] = not_a_number;
  layers[7] = summary_of(small);
  const ls::Image image = ls::attention_overview(layers);
  CHECK(image.width <= 1500);
  CHECK(image.height <= 2000);
  const std::int64_t side = 1800 / 48 - 3;
  const std::int64_t thumbnails = count_colour(image, ls::colour(ls::Colormap::viridis, 1));
  CHECK(thumbnails >= 48 * 32 * side * side - 4);
  CHECK(count_colour(image, {255, 0, 255}) >= 1);
  CHECK(count_colour(image, {255, 0, 255}) <= 4);
  // On one scale, the flatter head is darker.
  const std::vector<ls::AttentionSummary> two{summary_of(layerscope_test::uniform_attention(1, 2, 2)),
                                              summary_of(layerscope_test::uniform_attention(1, 8, 8))};
  const ls::Image shared = ls::attention_overview(two, {.scaling = ls::Scaling::global});
  CHECK(count_colour(shared, ls::colour(ls::Colormap::viridis, 0.25)) >= 96 * 96);
  CHECK(error_of([] { ls::attention_overview({}); }).code() == ls::ErrorCode::empty);
}

TEST_CASE("Attention lines: as strong as the weight, in the colour of the head") {
  const std::int64_t n = 6;
  ls::Tensor weights(ls::DType::f64, {2, n, n});
  for (std::int64_t q = 0; q < n; ++q) weights.mutable_data<double>()[q * n + q] = 1;  // head 0 looks at itself
  for (std::int64_t q = 0; q < n; ++q) weights.mutable_data<double>()[(n + q) * n] = 1;
  const auto summary = summary_of(weights, ls::AttentionKind::self, layerscope_test::numbered_tokens(n));
  const ls::Image first = ls::attention_lines(summary, {.heads = {0}});
  // Six lines of 280 pixels: one whole row of pixels each, and the sample of the head.
  CHECK(count_colour(first, ls::okabe_ito[0]) == n * 280 + 81);
  const ls::Image both = ls::attention_lines(summary);
  CHECK(count_colour(both, ls::okabe_ito[1]) > 81);
  CHECK(count_colour(ls::attention_lines(summary, {.heads = {1}}), ls::okabe_ito[1]) == 0);  // colours are by order
  // Weak lines are left out; NaN is not.
  ls::Tensor weak = layerscope_test::uniform_attention(1, 60, 60);
  CHECK(count_colour(ls::attention_lines(summary_of(weak)), {255, 0, 255}) == 0);
  weak.mutable_data<double>()[0] = not_a_number;
  CHECK(count_colour(ls::attention_lines(summary_of(weak)), {255, 0, 255}) == 280);
  CHECK(ls::attention_lines(summary_of(layerscope_test::uniform_attention(1, 300, 300))).height < 64 * 15 + 220);
  CHECK(error_of([&] { ls::attention_lines(summary, {.threshold = 1}); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([&] { ls::attention_lines(summary, {.heads = {2}}); }).what() ==
        std::string("attention_lines: head 2; expected 0 to 1"));
}

TEST_CASE("Attention measures: a cell a head, NaN magenta") {
  ls::Tensor weights = layerscope_test::uniform_attention(3, 4, 4);
  for (int i = 16; i < 32; ++i) weights.mutable_data<double>()[i] = not_a_number;
  const std::vector<ls::AttentionSummary> layers{summary_of(weights)};
  const std::int64_t magenta = count_colour(ls::attention_measures(layers), {255, 0, 255});
  CHECK(magenta > 2 * (40 * 19 - 120));  // without the letters NaN
  CHECK(magenta < 2 * 40 * 19);
  ls::AttentionSummary cross = layers[0];
  cross.kind = ls::AttentionKind::cross;
  CHECK(count_colour(ls::attention_measures(std::array{cross}), {255, 0, 255}) == magenta / 2);
  CHECK(error_of([] { ls::attention_measures({}); }).code() == ls::ErrorCode::empty);
  using ls::detail::cell_number;
  const std::vector<double> numbers{0, 0.004, 0.005, 1.234, 9.994, 9.996, 12.34, 99.96, 1234, 2.1e6, -0.5, -0.001};
  std::vector<std::string> texts;
  for (const double number : numbers) texts.push_back(cell_number(number));
  CHECK(texts == std::vector<std::string>{"0.00", "0.00", "0.01", "1.23", "9.99", "10.0", "12.3", "100", "1234",
                                          "2.1e6", "-0.50", "0.00"});
  CHECK(cell_number(not_a_number) == "NaN");
}

TEST_CASE("Attention heads: what it cannot take is named; tokens of any bytes are drawn") {
  const auto summary = summary_of(layerscope_test::uniform_attention(2, 3, 3), ls::AttentionKind::self,
                                  {"\xFF\xFE", std::string("a\0b", 3), std::string(5000, 'x')});
  const ls::Image image = ls::attention_heads(summary);
  CHECK(image.width < 1000);
  CHECK(ls::attention_lines(summary).width < 600);
  CHECK(error_of([&] {
          ls::attention_heads(summary, {.heads = {0, 2}});
        }).what() == std::string("attention_heads: head 2; expected 0 to 1"));
  CHECK(error_of([&] {
          ls::attention_heads(summary, {.range = ls::Range{1, 1}});
        }).what() == std::string("attention_heads: range 1 to 1; expected finite, min < max"));
  CHECK(error_of([&] {
          ls::attention_heads(summary, {.scale = ls::ColourBar::Scale::log, .range = ls::Range{0, 1}});
        }).what() == std::string("attention_heads: range 0 to 1; expected finite, min < max and 0 < min"));
  const ls::Tensor zero(ls::DType::f32, {1, 3, 3});
  CHECK(ls::attention_heads(summary_of(zero)).width > 0);
  CHECK(ls::attention_heads(summary_of(zero), {.scale = ls::ColourBar::Scale::log}).width > 0);
}
