#include <layerscope/snapshot/snapshot.hpp>

#include <layerscope/algorithms/attention_scores.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/sinks/memory.hpp>

#include "support/attention.hpp"
#include "support/catch.hpp"
#include "support/pictures.hpp"
#include "support/recorder.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ls = layerscope;

namespace {

/// The artifacts of a kind, by step.
std::vector<ls::Artifact> of_kind(const ls::MemorySink& sink, const std::string& kind) {
  std::vector<ls::Artifact> found;
  for (const ls::Artifact& artifact : sink.artifacts()) {
    if (artifact.kind == kind) found.push_back(artifact);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return found;
}

const std::vector<double>& numbers(const ls::Artifact& artifact, const std::string& part, std::size_t column) {
  const auto* const table = artifact.find<ls::Table>(part);
  REQUIRE(table != nullptr);
  return std::get<std::vector<double>>(table->columns.at(column).cells);
}

}  // namespace

TEST_CASE("Snapshot attention: weights, measures and tokens of a step, and a timeline of the run") {
  for (const ls::Mode mode : {ls::Mode::synchronous, ls::Mode::asynchronous}) {
    const auto sink = std::make_shared<ls::MemorySink>();
    ls::Recorder recorder({.mode = mode});
    recorder.add(sink);
    const ls::Tensor weights = layerscope_test::random_attention(6, 10, 10, ls::AttentionKind::causal, 4);
    for (int epoch = 0; epoch < 3; ++epoch) {
      auto snapshot = recorder.snapshot(epoch);
      // Of two samples with three heads each, the second.
      const ls::Status status = snapshot.attention(
          "block0", *weights.view().reshape({2, 3, 10, 10}),
          {.kind = ls::AttentionKind::causal, .query_tokens = layerscope_test::numbered_tokens(10), .sample = 1});
      REQUIRE(status.ok());
    }
    const ls::Report report = recorder.close();
    CHECK(layerscope_test::balanced(report.counts));
    CHECK(report.counts.written == 3);
    CHECK(report.counts.failed == 0);
    const auto steps = of_kind(*sink, "attention");
    REQUIRE(steps.size() == 3);
    const ls::Artifact& artifact = steps[2];
    CHECK(artifact.step == 2);
    CHECK(artifact.name == "block0");
    CHECK(artifact.warnings.empty());
    const auto* const kept = artifact.find<ls::Tensor>("weights");
    REQUIRE(kept != nullptr);
    REQUIRE(kept->shape() == ls::Shape{3, 10, 10});
    for (std::int64_t i = 0; i < 300; ++i) {
      CHECK(kept->data<float>()[i] == static_cast<float>(weights.data<double>()[300 + i]));
    }
    const ls::AttentionSummary expected =
        ls::summarize_attention({.weights = weights.view().narrow(0, 3, 3), .kind = ls::AttentionKind::causal});
    CHECK(numbers(artifact, "heads", 1) == expected.entropy);
    CHECK(numbers(artifact, "heads", 2) == expected.distance);
    REQUIRE(artifact.range);
    CHECK(*artifact.range == expected.range);
    REQUIRE(artifact.find<ls::Table>("key tokens") != nullptr);
    CHECK(artifact.picture.get().width > 300);
    const auto timelines = of_kind(*sink, "attention_timeline");
    REQUIRE(!timelines.empty());
    CHECK(timelines.back().retention == ls::Retention::latest);
    CHECK(numbers(timelines.back(), "steps", 0) == std::vector<double>{0, 1, 2});
    CHECK(timelines.back().find<ls::Tensor>("entropy")->shape() == ls::Shape{3, 3});
    CHECK(timelines.back().picture.get().width > 300);
  }
}

TEST_CASE("Snapshot attention: from queries and keys, and of a decoder that keeps its keys") {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder({.mode = ls::Mode::synchronous});
  recorder.add(sink);
  const ls::Tensor keys = layerscope_test::normal_tensor({2, 8, 4}, 1);
  const ls::Tensor queries = layerscope_test::normal_tensor({4, 8, 4}, 2);
  for (std::int64_t t = 0; t < 8; ++t) {
    auto snapshot = recorder.snapshot(t);
    const auto tokens = layerscope_test::numbered_tokens(t + 1);
    REQUIRE(snapshot
                .attention("block0", queries.view().narrow(1, t, 1), keys.view().narrow(1, 0, t + 1),
                           {.query_tokens = {tokens.back()}, .key_tokens = tokens})
                .ok());
  }
  recorder.close();
  // Row t of what the whole sequence would give.
  const ls::Tensor whole = ls::attention_weights({.queries = queries, .keys = keys});
  const auto timelines = of_kind(*sink, "attention_timeline");
  REQUIRE(!timelines.empty());
  const auto* const rows = timelines.back().find<ls::Tensor>("rows");
  REQUIRE(rows != nullptr);
  REQUIRE(rows->shape() == ls::Shape{8, 4, 8});
  for (std::int64_t t = 0; t < 8; ++t) {
    for (std::int64_t head = 0; head < 4; ++head) {
      for (std::int64_t k = 0; k < 8; ++k) {
        CHECK_THAT(static_cast<double>(rows->data<float>()[(t * 4 + head) * 8 + k]),
                   Catch::Matchers::WithinAbs(static_cast<double>(whole.data<float>()[(head * 8 + t) * 8 + k]), 1e-6));
      }
    }
  }
  CHECK(timelines.back().picture.get().width > 200);
}

TEST_CASE("Snapshot attention: faults are warnings by name; what does not fit the queue is summed up by the caller") {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder({.queue_bytes = 4096});
  recorder.add(sink);
  ls::Tensor weights = layerscope_test::uniform_attention(1, 50, 50);
  weights.mutable_data<double>()[7] = std::numeric_limits<double>::quiet_NaN();
  weights.mutable_data<double>()[60] = 0.5;
  REQUIRE(recorder.snapshot(0).attention("a", weights, {.max_side = 10}).ok());
  recorder.close();
  const auto found = of_kind(*sink, "attention");
  REQUIRE(found.size() == 1);
  CHECK(found[0].warnings == std::vector<std::string>{"nan: 1 of 50 rows with NaN, first of head 0, query 0",
                                                      "row_sum: 1 of 50 rows not summing to 1, first of head 0, query "
                                                      "1: 1.48"});
  CHECK(found[0].find<ls::Tensor>("weights")->shape() == ls::Shape{1, 10, 10});
  CHECK(layerscope_test::count_colour(found[0].picture.get(), {255, 0, 255}) > 0);
}

TEST_CASE("Snapshot attention: what it cannot take fails, and is counted") {
  ls::Recorder recorder({.mode = ls::Mode::synchronous, .on_error = [](const ls::Failure&) {}});
  const ls::Tensor weights = layerscope_test::uniform_attention(2, 3, 4);
  auto snapshot = recorder.snapshot(0);
  CHECK(snapshot.attention("a", ls::Tensor(ls::DType::f32, {2, 0, 4})).code() == ls::ErrorCode::empty);
  CHECK(snapshot.attention("a", *weights.view().reshape({24})).code() == ls::ErrorCode::invalid_argument);
  CHECK(snapshot.attention("a", weights, {.query_tokens = {"a", "b"}}).message() ==
        "summarize_attention: 2 tokens for the 3 queries; expected none or one each");
  CHECK(snapshot.attention("a", *weights.view().reshape({2, 1, 3, 4}), {.sample = 2}).message() ==
        "summarize_attention: sample 2 of 2; expected 0 to 1");
  CHECK(snapshot.attention("a", weights, {.max_side = 0}).code() == ls::ErrorCode::invalid_argument);
  CHECK(snapshot.attention("a", weights, weights, {.scale = std::numeric_limits<double>::infinity()}).outcome() ==
        ls::Outcome::failed);
  const ls::Report report = recorder.close();
  CHECK(report.counts.failed == 6);
  CHECK(ls::Recorder({.schedule = ls::Schedule::never()}).snapshot(0).attention("a", weights).outcome() ==
        ls::Outcome::skipped);
}
