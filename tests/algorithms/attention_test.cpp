#include <layerscope/algorithms/attention.hpp>

#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/readers/npy.hpp>

#include "support/attention.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace ls = layerscope;
using layerscope_test::error_of;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

ls::Tensor tensor(const ls::Shape& shape, const std::vector<double>& values) {
  ls::Tensor result(ls::DType::f64, shape);
  std::copy(values.begin(), values.end(), result.mutable_data<double>());
  return result;
}

}  // namespace

TEST_CASE("Attention: the entropy of uniform weights is log n, of one key 0; distances are those of the formula") {
  const std::int64_t n = 12;
  const ls::AttentionSummary uniform =
      ls::summarize_attention({.weights = layerscope_test::uniform_attention(3, n, n)});
  REQUIRE(uniform.heads == 3);
  REQUIRE(uniform.warnings.empty());
  for (std::size_t head = 0; head < 3; ++head) {
    CHECK_THAT(uniform.entropy[head], Catch::Matchers::WithinAbs(std::log(12.0), 1e-6));
    // The mean of |q − k| over all pairs is (n² − 1) / (3n).
    CHECK_THAT(uniform.distance[head], Catch::Matchers::WithinAbs((144.0 - 1) / 36, 1e-6));
    CHECK(uniform.sound_rows[head] == n);
  }
  std::vector<double> previous(static_cast<std::size_t>(n * n), 0.0);  // each looks at the token before it
  previous[0] = 1;
  for (std::int64_t q = 1; q < n; ++q) previous[static_cast<std::size_t>(q * n + q - 1)] = 1;
  const auto head = ls::summarize_attention({.weights = tensor({n, n}, previous), .kind = ls::AttentionKind::causal});
  CHECK(head.warnings.empty());
  CHECK(head.entropy[0] == 0);
  CHECK_THAT(head.distance[0], Catch::Matchers::WithinAbs(11.0 / 12, 1e-12));
}

TEST_CASE("Attention: with a cache of keys the last query stands at the last key") {
  // Queries 2 and 3 of 4, each looking at itself.
  const ls::Tensor own = tensor({1, 2, 4}, {0, 0, 1, 0, 0, 0, 0, 1});
  const auto cached = ls::summarize_attention({.weights = own, .kind = ls::AttentionKind::decoder});
  CHECK(cached.distance[0] == 0);
  CHECK(cached.warnings.empty());
  const ls::Tensor ahead = tensor({1, 2, 4}, {0, 0, 0.5, 0.5, 0, 0, 0, 1});
  const auto looking = ls::summarize_attention({.weights = ahead, .kind = ls::AttentionKind::causal});
  REQUIRE(looking.warnings.size() == 1);
  CHECK(looking.warnings[0].text() == "future: 1 of 2 rows looking at a later key, first of head 0, query 0: 0.5");
  CHECK(looking.marked == std::vector<std::uint8_t>{1, 0});
  CHECK(ls::summarize_attention({.weights = ahead}).warnings.empty());
  const auto cross = ls::summarize_attention({.weights = own, .kind = ls::AttentionKind::cross});
  CHECK(ls::is_nan(cross.distance[0]));  // positions of two sequences have no distance
  CHECK(cross.entropy[0] == 0);
}

