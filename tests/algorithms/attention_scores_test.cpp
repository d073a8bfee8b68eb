#include <layerscope/algorithms/attention_scores.hpp>

#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/readers/npy.hpp>
#include <layerscope/readers/safetensors.hpp>

#include "support/attention.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/error.hpp"
#include "support/pictures.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace ls = layerscope;
using layerscope_test::error_of;
using layerscope_test::normal_tensor;

namespace {

/// softmax(scale · q · k) by the formula, in float64.
std::vector<double> direct(const ls::Tensor& q, const ls::Tensor& k, ls::AttentionKind kind, double scale) {
  const std::int64_t heads = q.extent(0), n = q.extent(1), d = q.extent(2), m = k.extent(1);
  std::vector<double> weights;
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t visible = ls::is_causal(kind) ? i + m - n + 1 : m;
      std::vector<double> row(static_cast<std::size_t>(m), 0.0);
      double sum = 0;
      for (std::int64_t j = 0; j < visible; ++j) {
        double dot = 0;
        for (std::int64_t c = 0; c < d; ++c) {
          dot += static_cast<double>(q.data<float>()[(h * n + i) * d + c]) *
                 static_cast<double>(k.data<float>()[(h * k.extent(0) / heads * m + j) * d + c]);
        }
        sum += row[static_cast<std::size_t>(j)] = std::exp(scale * dot);
      }
      for (double& w : row) weights.push_back(w / sum);
    }
  }
  return weights;
}

double largest_difference(const ls::Tensor& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == static_cast<std::int64_t>(expected.size()));
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(found.data<float>()[i]) - expected[i]);
    if (!ls::is_finite(difference)) return difference;
    largest = (std::max)(largest, difference);
  }
  return largest;
}

}  // namespace

TEST_CASE("Attention scores: what is recomputed from Q and K equals the formula, in tiles of any size") {
  for (const ls::AttentionKind kind : {ls::AttentionKind::self, ls::AttentionKind::causal, ls::AttentionKind::cross}) {
    for (const std::int64_t key_heads : {1, 2, 3, 6}) {
      const ls::Tensor q = normal_tensor({6, 19, 16}, 1);
      const ls::Tensor k = normal_tensor({key_heads, 23, 16}, 2);
      ls::QueryKey input{.queries = q, .keys = k, .kind = kind};
      const ls::Tensor whole = ls::attention_weights(input);
      CHECK(largest_difference(whole, direct(q, k, kind, 0.25)) < 1e-6);
      for (const std::int64_t rows : {1, 5, 19, 1000}) {
        for (const int threads : {1, 3}) {
          const ls::Tensor tiled = ls::attention_weights(input, {.rows = rows, .threads = threads});
          CHECK(largest_difference(tiled, direct(q, k, kind, 0.25)) < 1e-6);
        }
      }
      input.scale = 0.7;
      CHECK(largest_difference(ls::attention_weights(input), direct(q, k, kind, 0.7)) < 1e-5);
    }
  }
}

TEST_CASE("Attention scores: the summary of Q and K is that of the weights") {
  const ls::Tensor q = normal_tensor({4, 70, 8}, 3);
  const ls::Tensor k = normal_tensor({2, 70, 8}, 4);
  const ls::QueryKey input{
      .queries = q, .keys = k, .name = "layer 0", .query_tokens = layerscope_test::numbered_tokens(70)};
  const auto fused = ls::summarize_attention(input, {.max_side = 20});
  const auto whole = ls::summarize_attention(
      ls::Attention{.weights = ls::attention_weights(input), .kind = ls::AttentionKind::causal}, {.max_side = 20});
  CHECK(fused.warnings.empty());
  CHECK(fused.key_tokens.size() == 70);
  CHECK(fused.query_pool == 4);
  REQUIRE(fused.pooled.shape() == whole.pooled.shape());
  CHECK(std::equal(fused.pooled.data<float>(), fused.pooled.data<float>() + fused.pooled.size(),
                   whole.pooled.data<float>()));
  CHECK(fused.entropy == whole.entropy);
  CHECK(fused.distance == whole.distance);
}

