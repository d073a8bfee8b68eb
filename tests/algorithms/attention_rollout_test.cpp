#include <layerscope/algorithms/attention_rollout.hpp>

#include <layerscope/core/error.hpp>

#include "support/attention.hpp"
#include "support/catch.hpp"
#include "support/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <stop_token>
#include <string>
#include <vector>

namespace ls = layerscope;
using layerscope_test::error_of;

namespace {

struct Reference {
  ls::Tensor weights;  // [layers, heads, tokens, tokens]
  std::vector<double> rollout, flow;
};

std::map<std::string, Reference> references() {
  std::map<std::string, Reference> found;
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/attention.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string model, what;
    std::int64_t layers = 0, heads = 0, tokens = 0;
    words >> model >> what >> layers >> heads >> tokens;
    std::vector<double> numbers;
    for (double number = 0; words >> number;) numbers.push_back(number);
    if (what == "rollout") found[model].rollout = numbers;
    if (what == "flow") found[model].flow = numbers;
    if (what != "weights") continue;
    ls::Tensor& weights = found[model].weights;
    weights = ls::Tensor(ls::DType::f64, {layers, heads, tokens, tokens});
    REQUIRE(static_cast<std::int64_t>(numbers.size()) == weights.size());
    std::copy(numbers.begin(), numbers.end(), weights.mutable_data<double>());
  }
  REQUIRE(found.size() == 3);
  return found;
}

double largest_difference(const ls::Tensor& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == static_cast<std::int64_t>(expected.size()));
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = (std::max)(largest, std::fabs(found.data<double>()[i] - expected[i]));
  }
  return largest;
}

}  // namespace

TEST_CASE("Attention rollout: of uniform layers with residual it is J/n + 2^-L (I - J/n)") {
  const std::int64_t n = 9;
  const ls::Tensor uniform = layerscope_test::uniform_attention(2, n, n);
  for (const int layers : {1, 2, 5, 12}) {
    const std::vector<ls::Attention> stack(static_cast<std::size_t>(layers), {.weights = uniform});
    const ls::Tensor rolled = ls::attention_rollout(stack);
    const double left = std::pow(0.5, layers);
    const double share = 1 / static_cast<double>(n);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        const double expected = share + left * ((i == j ? 1.0 : 0.0) - share);
        CHECK_THAT(rolled.data<double>()[i * n + j], Catch::Matchers::WithinAbs(expected, 1e-14));
      }
    }
  }
}

TEST_CASE("Attention rollout and flow equal NumPy's and networkx's") {
  for (const auto& [name, reference] : references()) {
    const double residual = name == "bare" ? 0 : 0.5;
    const ls::AttentionModel model = ls::attention_model(reference.weights);
    CHECK(largest_difference(ls::attention_rollout(model.layers, {.residual = residual}), reference.rollout) < 1e-11);
    const ls::Tensor flow = ls::attention_flow(model.layers, {.residual = residual});
    CHECK(largest_difference(flow, reference.flow) < 1e-11);
    const std::int64_t n = flow.extent(1);
    for (std::int64_t query = 0; query < n; ++query) {
      const ls::Tensor row = ls::attention_flow(model.layers, {.residual = residual, .query = query});
      CHECK(row.shape() == ls::Shape{1, n});
      CHECK(std::equal(row.data<double>(), row.data<double>() + n, flow.data<double>() + query * n));
    }
  }
}