TEST_CASE("Attention: every fault is named, counted and placed") {
  ls::Tensor weights = layerscope_test::uniform_attention(2, 5, 5);
  double* const w = weights.mutable_data<double>();
  w[(0 * 5 + 1) * 5 + 2] = not_a_number;
  w[(0 * 5 + 2) * 5 + 0] = infinity;
  w[(1 * 5 + 0) * 5 + 4] = -0.2;
  for (int k = 0; k < 5; ++k) w[(1 * 5 + 3) * 5 + k] = 0.25;
  for (int k = 0; k < 5; ++k) w[(1 * 5 + 4) * 5 + k] = 0;
  const ls::AttentionSummary summary = ls::summarize_attention({.weights = weights});
  std::vector<std::string> texts;
  for (const ls::AttentionWarning& warning : summary.warnings) texts.push_back(warning.text());
  CHECK(texts ==
        std::vector<std::string>{"nan: 1 of 10 rows with NaN, first of head 0, query 1",
                                 "infinite: 1 of 10 rows with an infinity, first of head 0, query 2",
                                 "negative: 1 of 10 rows with a negative weight, first of head 1, query 0: -0.2",
                                 "row_sum: 3 of 10 rows not summing to 1, first of head 1, query 0: 0.6"});
  CHECK(summary.sound_rows == std::vector<std::int64_t>{3, 3});
  CHECK(summary.range == ls::Range{static_cast<double>(-0.2f), 0.25});
  CHECK_THAT(summary.entropy[0], Catch::Matchers::WithinAbs(std::log(5.0), 1e-6));
  CHECK_THAT(summary.entropy[1], Catch::Matchers::WithinAbs(std::log(5.0), 1e-6));  // 0.25 each counts as 0.2
  CHECK(ls::is_nan(summary.pooled.data<float>()[7]));
  CHECK(summary.marked == std::vector<std::uint8_t>{0, 0, 0, 0, 0, 1, 0, 0, 1, 1});
  const auto any = ls::summarize_attention({.weights = weights}, {.tolerance = infinity});
  CHECK(std::none_of(any.warnings.begin(), any.warnings.end(),
                     [](const auto& warning) { return warning.fault == ls::AttentionFault::row_sum; }));
  const auto nothing = ls::summarize_attention({.weights = tensor({1, 1, 2}, {not_a_number, 0})});
  CHECK(ls::is_nan(nothing.entropy[0]));
  CHECK(ls::is_nan(nothing.distance[0]));
}

TEST_CASE("Attention: pooling keeps the largest weight of each block, and NaN before all") {
  const std::int64_t n = 37;
  ls::Tensor weights = layerscope_test::random_attention(2, n, n, ls::AttentionKind::self, 3);
  weights.mutable_data<double>()[n * n + 36 * n + 36] = not_a_number;
  weights.mutable_data<double>()[5] = infinity;
  const auto whole = ls::summarize_attention({.weights = weights});
  const auto pooled = ls::summarize_attention({.weights = weights}, {.max_side = 10});
  REQUIRE(pooled.pooled.shape() == ls::Shape{2, 10, 10});
  REQUIRE(pooled.query_pool == 4);
  for (std::int64_t head = 0; head < 2; ++head) {
    for (std::int64_t r = 0; r < 10; ++r) {
      for (std::int64_t c = 0; c < 10; ++c) {
        double most = -1;
        bool any_nan = false;
        for (std::int64_t q = 4 * r; q < (std::min)(4 * r + 4, n); ++q) {
          for (std::int64_t k = 4 * c; k < (std::min)(4 * c + 4, n); ++k) {
            const double w = weights.data<double>()[(head * n + q) * n + k];
            any_nan = any_nan || ls::is_nan(w);
            if (!ls::is_nan(w)) most = ls::is_finite(w) ? (std::max)(most, w) : infinity;
          }
        }
        const float found = pooled.pooled.data<float>()[(head * 10 + r) * 10 + c];
        CHECK(ls::is_nan(found) == any_nan);
        if (!any_nan) CHECK((ls::is_finite(found) ? found == static_cast<float>(most) : !ls::is_finite(most)));
      }
    }
  }
  for (std::size_t head = 0; head < 2; ++head) {
    CHECK_THAT(pooled.entropy[head], Catch::Matchers::WithinAbs(whole.entropy[head], 1e-12));
    CHECK_THAT(pooled.distance[head], Catch::Matchers::WithinAbs(whole.distance[head], 1e-12));
  }
}

TEST_CASE("Attention: the same bits for any number of threads, type of view and stride") {
  const ls::Tensor weights =
      ls::convert(layerscope_test::random_attention(3, 50, 50, ls::AttentionKind::causal, 5), ls::DType::f32);
  const ls::Attention given{.weights = weights, .kind = ls::AttentionKind::causal};
  const auto one = ls::summarize_attention(given, {.max_side = 16, .threads = 1});
  for (const int threads : {2, 8}) {
    const auto many = ls::summarize_attention(given, {.max_side = 16, .threads = threads});
    CHECK(many.entropy == one.entropy);
    CHECK(many.distance == one.distance);
  }
  // As one sample of several, with its axes stored in another order.
  ls::Tensor turned = ls::copy(weights.view().permute({2, 0, 1}));
  const ls::AnyView back = turned.view().permute({1, 2, 0});
  const ls::AnyView samples(back.data(), back.dtype(), ls::Shape{2, 3, 50, 50},
                            ls::Strides{0, back.strides()[0], back.strides()[1], back.strides()[2]});
  const auto strided =
      ls::summarize_attention({.weights = samples, .kind = ls::AttentionKind::causal, .sample = 1}, {.max_side = 16});
  CHECK(strided.entropy == one.entropy);
  CHECK(
      std::equal(one.pooled.data<float>(), one.pooled.data<float>() + one.pooled.size(), strided.pooled.data<float>()));
}

