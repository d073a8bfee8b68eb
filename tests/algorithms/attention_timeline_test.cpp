#include <layerscope/algorithms/attention_timeline.hpp>

#include <layerscope/core/error.hpp>

#include "support/attention.hpp"
#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/pictures.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace ls = layerscope;
using layerscope_test::count_colour;
using layerscope_test::error_of;

namespace {

/// Step t of a decoder: one query that looks at t + 1 keys alike.
ls::AttentionSummary decoded(std::int64_t t, std::int64_t heads = 2) {
  return ls::summarize_attention({.weights = layerscope_test::uniform_attention(heads, 1, t + 1),
                                  .kind = ls::AttentionKind::decoder,
                                  .query_tokens = {"t" + std::to_string(t)},
                                  .key_tokens = layerscope_test::numbered_tokens(t + 1)});
}

}  // namespace

TEST_CASE("Attention timeline: rows of a decoder, one below the other") {
  ls::AttentionTimeline timeline;
  for (const std::int64_t t : {1, 0, 3, 2, 4}) timeline.add(t, decoded(t));
  REQUIRE(timeline.steps().size() == 5);
  for (std::int64_t t = 0; t < 5; ++t) {
    const ls::AttentionTimeline::Step& step = timeline.steps()[static_cast<std::size_t>(t)];
    CHECK(step.step == t);
    CHECK(step.token == "t" + std::to_string(t));
    REQUIRE(step.pooled.shape() == ls::Shape{2, 1, t + 1});
    CHECK(step.pooled.data<float>()[t] == Catch::Approx(1.0 / static_cast<double>(t + 1)));
  }
  CHECK(timeline.key_tokens() == layerscope_test::numbered_tokens(5));
  const ls::Image image = ls::attention_decoding(timeline);
  CHECK(count_colour(image, {0xE4, 0xE4, 0xE4}) == 10 * 24 * 24);  // keys that were not there
  for (std::int64_t t = 0; t < 5; ++t) {
    const ls::Rgb colour = ls::colour(ls::Colormap::viridis, 1 / static_cast<double>(t + 1));
    CHECK(count_colour(image, colour) >= (t + 1) * 24 * 24);
  }
  CHECK(error_of([&] { ls::attention_epochs(timeline); }).code() == ls::ErrorCode::empty);
  CHECK(error_of([&] { ls::attention_decoding(timeline, {.head = 2}); }).what() ==
        std::string("attention_decoding: head 2; expected 0 to 1"));
}

TEST_CASE("Attention timeline: the mean of the heads, or one of them") {
  ls::Tensor weights(ls::DType::f32, {2, 1, 2});
  const std::vector<float> numbers{1, 0, 0, 1};
  std::copy(numbers.begin(), numbers.end(), weights.mutable_data<float>());
  ls::AttentionTimeline timeline;
  timeline.add(0, ls::summarize_attention({.weights = weights, .kind = ls::AttentionKind::decoder}));
  const std::int64_t cell = 24 * 24;
  CHECK(count_colour(ls::attention_decoding(timeline), ls::colour(ls::Colormap::viridis, 1)) >= 2 * cell);
  // Cells, and the numbers of the scale, are those of a head that has the mean; the captions differ.
  ls::AttentionTimeline of_mean;
  of_mean.add(0, ls::summarize_attention(
                     {.weights = layerscope_test::uniform_attention(1, 1, 2), .kind = ls::AttentionKind::decoder}));
  const ls::Image mean = ls::attention_decoding(timeline);
  const ls::Image expected = ls::attention_decoding(of_mean);
  REQUIRE(mean.width == expected.width);  // 120 rows of pixels hold both
  CHECK(std::equal(mean.pixels.begin(), mean.pixels.begin() + mean.width * 3 * 120, expected.pixels.begin()));
  const ls::Image second = ls::attention_decoding(timeline, {.head = 1});
  CHECK(count_colour(second, ls::colour(ls::Colormap::viridis, 1)) >= cell);
  CHECK(count_colour(second, ls::colour(ls::Colormap::viridis, 1)) < 2 * cell);
  CHECK(count_colour(second, ls::colour(ls::Colormap::viridis, 0)) >= cell);
}

TEST_CASE("Attention timeline: long rows are pooled, and a long run is thinned") {
  ls::AttentionTimeline timeline({.max_steps = 8, .max_row = 10});
  for (std::int64_t t = 0; t < 100; ++t) timeline.add(t, decoded(t));
  CHECK(timeline.steps_added() == 100);
  CHECK(timeline.steps().size() <= 8);
  CHECK(timeline.steps().front().step == 0);
  CHECK(timeline.steps().back().step == 99);
  CHECK(timeline.steps().back().pooled.shape() == ls::Shape{2, 1, 10});
  CHECK(timeline.steps().back().key_pool == 10);
  CHECK(ls::attention_decoding(timeline).width > 0);
  ls::AttentionTimeline derived;
  for (std::int64_t t = 0; t < 600; ++t) derived.add(t, decoded(0));
  CHECK(derived.steps().size() <= 512);
  CHECK(derived.steps().size() > 256);
}

TEST_CASE("Attention timeline: epochs as pictures of each head, and its measures as lines") {
  ls::AttentionTimeline timeline;
  CHECK(error_of([&] { ls::attention_epochs(timeline); }).what() ==
        std::string("attention_epochs: no step of several queries"));
  for (std::int64_t epoch = 0; epoch < 30; ++epoch) {
    timeline.add(epoch, ls::summarize_attention({.weights = layerscope_test::uniform_attention(3, 48, 48)}));
  }
  const ls::AttentionTimeline::Step& step = timeline.steps().front();
  CHECK(step.pooled.shape() == ls::Shape{3, 24, 24});
  CHECK(step.query_pool == 2);
  const ls::Image image = ls::attention_epochs(timeline);
  // Ten pictures of three heads, less the frames that lie on them nowhere.
  CHECK(count_colour(image, ls::colour(ls::Colormap::viridis, 1)) >= 10 * 3 * 96 * 96);
  CHECK(image.width < 1300);
  const ls::Image one = ls::attention_epochs(timeline, {.head = 2});
  CHECK(one.height < image.height);
  CHECK(error_of([&] { ls::attention_epochs(timeline, {.head = 3}); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([&] { ls::attention_decoding(timeline); }).what() ==
        std::string("attention_decoding: no step of one query"));
}

TEST_CASE("Attention timeline: options out of range are named") {
  CHECK(error_of([] { ls::AttentionTimeline({.max_steps = 3}); }).what() ==
        std::string("attention_timeline: max_steps 3; expected an even number from 0 to 65536"));
  CHECK(error_of([] { ls::AttentionTimeline({.max_side = 0}); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([] { ls::AttentionTimeline({.max_row = 0}); }).code() == ls::ErrorCode::invalid_argument);
}