TEST_CASE("Attention flow: of one layer it is the layer's row; it never exceeds what leaves the query") {
  const std::int64_t n = 8;
  const ls::Tensor weights = layerscope_test::random_attention(1, n, n, ls::AttentionKind::self, 11);
  const std::vector<ls::Attention> one{{.weights = weights}};
  const ls::Tensor bare = ls::attention_flow(one, {.residual = 0});
  const ls::Tensor residual = ls::attention_flow(one);
  for (std::int64_t i = 0; i < n; ++i) {
    double sum = 0;
    for (std::int64_t j = 0; j < n; ++j) sum += weights.data<double>()[i * n + j];
    for (std::int64_t j = 0; j < n; ++j) {
      const double w = weights.data<double>()[i * n + j] / sum;
      CHECK_THAT(bare.data<double>()[i * n + j], Catch::Matchers::WithinAbs(w, 1e-15));
      CHECK_THAT(residual.data<double>()[i * n + j], Catch::Matchers::WithinAbs((w + (i == j ? 1 : 0)) / 2, 1e-15));
    }
  }
  const ls::AttentionModel model =
      ls::attention_model(layerscope_test::random_attention(8, 10, 10, ls::AttentionKind::causal, 2)
                              .view()
                              .reshape({4, 2, 10, 10})
                              .value());
  const ls::Tensor flow = ls::attention_flow(model.layers, {.threads = 1});
  const ls::Tensor again = ls::attention_flow(model.layers, {.threads = 8});
  CHECK(std::equal(flow.data<double>(), flow.data<double>() + 100, again.data<double>()));
  for (std::int64_t i = 0; i < 100; ++i) {
    CHECK(flow.data<double>()[i] >= 0);
    CHECK(flow.data<double>()[i] <= 1 + 1e-12);
    if (i % 10 > i / 10) CHECK(flow.data<double>()[i] == 0);  // no token hears of later ones
  }
}

TEST_CASE("Attention rollout: heads by mean, largest and smallest; rows sum to 1") {
  const std::int64_t n = 5;
  const ls::Tensor weights = layerscope_test::random_attention(6, n, n, ls::AttentionKind::self, 21);
  const ls::AttentionModel model = ls::attention_model(*weights.view().reshape({2, 3, n, n}));
  for (const ls::HeadFusion fusion : {ls::HeadFusion::mean, ls::HeadFusion::max, ls::HeadFusion::min}) {
    const ls::Tensor rolled = ls::attention_rollout(model.layers, {.fusion = fusion, .residual = 0.25});
    // The same by hand.
    std::vector<double> before(static_cast<std::size_t>(n * n), 0.0);
    for (std::int64_t i = 0; i < n; ++i) before[static_cast<std::size_t>(i * n + i)] = 1;
    for (std::int64_t layer = 0; layer < 2; ++layer) {
      std::vector<double> after(static_cast<std::size_t>(n * n), 0.0);
      for (std::int64_t i = 0; i < n; ++i) {
        std::vector<double> row;
        double sum = 0;
        for (std::int64_t j = 0; j < n; ++j) {
          std::vector<double> heads;
          for (std::int64_t h = 0; h < 3; ++h)
            heads.push_back(weights.data<double>()[((layer * 3 + h) * n + i) * n + j]);
          const double fused = fusion == ls::HeadFusion::mean  ? (heads[0] + heads[1] + heads[2]) / 3
                               : fusion == ls::HeadFusion::max ? *std::max_element(heads.begin(), heads.end())
                                                               : *std::min_element(heads.begin(), heads.end());
          row.push_back(0.75 * fused + (i == j ? 0.25 : 0));
          sum += row.back();
        }
        for (std::int64_t j = 0; j < n; ++j) {
          for (std::int64_t k = 0; k < n; ++k) {
            after[static_cast<std::size_t>(i * n + k)] +=
                row[static_cast<std::size_t>(j)] / sum * before[static_cast<std::size_t>(j * n + k)];
          }
        }
      }
      before = after;
    }
    CHECK(largest_difference(rolled, before) < 1e-14);
  }
}

