// Snapshot::uncertainty, calibration, similarity, and the units of gradients: what arrives at a sink, over steps, and
// what is refused.
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/sinks/memory.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "support/catch.hpp"
#include "support/pictures.hpp"
#include "support/recorder.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::WithinAbs;
using layerscope_test::normal_tensor;

namespace {

struct Run {
  std::shared_ptr<ls::MemorySink> sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder{{.mode = ls::Mode::synchronous, .on_error = [](const ls::Failure&) {}}};

  Run() { recorder.add(sink); }
  ls::Artifact only() {
    std::vector<ls::Artifact> artifacts = sink->take();
    REQUIRE(artifacts.size() == 1);
    return artifacts.front();
  }
};

double attribute(const ls::Artifact& artifact, const std::string& name) {
  for (const ls::Attribute& entry : artifact.attributes) {
    if (entry.name != name) continue;
    if (const auto* const whole = std::get_if<std::int64_t>(&entry.value)) return static_cast<double>(*whole);
    return std::get<double>(entry.value);
  }
  FAIL("no attribute " + name);
  return 0;
}

const std::vector<double>& column(const ls::Artifact& artifact, const std::string& table, const std::string& name) {
  const auto* const found = artifact.find<ls::Table>(table);
  REQUIRE(found != nullptr);
  for (const ls::Table::Column& each : found->columns) {
    if (each.name == name) return std::get<std::vector<double>>(each.cells);
  }
  FAIL("no column " + name);
  return std::get<std::vector<double>>(found->columns[0].cells);
}

}  // namespace

TEST_CASE("snapshot: uncertainty of members that are all there, and of what was accumulated") {
  Run run;
  const ls::Tensor members = normal_tensor({5, 30, 4}, 1);
  const std::vector<std::int64_t> labels(30, 2);
  const ls::Tensor images = normal_tensor({30, 6, 6}, 2);
  ls::UncertaintySnapshotOptions options;
  options.predictions.kind = ls::PredictionKind::logits;
  options.labels = labels;
  options.images = images;
  options.count = 3;
  REQUIRE(run.recorder.snapshot(4).uncertainty("test", members.view(), options).outcome() == ls::Outcome::written);
  const ls::Artifact whole = run.only();
  CHECK(whole.kind == "uncertainty");
  CHECK(whole.name == "test");
  CHECK(whole.step == 4);
  CHECK(attribute(whole, "members") == 5);
  CHECK(column(whole, "most uncertain", "sample").size() == 3);
  CHECK(column(whole, "most uncertain", "true") == std::vector<double>{2, 2, 2});
  const ls::Uncertainty expected = ls::uncertainty(members, options.predictions);
  CHECK(column(whole, "most uncertain", "sample")[0] == static_cast<double>(ls::most_uncertain(expected, 1)[0]));
  double sum = 0;
  for (int i = 0; i < 30; ++i) sum += expected.mutual_information.data<double>()[i];
  CHECK_THAT(attribute(whole, "mean mutual information"), WithinAbs(sum / 30, 1e-12));
  REQUIRE(whole.picture);
  const ls::Image picture = whole.picture.get();

  ls::UncertaintyAccumulator sums(options.predictions);
  for (int member = 0; member < 5; ++member) sums.add(members.view().select(0, member));
  REQUIRE(run.recorder.snapshot(4).uncertainty("test", sums.result(), options).outcome() == ls::Outcome::written);
  const ls::Artifact streamed = run.only();
  CHECK(streamed.picture.get() == picture);
  CHECK(attribute(streamed, "mean predictive entropy") == attribute(whole, "mean predictive entropy"));

  // Dense predictions have maps, an artifact of warnings still has its numbers.
  ls::Tensor dense = normal_tensor({3, 2, 3, 8, 8}, 3);
  dense.mutable_data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE(
      run.recorder.snapshot(5).uncertainty("segments", dense.view(), {.predictions = options.predictions}).outcome() ==
      ls::Outcome::written);
  const ls::Artifact maps = run.only();
  CHECK(attribute(maps, "undefined rows") == 1);
  REQUIRE(maps.warnings.size() == 1);
  CHECK_THAT(maps.warnings[0], ContainsSubstring("1 of 128 rows are undefined"));
  CHECK(layerscope_test::count_colour(maps.picture.get(), {255, 0, 255}) > 0);
}