TEST_CASE("Attention scores: huge and damaged scores") {
  const double infinity = std::numeric_limits<double>::infinity();
  const double not_a_number = std::numeric_limits<double>::quiet_NaN();
  ls::Tensor scores(ls::DType::f64, {5, 3});
  const std::vector<double> numbers{1e30, 0, -1e30, -infinity,    2,         2,         0,        infinity,
                                    0,    0, 0,     not_a_number, -infinity, -infinity, -infinity};
  std::copy(numbers.begin(), numbers.end(), scores.mutable_data<double>());
  const ls::Tensor found = ls::attention_softmax(scores, ls::AttentionKind::self);
  const float* const w = found.data<float>();
  CHECK(std::vector<float>(w, w + 6) == std::vector<float>{1, 0, 0, 0, 0.5f, 0.5f});
  for (int i = 6; i < 15; ++i) CHECK(ls::is_nan(w[i]));  // with +infinity, with NaN, and with nothing to look at
  // Causal: what a query may not see is 0, whatever its score.
  ls::Tensor square(ls::DType::f32, {2, 2});
  square.mutable_data<float>()[1] = std::numeric_limits<float>::quiet_NaN();
  const ls::Tensor masked = ls::attention_softmax(square, ls::AttentionKind::causal);
  CHECK(std::vector<float>(masked.data<float>(), masked.data<float>() + 4) == std::vector<float>{1, 0, 0.5f, 0.5f});
  // NaN in Q reaches its row alone, and is warned of.
  ls::Tensor q = normal_tensor({1, 4, 2}, 5);
  q.mutable_data<float>()[2] = std::numeric_limits<float>::quiet_NaN();
  const ls::Tensor k = normal_tensor({1, 4, 2}, 6);
  const auto summary = ls::summarize_attention(ls::QueryKey{.queries = q, .keys = k, .kind = ls::AttentionKind::self});
  REQUIRE(summary.warnings.size() == 1);
  CHECK(summary.warnings[0].text() == "nan: 1 of 4 rows with NaN, first of head 0, query 1");
}

TEST_CASE("Attention scores: GPT-2's dump is the softmax of its scores") {
  for (const char* const example : {"ex0", "ex1"}) {
    const auto scaled = layerscope_test::data_file("gpt2_attention/" + std::string(example) + "_scaled_f32.npy");
    const auto dumped = layerscope_test::data_file("gpt2_attention/" + std::string(example) + "_softmax_f32.npy");
    if (!scaled || !dumped) return;
    const ls::Tensor scores = ls::read_npy(*scaled);
    const ls::Tensor expected = ls::read_npy(*dumped);
    for (std::int64_t layer = 0; layer < scores.extent(0); ++layer) {
      const ls::Tensor found = ls::attention_softmax(scores.view().select(0, layer), ls::AttentionKind::causal);
      const float* const e = expected.data<float>() + layer * found.size();
      CHECK(largest_difference(found, std::vector<double>(e, e + found.size())) < 1e-6);
    }
  }
}

TEST_CASE("Attention scores: minGPT's sorter: its Q and K give the weights that were published") {
  const auto path = layerscope_test::data_file("gpt_nano_sort/golden_partials.safetensors");
  if (!path) return;
  const ls::Safetensors file(*path);
  const ls::Tensor q = file.read("q"), k = file.read("k"), expected = file.read("attSm");
  for (std::int64_t sample = 0; sample < q.extent(0); ++sample) {
    const ls::Tensor found = ls::attention_weights({.queries = q, .keys = k, .sample = sample});
    const float* const e = expected.data<float>() + sample * found.size();
    CHECK(largest_difference(found, std::vector<double>(e, e + found.size())) < 1e-5);
  }
}

TEST_CASE("Attention scores: what they cannot take is named") {
  const ls::Tensor q = normal_tensor({4, 3, 8}, 1);
  const auto refused = [&](const ls::QueryKey& input, const ls::AttentionTileOptions& options = {}) {
    return std::string(error_of([&] { ls::attention_weights(input, options); }).what());
  };
  CHECK(error_of([] { ls::attention_weights({}); }).code() == ls::ErrorCode::empty);
  CHECK(refused({.queries = q, .keys = normal_tensor({3, 3, 8}, 2)}) ==
        "attention_weights: 4 heads and 3 heads of keys; expected a multiple of them");
  CHECK(refused({.queries = q, .keys = normal_tensor({2, 3, 9}, 2)}) ==
        "attention_weights: queries of width 8 and keys of width 9; expected the same");
  CHECK(refused({.queries = q, .keys = normal_tensor({2, 2, 8}, 2)}) ==
        "attention_weights: 3 queries and 2 keys of kind causal; expected no more queries than keys");
  CHECK(refused({.queries = q, .keys = normal_tensor({3, 8}, 2)}).find("expected [heads, n, d]") != std::string::npos);
  CHECK(refused({.queries = q, .keys = q, .sample = 1}) == "attention_weights: sample 1; expected 0 to 0");
  CHECK(refused({.queries = q, .keys = q}, {.rows = 0}) == "attention_weights: tile of 0 rows; expected 1 or more");
  CHECK(refused({.queries = q, .keys = q, .scale = std::numeric_limits<double>::infinity()}).find("scale inf") !=
        std::string::npos);
  CHECK(error_of([&] {
          ls::summarize_attention(ls::QueryKey{.queries = q, .keys = q, .query_tokens = {"a"}});
        }).code() == ls::ErrorCode::invalid_argument);
}
