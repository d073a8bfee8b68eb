#include <layerscope/algorithms/layer_overview.hpp>

#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/core/random.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;
using layerscope_test::error_of;
using M = ls::LayerMeasure;
using P = ls::LayerProblem;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::nullopt_t none = std::nullopt;

/// A table of one measure, from its rows.
ls::LayerTable table(M measure, const std::vector<std::vector<std::optional<double>>>& rows) {
  ls::LayerTable result;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    result.layers.push_back("fc" + std::to_string(row));
    result[measure].insert(result[measure].end(), rows[row].begin(), rows[row].end());
  }
  for (std::size_t step = 0; step < rows[0].size(); ++step)
    result.steps.push_back(static_cast<std::int64_t>(10 * step));
  return result;
}

using Found = std::vector<std::tuple<std::size_t, P, std::int64_t>>;

Found marks(const ls::LayerTable& of, const ls::LayerThresholds& thresholds = {}) {
  Found found;
  for (const ls::LayerMark& mark : ls::layer_marks(of, thresholds)) {
    found.emplace_back(mark.layer, mark.problem, mark.since);
  }
  return found;
}

template <class Body>
std::string words_of(Body body) {
  return error_of(body).what();
}

std::int64_t pixels_of(const ls::Image& image, ls::Rgb colour) {
  std::int64_t count = 0;
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const std::uint8_t* const p = image.at(x, y);
      count += ls::Rgb{p[0], p[1], p[2]} == colour ? 1 : 0;
    }
  }
  return count;
}

}  // namespace

TEST_CASE("layer marks: dead from the threshold on, and since when without a break") {
  const auto one = table(M::dead_share, {{0.6, 0.49, 0.5, 0.97}, {0.9, 0.9, 0.9, 0.1}, {0.5, none, 0.5, none}});
  CHECK(marks(one) == Found{{0, P::dead, 20}, {2, P::dead, 0}});
  CHECK(marks(one, {.dead = 0.98}).empty());
  CHECK(ls::layer_marks(one)[0].text == "dead 97 % since 20");
  CHECK(ls::layer_marks(one)[0].value == 0.97);
}

TEST_CASE("layer marks: NaN and infinity are the gravest, and stand for all that follows") {
  ls::LayerTable both = table(M::output_spread, {{1, 1, not_a_number}, {1, infinity, infinity}, {1, not_a_number, 2}});
  both[M::dead_share] = {1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
  const auto found = ls::layer_marks(both);
  CHECK(marks(both) == Found{{0, P::not_finite, 20}, {1, P::not_finite, 10}});
  CHECK(found[0].text == "NaN in outputs since 20");
  CHECK(found[1].text == "infinite in outputs since 10");
  CHECK(ls::first_mark(found) == &found[1]);
  CHECK(ls::layer_marks(table(M::weight_norm, {{not_a_number}}))[0].text == "NaN in weights since 0");
  CHECK(ls::layer_marks(table(M::gradient_norm, {{not_a_number}}))[0].text == "NaN in gradients since 0");
}

TEST_CASE("layer marks: gradients are compared with the last layer's, outputs with the first one's") {
  // g(layer) = r^(depth − layer): beyond a factor of 1000 after so many layers.
  for (const double ratio : {0.25, 4.0}) {
    ls::LayerTable deep;
    constexpr std::size_t depth = 20;
    for (std::size_t i = 0; i < depth; ++i) {
      deep.layers.push_back(std::to_string(i));
      deep[M::gradient_norm].emplace_back(0.1 * std::pow(ratio, static_cast<double>(depth - 1 - i)));
      deep[M::output_spread].emplace_back(3 * std::pow(ratio, static_cast<double>(i)));
    }
    deep.steps = {7};
    Found expected;
    const auto apart = static_cast<std::size_t>(std::floor(std::log(1000) / std::log(4))) + 1;  // 4^5 = 1024
    for (std::size_t i = 0; i < depth; ++i) {
      if (depth - 1 - i >= apart)
        expected.emplace_back(i, ratio < 1 ? P::vanishing_gradient : P::exploding_gradient, 7);
      if (i >= apart) expected.emplace_back(i, ratio < 1 ? P::vanishing_outputs : P::exploding_outputs, 7);
    }
    CHECK(marks(deep) == expected);
    const auto found = ls::layer_marks(deep);
    // Gradients come from the end: the first beyond the threshold is the one nearest to it.
    CHECK(ls::first_mark(found)->layer == depth - 1 - apart);
  }
  const auto two = table(M::gradient_norm, {{2e-7}, {1.0}});
  CHECK(ls::layer_marks(two)[0].text == "gradient vanishing ×2e-7 since 0");
  CHECK(ls::layer_marks(two)[0].value == 2e-7);
  CHECK(marks(table(M::gradient_norm, {{1e-3}, {1.0}})).empty());   // not below
  CHECK(marks(table(M::gradient_norm, {{1e-9}, {none}})).empty());  // nothing to compare with but itself
}

TEST_CASE("layer marks: exact zeros") {
  CHECK(marks(table(M::gradient_norm, {{1, 0}, {1, 1}})) == Found{{0, P::no_gradient, 10}});
  CHECK(marks(table(M::output_spread, {{1, 1}, {2, 0}})) == Found{{1, P::constant_outputs, 10}});
  ls::LayerTable dead = table(M::output_spread, {{1, 0}});
  dead[M::dead_share] = {0.0, 1.0};
  CHECK(marks(dead) == Found{{0, P::dead, 10}});  // which is why its outputs are constant
}

TEST_CASE("layer marks: growth is over the layer's own first number above 0") {
  CHECK(marks(table(M::gradient_norm, {{0, 1, 100, 101}})) == Found{{0, P::exploding_gradient, 30}});
  CHECK(marks(table(M::output_spread, {{2, 201, 200}})).empty());
  CHECK(marks(table(M::output_spread, {{2, 200, 201}})) == Found{{0, P::exploding_outputs, 20}});
  const auto heavy = table(M::weight_norm, {{3, 31, 60}});
  CHECK(marks(heavy) == Found{{0, P::exploding_weights, 10}});
  CHECK(ls::layer_marks(heavy)[0].text == "weights exploding ×20 since 10");
  CHECK(marks(heavy, {.weight_growth = 20}).empty());
}

TEST_CASE("layer marks: a failing run is told from a healthy one by its first trouble") {
  // dw/dt of a layer whose every step overshoots: its weights grow threefold a step, its units die at the fourth.
  ls::LayerTable run = table(M::weight_norm, {{5, 5, 5.1, 5.1, 5.2}, {4, 12, 36, 108, 324}, {2, 2, 2, 2, 2}});
  run[M::dead_share] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.0, 0.1, 0.2, 0.9, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0};
  CHECK(marks(run) == Found{{1, P::dead, 30}, {1, P::exploding_weights, 30}});
  CHECK(ls::first_mark(ls::layer_marks(run))->problem == P::dead);
  CHECK(ls::first_mark({}) == nullptr);
}