TEST_CASE("Attention rollout: through an encoder and a layer of cross-attention") {
  const ls::Tensor encoder = layerscope_test::uniform_attention(2, 4, 4);
  const ls::Tensor cross = layerscope_test::random_attention(2, 3, 4, ls::AttentionKind::cross, 5);
  const ls::Attention looking{.weights = cross, .kind = ls::AttentionKind::cross};
  const std::vector<ls::Attention> stack(2, {.weights = encoder, .kind = ls::AttentionKind::encoder});
  const ls::Tensor found = ls::cross_attention_rollout(looking, stack);
  REQUIRE(found.shape() == ls::Shape{3, 4});
  for (std::int64_t q = 0; q < 3; ++q) {
    for (std::int64_t k = 0; k < 4; ++k) {
      // a · (J/4 + (I − J/4)/4) is 3/16 + a/4 for rows that sum to 1.
      const double* const w = cross.data<double>();
      const double mean = (w[q * 4 + k] + w[12 + q * 4 + k]) / 2;
      CHECK_THAT(found.data<double>()[q * 4 + k], Catch::Matchers::WithinAbs(3.0 / 16 + mean / 4, 1e-14));
    }
  }
  CHECK(error_of([&] {
          ls::cross_attention_rollout(
              looking, std::vector<ls::Attention>{{.weights = layerscope_test::uniform_attention(1, 5, 5)}});
        }).what() == std::string("cross_attention_rollout: 4 keys; expected the 5 tokens of the encoder"));
}

TEST_CASE("Attention rollout and flow: what they cannot take is named") {
  const ls::Tensor square = layerscope_test::uniform_attention(2, 4, 4);
  const std::vector<ls::Attention> good{{.weights = square}};
  CHECK(error_of([] { ls::attention_rollout({}); }).code() == ls::ErrorCode::empty);
  CHECK(error_of([] { ls::attention_flow({}); }).code() == ls::ErrorCode::empty);
  const auto refused = [&](const ls::Attention& second) {
    return std::string(error_of([&] { ls::attention_rollout(std::vector{good[0], second}); }).what());
  };
  CHECK(
      refused({.weights = layerscope_test::uniform_attention(2, 4, 5)}) ==
      "attention_rollout: layer 1 is self of 4 queries and 5 keys; expected 4 of each, one sequence looking at itself");
  CHECK(refused({.weights = square, .kind = ls::AttentionKind::cross}).find("layer 1 is cross") != std::string::npos);
  CHECK(error_of([&] { ls::attention_rollout(good, {.residual = 1}); }).what() ==
        std::string("attention_rollout: residual 1; expected 0 or more and below 1"));
  ls::Tensor damaged = layerscope_test::uniform_attention(1, 4, 4);
  damaged.mutable_data<double>()[6] = std::numeric_limits<double>::quiet_NaN();
  const auto non_finite = error_of([&] { ls::attention_rollout(std::vector<ls::Attention>{{.weights = damaged}}); });
  CHECK(non_finite.code() == ls::ErrorCode::non_finite);
  CHECK_THAT(non_finite.what(), Catch::Matchers::ContainsSubstring("at head 0, query 1, key 2; expected finite"));
  damaged.mutable_data<double>()[6] = -0.5;
  CHECK(error_of([&] { ls::attention_flow(std::vector<ls::Attention>{{.weights = damaged}}); }).code() ==
        ls::ErrorCode::invalid_argument);
  CHECK(error_of([&] { ls::attention_flow(good, {.query = 4}); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([&] {
          ls::attention_flow(std::vector<ls::Attention>{{.weights = layerscope_test::uniform_attention(1, 513, 513)}});
        }).code() == ls::ErrorCode::too_large);
  std::stop_source stop;
  stop.request_stop();
  CHECK(error_of([&] { ls::attention_flow(good, {.stop = stop.get_token()}); }).code() == ls::ErrorCode::cancelled);
  // A query without weights passes nothing on, and nothing but itself with a residual.
  const ls::Tensor silent(ls::DType::f64, {1, 2, 2});
  const ls::Tensor rolled = ls::attention_rollout(std::vector<ls::Attention>{{.weights = silent}}, {.residual = 0});
  CHECK(std::count(rolled.data<double>(), rolled.data<double>() + 4, 0.0) == 4);
}