TEST_CASE("snapshot: uncertainty refuses what does not fit") {
  Run run;
  const ls::Tensor members = normal_tensor({2, 3, 4}, 1);
  const auto refused = [&](const ls::UncertaintySnapshotOptions& options) {
    const ls::Status status = run.recorder.snapshot(0).uncertainty("x", members.view(), options);
    CHECK(status.outcome() == ls::Outcome::failed);
    return run.recorder.report().failures.back().message;
  };
  CHECK_THAT(refused({}), ContainsSubstring("expected a probability"));
  ls::UncertaintySnapshotOptions options;
  const std::vector<std::int64_t> labels(4);
  options.labels = labels;
  CHECK_THAT(refused(options), ContainsSubstring("labels of shape [4]; expected one a sample, [3]"));
  options = {};
  const ls::Tensor images = normal_tensor({3, 6}, 2);
  options.images = images;
  CHECK_THAT(refused(options), ContainsSubstring("images of shape [3, 6]"));
  options = {};
  options.count = 0;
  CHECK_THAT(refused(options), ContainsSubstring("count 0; expected 1 to 64"));
  CHECK_THAT(run.recorder.snapshot(0).uncertainty("x", members.view().select(0, 0)).message(),
             ContainsSubstring("members of shape [3, 4]; expected [members, n, classes, …]"));
  CHECK(run.recorder.snapshot(0).uncertainty("x", ls::Uncertainty{}).code() == ls::ErrorCode::empty);
  CHECK(run.recorder.report().counts.failed == 6);
  ls::Recorder off{{.schedule = ls::Schedule::never()}};
  CHECK(off.snapshot(0).uncertainty("x", members.view()).outcome() == ls::Outcome::skipped);
}

TEST_CASE("snapshot: calibration") {
  Run run;
  // Nine of ten right at a confidence of 0.75.
  std::vector<float> probabilities;
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 10; ++i) {
    probabilities.insert(probabilities.end(), {0.75f, 0.25f});
    labels.push_back(i == 3 ? 1 : 0);
  }
  const ls::TensorView<float> predictions(probabilities.data(), {10, 2});
  REQUIRE(run.recorder.snapshot(2).calibration("test", predictions, labels, {.bins = 10}).outcome() ==
          ls::Outcome::written);
  const ls::Artifact artifact = run.only();
  CHECK(artifact.kind == "calibration");
  CHECK_THAT(attribute(artifact, "ECE"), WithinAbs(0.15, 1e-15));
  CHECK_THAT(attribute(artifact, "accuracy"), WithinAbs(0.9, 1e-15));
  CHECK(attribute(artifact, "rows") == 10);
  CHECK(column(artifact, "bins", "count")[7] == 10);
  CHECK(artifact.picture.get().width == 440);
  labels[0] = 2;
  CHECK(run.recorder.snapshot(3).calibration("test", predictions, labels).outcome() == ls::Outcome::failed);
  CHECK_THAT(run.recorder.report().failures.back().message, ContainsSubstring("label 2 of row 0"));
  ls::Recorder off{{.schedule = ls::Schedule::never()}};
  CHECK(off.snapshot(0).calibration("x", predictions, labels).outcome() == ls::Outcome::skipped);
}

TEST_CASE("snapshot: similarity of layers with each other and with earlier steps") {
  using Against = ls::SimilaritySnapshotOptions::Against;
  Run run;
  const ls::Tensor first = normal_tensor({40, 5}, 1), second = normal_tensor({40, 2, 3}, 2);
  const auto record = [&](std::int64_t step, const ls::Tensor& a, const ls::Tensor& b, Against against) {
    ls::SimilaritySnapshotOptions options;
    options.against = against;
    REQUIRE(run.recorder.snapshot(step)
                .similarity(against == Against::first_step ? "first" : "before", {{"a", a}, {"b", b}}, options)
                .outcome() == ls::Outcome::written);
    return run.only();
  };
  const auto value = [](const ls::Artifact& artifact, int row, int column) {
    return artifact.find<ls::Tensor>("values")->data<double>()[2 * row + column];
  };
  const ls::Artifact start = record(0, first, second, Against::first_step);
  CHECK(start.kind == "similarity");
  CHECK(value(start, 0, 0) == 1);
  CHECK_THAT(value(start, 0, 1), WithinAbs(ls::linear_cka(first, second), 1e-12));
  record(0, first, second, Against::step_before);
  // The layers change places.
  const ls::Artifact changed = record(1, second, first, Against::first_step);
  CHECK(attribute(changed, "compared with step") == 0);
  CHECK_THAT(value(changed, 0, 1), WithinAbs(1, 1e-12));
  CHECK_THAT(value(changed, 0, 0), WithinAbs(ls::linear_cka(first, second), 1e-12));
  record(1, second, first, Against::step_before);
  CHECK_THAT(value(record(2, second, first, Against::first_step), 0, 1), WithinAbs(1, 1e-12));
  const ls::Artifact same = record(2, second, first, Against::step_before);
  CHECK(attribute(same, "compared with step") == 1);
  CHECK_THAT(value(same, 0, 0), WithinAbs(1, 1e-12));
  // Other samples cannot be compared.
  const ls::Tensor more = normal_tensor({41, 5}, 1);
  const ls::Artifact alone = record(3, more, more, Against::step_before);
  REQUIRE(alone.warnings.size() == 1);
  CHECK_THAT(alone.warnings[0], ContainsSubstring("41 samples, where step 2 had 40"));
}