TEST_CASE("layer overview: what is refused") {
  ls::LayerTable bad;
  CHECK_THAT(words_of([&] { ls::layer_marks(bad); }), Catch::Matchers::ContainsSubstring("0 layers at 0 steps"));
  bad = table(M::weight_norm, {{1, 2}});
  bad.steps = {3, 3};
  CHECK_THAT(words_of([&] { ls::layer_overview(bad); }), Catch::Matchers::ContainsSubstring("step 3 after 3"));
  bad.steps = {3, 4, 5};
  CHECK_THAT(words_of([&] { ls::layer_overview(bad); }),
             Catch::Matchers::ContainsSubstring("weight norm has 2 cells; expected 3"));
  CHECK_THAT(words_of([&] { ls::layer_overview(table(M::weight_norm, {{none}})); }),
             Catch::Matchers::ContainsSubstring("expected one at least"));
  CHECK_THAT(words_of([&] { ls::layer_marks(table(M::weight_norm, {{1}}), {.dead = not_a_number}); }),
             Catch::Matchers::ContainsSubstring("threshold dead nan"));
}

TEST_CASE("layer overview: NaN, infinity, zero and what is missing have colours of their own") {
  const ls::Rgb colours[] = {{255, 0, 255}, {0, 200, 0}, {0, 0, 0}, {0xEC, 0xEC, 0xEC}};
  const auto plain = ls::layer_overview(table(M::gradient_norm, {{1, 100, 1e4}, {1, 100, 1e4}}));
  for (const ls::Rgb colour : colours) CHECK(pixels_of(plain, colour) == 0);
  const std::optional<double> odd[] = {not_a_number, infinity, 0.0, none};
  std::vector<std::int64_t> counts;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto image = ls::layer_overview(table(M::gradient_norm, {{1, odd[i], 1e4}, {1, 100, 1e4}}));
    for (std::size_t k = 0; k < 4; ++k) CHECK((pixels_of(image, colours[k]) > 0) == (i == k));
    counts.push_back(pixels_of(image, colours[i]));
  }
  CHECK(counts == std::vector<std::int64_t>(4, counts[0]));  // a cell and its place in the key
}

TEST_CASE("layer overview: colours follow the numbers on a logarithmic scale") {
  // Three numbers with the middle one halfway by ratio, then by difference, and the two that are within a factor of 20.
  const auto image = ls::layer_overview(table(M::gradient_norm, {{1e-6, 1e-3, 1}}));
  const std::int64_t wide = pixels_of(image, ls::colour(ls::Colormap::viridis, 0.5));
  CHECK(wide > 500);
  CHECK(pixels_of(ls::layer_overview(table(M::gradient_norm, {{1e-6, 0.5, 1}})),
                  ls::colour(ls::Colormap::viridis, 0.5)) < wide / 10);
  CHECK(pixels_of(ls::layer_overview(table(M::gradient_norm, {{2, 1, 2}})), ls::colour(ls::Colormap::viridis, 0.5)) >
        500);
  // Dead shares always go from white to red.
  CHECK(pixels_of(ls::layer_overview(table(M::dead_share, {{0.25, 0.25}})),
                  ls::colour(ls::Colormap::blue_white_red, 0.625)) > 500);
}

TEST_CASE("layer overview: a lone NaN among a thousand steps is seen, and size stays bounded") {
  ls::LayerTable large;
  constexpr std::size_t layers = 300, steps = 1000;
  for (std::size_t i = 0; i < layers; ++i) large.layers.push_back("block/" + std::to_string(i));
  for (std::size_t i = 0; i < steps; ++i) large.steps.push_back(static_cast<std::int64_t>(i));
  for (const M measure : ls::all_layer_measures) large[measure].assign(layers * steps, 0.5);
  large[M::dead_share].assign(layers * steps, 0.1);
  const ls::Rgb magenta{255, 0, 255};
  const auto calm = ls::layer_overview(large);
  CHECK(pixels_of(calm, magenta) == 0);
  large[M::gradient_norm][150 * steps + 501] = not_a_number;
  const auto image = ls::layer_overview(large);
  CHECK(pixels_of(image, magenta) > 0);
  CHECK(image.width < 2000);
  CHECK(image.height < 2000);
  CHECK(ls::layer_overview(large) == image);
}