TEST_CASE("Attention: a model's layers by kind; tokens are shared by queries and keys of one sequence") {
  const ls::Tensor weights = layerscope_test::uniform_attention(8, 3, 3);
  ls::AttentionModel model =
      ls::attention_model(*weights.view().reshape({4, 2, 3, 3}),
                          {.kind = ls::AttentionKind::encoder, .name = "block", .query_tokens = {"a", "b", "c"}});
  REQUIRE(model.layers.size() == 4);
  CHECK(model.layers[3].name == "block 3");
  model.layers[1].kind = ls::AttentionKind::cross;
  CHECK(model.of(ls::AttentionKind::encoder).size() == 3);
  CHECK(model.of(ls::AttentionKind::cross).size() == 1);
  const auto summaries = ls::summarize_attention(model);
  REQUIRE(summaries.size() == 4);
  CHECK(summaries[0].key_tokens == std::vector<std::string>{"a", "b", "c"});
  CHECK(summaries[1].key_tokens.empty());
  CHECK(ls::attention_model(*weights.view().reshape({2, 2, 2, 3, 3}), {.sample = 1}).layers[1].name == "layer 1");
}

TEST_CASE("Attention: what it cannot take is named") {
  const ls::Tensor weights = layerscope_test::uniform_attention(2, 3, 4);
  const auto summarize = [](const ls::Attention& given, const ls::AttentionSummaryOptions& options = {}) {
    return error_of([&] { ls::summarize_attention(given, options); });
  };
  CHECK(summarize({}).code() == ls::ErrorCode::empty);
  CHECK(summarize({.weights = ls::Tensor(ls::DType::f32, {2, 0, 4})}).what() ==
        std::string("summarize_attention: shape [2, 0, 4] holds no weight"));
  CHECK(summarize({.weights = *weights.view().reshape({24})}).what() ==
        std::string("summarize_attention: shape [24]; expected [heads, queries, keys], [queries, keys] or [samples, "
                    "heads, queries, keys]"));
  CHECK(summarize({.weights = weights, .query_tokens = {"a", "b"}}).what() ==
        std::string("summarize_attention: 2 tokens for the 3 queries; expected none or one each"));
  CHECK(summarize({.weights = weights, .key_tokens = {"a", "b"}}).code() == ls::ErrorCode::invalid_argument);
  CHECK(summarize({.weights = weights, .sample = 1}).code() == ls::ErrorCode::invalid_argument);
  CHECK(summarize({.weights = *weights.view().reshape({2, 3, 2, 2}), .sample = 2}).what() ==
        std::string("summarize_attention: sample 2 of 2; expected 0 to 1"));
  CHECK(summarize({.weights = weights}, {.max_side = 0}).code() == ls::ErrorCode::invalid_argument);
  CHECK(summarize({.weights = weights}, {.tolerance = -1.0}).code() == ls::ErrorCode::invalid_argument);
  CHECK(summarize({.weights = weights}, {.tolerance = not_a_number}).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([&] { ls::attention_model(weights); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([] { ls::attention_model({}); }).code() == ls::ErrorCode::empty);
}

TEST_CASE("Attention: the weights of BERT and of a translator have no fault") {
  for (const auto& [file, kind] :
       {std::pair{"model_view_bert_attention_all_attn.npy", ls::AttentionKind::self},
        std::pair{"model_view_encoder_decoder_attention_0_attn.npy", ls::AttentionKind::encoder},
        std::pair{"model_view_encoder_decoder_attention_1_attn.npy", ls::AttentionKind::decoder},
        std::pair{"model_view_encoder_decoder_attention_2_attn.npy", ls::AttentionKind::cross}}) {
    const auto path = layerscope_test::data_file(std::string("bert_attention/") + file);
    if (!path) return;
    const ls::Tensor weights = ls::read_npy(*path);
    const auto summaries = ls::summarize_attention(ls::attention_model(weights, {.kind = kind}), {.tolerance = 1e-6});
    for (const ls::AttentionSummary& summary : summaries) {
      CHECK(summary.warnings.empty());
      CHECK(*std::max_element(summary.entropy.begin(), summary.entropy.end()) <=
            std::log(static_cast<double>(summary.keys)));
    }
  }
}