TEST_CASE("snapshot: similarity caps samples, drops what is not finite, names dead layers, and refuses the rest") {
  Run run;
  ls::Tensor x = normal_tensor({600, 4}, 1);
  const ls::Tensor dead(ls::DType::f32, {600, 3});
  ls::SimilaritySnapshotOptions options;
  options.max_samples = 100;
  x.mutable_data<float>()[4 * 0] = std::numeric_limits<float>::infinity();
  REQUIRE(run.recorder.snapshot(0).similarity("layers", {{"x", x}, {"dead", dead}}, options).outcome() ==
          ls::Outcome::written);
  const ls::Artifact artifact = run.only();
  CHECK(attribute(artifact, "samples shown") == 100);
  CHECK(attribute(artifact, "samples total") == 600);
  CHECK(artifact.find<ls::Tensor>("values")->data<double>()[0] == 1);
  CHECK(ls::is_nan(artifact.find<ls::Tensor>("values")->data<double>()[1]));
  CHECK(layerscope_test::count_colour(artifact.picture.get(), {255, 0, 255}) > 0);
  bool named = false;
  for (const std::string& warning : artifact.warnings) named = named || warning == "dead is constant over the samples";
  CHECK(named);

  const ls::Tensor few = normal_tensor({500, 4}, 1);
  CHECK_THAT(run.recorder.snapshot(1).similarity("layers", {{"x", x}, {"y", few}}).message(),
             ContainsSubstring("layer y of shape [500, 4]; expected 600 samples as of x"));
  CHECK(run.recorder.snapshot(1).similarity("layers", {}).code() == ls::ErrorCode::empty);
  options.max_samples = 3;
  CHECK_THAT(run.recorder.snapshot(1).similarity("layers", {{"x", x}}, options).message(),
             ContainsSubstring("max_samples 3; expected at least 4"));
  ls::Recorder off{{.schedule = ls::Schedule::never()}};
  CHECK(off.snapshot(0).similarity("layers", {{"x", x}}).outcome() == ls::Outcome::skipped);
}

TEST_CASE("snapshot: gradients tell which output units have none") {
  Run run;
  ls::Tensor gradient(ls::DType::f32, {4, 1, 1, 2});
  const float values[] = {3, 4, 0, 0, 0, std::numeric_limits<float>::quiet_NaN(), 1, 0};
  std::copy_n(values, 8, gradient.mutable_data<float>());
  REQUIRE(run.recorder.snapshot(1).gradients("conv1/weight", gradient).outcome() == ls::Outcome::written);
  std::vector<ls::Artifact> artifacts = run.sink->take();
  std::erase_if(artifacts, [](const ls::Artifact& artifact) { return artifact.kind != "gradients"; });
  REQUIRE(artifacts.size() == 1);
  const ls::Artifact& artifact = artifacts.front();
  CHECK(attribute(artifact, "units") == 4);
  CHECK(attribute(artifact, "units without gradient") == 1);
  const auto* const norms = artifact.find<ls::Tensor>("unit norms");
  REQUIRE(norms != nullptr);
  CHECK_THAT(norms->data<double>()[0], WithinAbs(5, 1e-12));
  CHECK(norms->data<double>()[1] == 0);
  CHECK(ls::is_nan(norms->data<double>()[2]));
  CHECK_THAT(norms->data<double>()[3], WithinAbs(1, 1e-12));
  // A bias has no units of its own.
  REQUIRE(run.recorder.snapshot(2).gradients("conv1/bias", ls::Tensor(ls::DType::f32, {4})).outcome() ==
          ls::Outcome::written);
  for (const ls::Artifact& each : run.sink->take()) CHECK(each.find<ls::Tensor>("unit norms") == nullptr);
}
