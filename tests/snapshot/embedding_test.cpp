#include <layerscope/snapshot/snapshot.hpp>

#include <layerscope/adapters/std.hpp>
#include <layerscope/algorithms/umap.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/random.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/run.hpp"

namespace ls = layerscope;
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::attribute;
using layerscope_test::has_attribute;
using layerscope_test::Run;

namespace {

using Size = std::int64_t;

std::size_t at(Size i) {
  return static_cast<std::size_t>(i);
}

/// Rows of four classes around the axes of d dimensions.
ls::Tensor clusters(Size rows, Size d, std::uint64_t stream = 1) {
  ls::Tensor x(ls::DType::f32, {rows, d});
  const ls::Random random(9, stream);
  float* values = x.mutable_data<float>();
  for (Size i = 0; i < rows; ++i) {
    for (Size c = 0; c < d; ++c) {
      values[i * d + c] =
          static_cast<float>(random.normal(static_cast<std::uint64_t>(i * d + c))) + (c == i % 4 ? 6 : 0);
    }
  }
  return x;
}

std::vector<Size> classes(Size rows) {
  std::vector<Size> labels;
  for (Size i = 0; i < rows; ++i) labels.push_back(i % 4);
  return labels;
}

/// The same rows, each moved along one direction by its own amount.
ls::Tensor moved(const ls::Tensor& x, float unit = 0.01f) {
  ls::Tensor result = x;
  const Size d = x.extent(1);
  for (Size i = 0; i < x.extent(0); ++i) {
    result.mutable_data<float>()[i * d] += unit * static_cast<float>(i * 37 % x.extent(0));
  }
  return result;
}

const std::vector<std::string>& words(const ls::Table& table, std::size_t column) {
  return std::get<std::vector<std::string>>(table.columns.at(column).cells);
}

const std::vector<double>& numbers(const ls::Table& table, std::size_t column) {
  return std::get<std::vector<double>>(table.columns.at(column).cells);
}

const ls::EmbeddingMethod frozen = ls::PcaProjection{.basis = ls::PcaProjection::Basis::frozen};

}  // namespace

TEST_CASE("snapshot: an embedding tells how good it is, and what changed") {
  // Two features in two dimensions: the layout is the data, and moves as they do.
  const Size n = 300;
  const ls::Tensor first = clusters(n, 2);
  std::vector<Size> labels(at(n));
  for (Size i = 0; i < n; ++i) labels[at(i)] = i % 4 < 2 ? i % 4 : -1;
  const ls::EmbeddingOptions options{.labels = labels, .method = frozen};
  Run run;
  CHECK(run.recorder.snapshot(3).embedding("fc", first, options).ok());
  const ls::Artifact before = run.only();
  CHECK(attribute<double>(before, "trustworthiness") == Approx(1).margin(1e-3));  // float32 exchanges near equals
  CHECK(attribute<double>(before, "continuity") == Approx(1).margin(1e-3));
  CHECK(attribute<double>(before, "neighbor preservation") > 0.99);
  CHECK(attribute<double>(before, "label accuracy") > 0.4);
  CHECK(attribute<Size>(before, "quality rows") == n);
  CHECK_FALSE(has_attribute(before, "trustworthiness standard error"));
  CHECK_FALSE(has_attribute(before, "stability"));
  CHECK(before.find<ls::Table>("most moved") == nullptr);
  CHECK(before.warnings.empty());

  const ls::Tensor second = moved(first);
  CHECK(run.recorder.snapshot(5).embedding("fc", second, options).ok());
  const ls::Artifact after = run.only();
  CHECK(attribute<Size>(after, "compared with step") == 3);
  CHECK(attribute<Size>(after, "common rows") == n);
  CHECK(attribute<Size>(after, "new rows") == 0);
  CHECK(attribute<double>(after, "stability") == Approx(1).margin(1e-3));
  CHECK(attribute<double>(after, "stress") == Approx(0).margin(1e-6));
  CHECK(attribute<double>(after, "neighbor overlap") ==
        Approx(attribute<double>(after, "layout overlap")).margin(0.02));
  CHECK(attribute<double>(after, "CKA") < 1);
  CHECK(attribute<double>(after, "CKA") == Approx(attribute<double>(after, "CKA to first step")));
  CHECK(attribute<Size>(after, "first step") == 3);
  CHECK(has_attribute(after, "class separation"));
  const auto* most = after.find<ls::Table>("most moved");
  REQUIRE(most != nullptr);
  Size expected = 0;  // i · 37 mod 300 is largest at one row only
  while (expected * 37 % n != n - 1) ++expected;
  CHECK(words(*most, 0).front() == ls::to_text(expected));
  CHECK(numbers(*most, 1).front() == Approx(2.99).margin(1e-4));
  CHECK(numbers(*most, 2).front() == Approx(2.99).margin(1e-4));
  CHECK(numbers(*most, 1).size() == 10);
  CHECK(after.picture.get().width == 800);

  CHECK(run.recorder.snapshot(6).embedding("fc", first, options).ok());
  const ls::Artifact back = run.only();
  CHECK(attribute<Size>(back, "compared with step") == 5);
  CHECK(attribute<double>(back, "CKA to first step") == Approx(1));
  CHECK(attribute<double>(back, "CKA") < 1 - 1e-4);
}

TEST_CASE("snapshot: quality by a sample says so, and none is told when none is wanted") {
  const ls::Tensor x = clusters(500, 6);
  Run run;
  run.recorder.snapshot(0).embedding("fc", x, {.quality_rows = 120});
  ls::Artifact artifact = run.only();
  CHECK(attribute<Size>(artifact, "quality rows") == 120);
  CHECK(attribute<double>(artifact, "trustworthiness standard error") > 0);
  run.recorder.snapshot(1).embedding("fc", moved(x), {.quality_rows = 120});
  artifact = run.only();
  CHECK(attribute<double>(artifact, "CKA standard error") > 0);
  CHECK(attribute<double>(artifact, "neighbor overlap standard error") > 0);
  for (Size step = 0; step < 2; ++step) {
    run.recorder.snapshot(step).embedding("none", x, {.quality_rows = 0});
    artifact = run.only();
    CHECK_FALSE(has_attribute(artifact, "trustworthiness"));
    CHECK_FALSE(has_attribute(artifact, "stability"));
    CHECK(artifact.find<ls::Table>("trajectories") == nullptr);  // without a measure nothing moved most
  }
}

TEST_CASE("snapshot: samples come, go and change places between the steps of an embedding") {
  const Size n = 200, d = 5;
  const ls::Tensor all = clusters(n + 40, d);
  const auto rows = [&](const std::vector<Size>& ids) {
    ls::Tensor x(ls::DType::f32, {static_cast<Size>(ids.size()), d});
    for (std::size_t i = 0; i < ids.size(); ++i) {
      std::copy_n(all.data<float>() + ids[i] * d, d, x.mutable_data<float>() + static_cast<Size>(i) * d);
    }
    return x;
  };
  std::vector<Size> first, second;
  for (Size i = 0; i < n; ++i) first.push_back(i);
  for (Size i = n + 40; i-- > 30;) second.push_back(i);  // backwards: 30 are gone, 40 are new
  Run run;
  for (const auto& [name, method] :
       {std::pair<std::string, ls::EmbeddingMethod>{"frozen", frozen}, {"aligned", ls::PcaProjection{}}}) {
    run.recorder.snapshot(0).embedding(name, rows(first), {.method = method, .ids = first});
    run.only();
    run.recorder.snapshot(1).embedding(name, rows(second), {.method = method, .ids = second});
    const ls::Artifact after = run.only();
    CHECK(attribute<Size>(after, "common rows") == 170);
    CHECK(attribute<Size>(after, "new rows") == 40);
    CHECK(attribute<Size>(after, "missing rows") == 30);
    CHECK(attribute<double>(after, "CKA") == Approx(1));  // the samples of both stayed what they were
    CHECK(attribute<double>(after, "neighbor overlap") == Approx(1));
    CHECK(after.warnings.empty());
  }
}

TEST_CASE("snapshot: trajectories are where points were, as long as the steps wanted") {
  const Size n = 120;
  Run run;
  ls::Tensor x = clusters(n, 3);
  const std::vector<Size> labels = classes(n);
  const ls::EmbeddingOptions options{
      .labels = labels, .method = frozen, .trajectories = {.ids = {7, 50, 999}, .steps = 3}};
  std::vector<std::vector<float>> seen;
  for (Size step = 0; step < 5; ++step, x = moved(x)) {
    run.recorder.snapshot(10 * step).embedding("fc", x, options);
    const ls::Artifact artifact = run.only();
    const auto& points = *artifact.find<ls::Points>("points");
    const float* const p = points.coordinates.data<float>();
    seen.push_back({p[14], p[15], p[100], p[101]});
    const auto* table = artifact.find<ls::Table>("trajectories");
    if (step == 0) {
      CHECK(table == nullptr);
      continue;
    }
    REQUIRE(table != nullptr);
    const auto length = static_cast<std::size_t>(std::min<Size>(step + 1, 3));
    REQUIRE(words(*table, 0).size() == 2 * length);
    for (std::size_t i = 0; i < 2 * length; ++i) {
      const std::size_t then = at(step) + 1 - length + i % length;
      CHECK(words(*table, 0)[i] == (i < length ? "7" : "50"));
      CHECK(numbers(*table, 1)[i] == 10 * static_cast<double>(then));
      CHECK(numbers(*table, 2)[i] == Approx(seen[then][i < length ? 0 : 2]));
      CHECK(numbers(*table, 3)[i] == Approx(seen[then][i < length ? 1 : 3]));
    }
    REQUIRE(artifact.warnings.size() == 1);
    CHECK_THAT(artifact.warnings[0], ContainsSubstring("1 of 3 samples whose trajectories are wanted have no row"));
    CHECK(artifact.picture.get().height == 640);
  }
  // Without ids: those that moved most, in the picture as lines.
  run.recorder.snapshot(0).embedding("most", x, {.method = frozen, .trajectories = {.most_moved = 4}});
  run.only();
  run.recorder.snapshot(1).embedding("most", moved(x), {.method = frozen, .trajectories = {.most_moved = 4}});
  const ls::Artifact artifact = run.only();
  CHECK(words(*artifact.find<ls::Table>("trajectories"), 0).size() == 8);
  CHECK(words(*artifact.find<ls::Table>("trajectories"), 0)[0] == words(*artifact.find<ls::Table>("most moved"), 0)[0]);
}

TEST_CASE("snapshot: an embedding whose features, method or dimensions change starts anew and says so") {
  Run run;
  const ls::Tensor x = clusters(80, 6), wider = clusters(80, 9);
  run.recorder.snapshot(0).embedding("fc", x);
  run.only();
  run.recorder.snapshot(1).embedding("fc", wider);
  ls::Artifact artifact = run.only();
  REQUIRE(artifact.warnings.size() == 1);
  CHECK(artifact.warnings[0] == "change not measured: 9 features, 6 at step 0");
  CHECK(attribute<Size>(artifact, "aligned rows") == 80);
  run.recorder.snapshot(2).embedding("fc", wider, {.dimensions = 3});
  artifact = run.only();
  CHECK(attribute<Size>(artifact, "aligned rows") == 0);
  CHECK_FALSE(has_attribute(artifact, "stability"));
  const std::vector<Size> others(80, 5000);
  run.recorder.snapshot(3).embedding("fc", wider, {.dimensions = 3, .ids = others});
  artifact = run.only();
  REQUIRE(artifact.warnings.size() == 2);
  CHECK_THAT(artifact.warnings[0], ContainsSubstring("no sample in common"));
  CHECK_THAT(artifact.warnings[1], ContainsSubstring("0 rows in common with step 2; 3 are needed"));
  // A step given again takes its own place.
  for (const Size step : {0, 1, 1}) {
    run.recorder.snapshot(step).embedding("again", x, {.trajectories = {.ids = {3}}});
    artifact = run.only();
  }
  CHECK(numbers(*artifact.find<ls::Table>("trajectories"), 1) == std::vector<double>{0, 1});
}

TEST_CASE("snapshot: rows that cannot be measured are embedded all the same") {
  Run run;
  for (const Size n : {1, 2, 3, 4}) {
    CAPTURE(n);
    for (Size step = 0; step < 2; ++step) {
      CHECK(run.recorder.snapshot(step).embedding("few" + ls::to_text(n), clusters(n, 3, at(step))).ok());
      const ls::Artifact artifact = run.only();
      CHECK(artifact.find<ls::Points>("points")->coordinates.extent(0) == n);
      CHECK(has_attribute(artifact, "trustworthiness") == (n >= 3));
      CHECK(has_attribute(artifact, "stability") == (n >= 3 && step == 1));
    }
  }
  const ls::Tensor same(ls::DType::f32, {50, 3});
  for (Size step = 0; step < 2; ++step) {
    CHECK(run.recorder.snapshot(step).embedding("constant", same).ok());
    CHECK(run.only().find<ls::Points>("points")->coordinates.extent(0) == 50);
  }
  // Beyond float32: the layout is infinite there, which is told.
  ls::Tensor far(ls::DType::f64, {40, 2});
  for (Size i = 0; i < far.size(); ++i) far.mutable_data<double>()[i] = 1e60 * static_cast<double>(i * i % 31);
  CHECK(run.recorder.snapshot(0).embedding("far", far).ok());
  const ls::Artifact artifact = run.only();
  REQUIRE_FALSE(artifact.warnings.empty());
  CHECK_THAT(artifact.warnings.back(), ContainsSubstring("quality not measured"));
}

namespace {

/// Three steps of a data set that drifts: clusters that move apart, each row with noise of its own.
ls::Tensor drifting(Size rows, Size d, Size step) {
  ls::Tensor x = clusters(rows, d);
  const ls::Random random(21, static_cast<std::uint64_t>(step));
  for (Size i = 0; i < rows; ++i) {
    const float own = 0.05f * static_cast<float>(i % 7);  // how restless the row is
    for (Size c = 0; c < d; ++c) {
      float& value = x.mutable_data<float>()[i * d + c];
      if (c == i % 4) value -= 3;  // near enough to each other for one graph
      value = value * (1 + 0.1f * static_cast<float>(step)) +
              own * static_cast<float>(random.normal(static_cast<std::uint64_t>(i * d + c)));
    }
  }
  return x;
}

struct Seen {
  double stability = 0, trustworthiness = 0;
  Size iterations = 0;
};

/// What the last two of three steps say.
std::vector<Seen> three_steps(const std::string& name, const ls::EmbeddingMethod& method) {
  Run run;
  std::vector<Seen> seen;
  for (Size step = 0; step < 3; ++step) {
    CHECK(run.recorder.snapshot(step).embedding(name, drifting(300, 8, step), {.method = method}).ok());
    const ls::Artifact artifact = run.only();
    CHECK(artifact.warnings.empty());
    CHECK(artifact.picture.get().width == 800);
    const auto iterations = attribute<Size>(artifact, "iterations");
    CHECK(iterations == attribute<Size>(artifact, "iterations planned"));
    CHECK(attribute<std::string>(artifact, "start") != (step == 0 ? "layout before" : ""));
    if (step > 0) {
      seen.push_back(
          {attribute<double>(artifact, "stability"), attribute<double>(artifact, "trustworthiness"), iterations});
    }
  }
  return seen;
}

}  // namespace

TEST_CASE("snapshot: an aligned layout of drifting rows moves as they do, where one from scratch does not") {
  constexpr auto from_scratch = ls::EmbeddingTimeline::separate;
  const bool umap = GENERATE(true, false);
  CAPTURE(umap);
  const auto aligned = umap ? three_steps("umap", ls::UmapProjection{}) : three_steps("tsne", ls::TsneProjection{});
  const auto separate = umap ? three_steps("umap", ls::UmapProjection{.timeline = from_scratch})
                             : three_steps("tsne", ls::TsneProjection{.timeline = from_scratch});
  for (std::size_t step = 0; step < 2; ++step) {
    CAPTURE(step, aligned[step].stability, separate[step].stability);
    CHECK(aligned[step].stability > separate[step].stability + 0.3);
    CHECK(aligned[step].trustworthiness > separate[step].trustworthiness - 0.02);
    CHECK(5 * aligned[step].iterations <= separate[step].iterations);
  }
}

TEST_CASE("snapshot: a layout is made from scratch where the data are others than before, and says so") {
  for (const ls::EmbeddingMethod& method : {ls::EmbeddingMethod{ls::UmapProjection{}}, {ls::TsneProjection{}}}) {
    Run run;
    run.recorder.snapshot(0).embedding("fc", drifting(150, 6, 0), {.method = method});
    CHECK(run.only().warnings.empty());
    run.recorder.snapshot(1).embedding("fc", drifting(150, 6, 1), {.method = method});
    ls::Artifact artifact = run.only();
    CHECK(artifact.warnings.empty());
    CHECK(attribute<std::string>(artifact, "start") == "layout before");
    ls::Tensor other(ls::DType::f32, {150, 6});
    const ls::Random random(77);
    for (Size i = 0; i < other.size(); ++i) {
      other.mutable_data<float>()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
    }
    run.recorder.snapshot(2).embedding("fc", other, {.method = method});
    artifact = run.only();
    REQUIRE(artifact.warnings.size() == 1);
    CHECK_THAT(artifact.warnings[0], ContainsSubstring("with those of the step before: laid out from scratch"));
    CHECK(attribute<std::string>(artifact, "start") != "layout before");
    CHECK(attribute<Size>(artifact, "aligned rows") == 0);
  }
}

TEST_CASE("snapshot: a layout from scratch is that of the algorithm alone") {
  const ls::Tensor x = drifting(200, 6, 0);
  Run run;
  run.recorder.snapshot(0).embedding("fc", x, {.method = ls::UmapProjection{.n_neighbors = 10}, .seed = 3});
  const ls::Artifact artifact = run.only();
  const ls::Umap alone = ls::umap(x, {.n_neighbors = 10, .seed = 3, .threads = 1});
  const auto& points = *artifact.find<ls::Points>("points");
  REQUIRE(points.coordinates.shape() == alone.embedding.shape());
  const float* const a = points.coordinates.data<float>();
  CHECK(std::equal(a, a + points.coordinates.size(), alone.embedding.data<float>()));
}

TEST_CASE("snapshot: iterative layouts take rows that come and go, and few of them") {
  for (const ls::EmbeddingMethod& method :
       {ls::EmbeddingMethod{ls::UmapProjection{}}, ls::EmbeddingMethod{ls::TsneProjection{.iterations = 300}}}) {
    Run run;
    std::vector<Size> first, second;
    for (Size i = 0; i < 100; ++i) first.push_back(i);
    for (Size i = 130; i-- > 40;) second.push_back(i);
    const auto rows = [](const std::vector<Size>& ids) {
      const ls::Tensor all = drifting(130, 5, 0);
      ls::Tensor x(ls::DType::f32, {static_cast<Size>(ids.size()), 5});
      for (std::size_t i = 0; i < ids.size(); ++i) {
        std::copy_n(all.data<float>() + ids[i] * 5, 5, x.mutable_data<float>() + static_cast<Size>(i) * 5);
      }
      return x;
    };
    run.recorder.snapshot(0).embedding("fc", rows(first), {.method = method, .ids = first});
    const ls::Artifact before = run.only();
    run.recorder.snapshot(1).embedding("fc", rows(second), {.method = method, .ids = second});
    const ls::Artifact after = run.only();
    CHECK(attribute<Size>(after, "aligned rows") == 60);
    CHECK(attribute<Size>(after, "new rows") == 30);
    for (Size i = 0; i < after.find<ls::Points>("points")->coordinates.size(); ++i) {
      CHECK(std::isfinite(after.find<ls::Points>("points")->coordinates.data<float>()[i]));
    }
    // All samples are others: from scratch, and said.
    const std::vector<Size> others(90, 7777);
    run.recorder.snapshot(2).embedding("fc", rows(second), {.method = method, .ids = others});
    const ls::Artifact anew = run.only();
    CHECK(attribute<Size>(anew, "aligned rows") == 0);
    REQUIRE_FALSE(anew.warnings.empty());
    CHECK_THAT(anew.warnings.front(), ContainsSubstring("no sample in common"));
    for (const Size n : {1, 2, 3, 5}) {
      CAPTURE(n);
      for (Size step = 0; step < 2; ++step) {
        CHECK(run.recorder.snapshot(step).embedding("few" + ls::to_text(n), clusters(n, 3), {.method = method}).ok());
        CHECK(run.only().find<ls::Points>("points")->coordinates.extent(0) == n);
      }
    }
    for (Size step = 0; step < 2; ++step) {
      CHECK(
          run.recorder.snapshot(step).embedding("same", ls::Tensor(ls::DType::f32, {60, 3}), {.method = method}).ok());
      CHECK(run.only().find<ls::Points>("points")->coordinates.extent(0) == 60);
    }
  }
}

TEST_CASE("snapshot: a time budget cuts a layout short, and the next step goes on") {
  Run run;
  ls::EmbeddingOptions options{.method = ls::UmapProjection{.epochs = 400}, .time_budget = 1e-9};
  run.recorder.snapshot(0).embedding("fc", drifting(150, 6, 0), options);
  ls::Artifact artifact = run.only();
  CHECK(attribute<Size>(artifact, "iterations") == 5);
  CHECK(attribute<Size>(artifact, "iterations planned") == 400);
  REQUIRE(artifact.warnings.size() == 1);
  CHECK_THAT(artifact.warnings[0], ContainsSubstring("the time budget ended after 5 of 400 iterations"));
  run.recorder.snapshot(1).embedding("fc", drifting(150, 6, 0), options);
  artifact = run.only();
  CHECK(attribute<Size>(artifact, "iterations planned") == 395);
  options.time_budget = 1e9;
  run.recorder.snapshot(2).embedding("fc", drifting(150, 6, 0), options);
  artifact = run.only();
  CHECK(attribute<Size>(artifact, "iterations") == 390);
  CHECK(artifact.warnings.empty());
  run.recorder.snapshot(3).embedding("fc", drifting(150, 6, 0), options);
  CHECK(attribute<Size>(run.only(), "iterations") == 60);
}

TEST_CASE("snapshot: options of an embedding out of range are named") {
  Run run;
  const ls::Tensor x = clusters(20, 3);
  const auto message = [&](const ls::EmbeddingOptions& options) {
    const ls::Status status = run.recorder.snapshot(0).embedding("fc", x, options);
    CHECK(status.code() == ls::ErrorCode::invalid_argument);
    return std::string(status.message());
  };
  CHECK_THAT(message({.method = ls::UmapProjection{.n_neighbors = 1}}), ContainsSubstring("n_neighbors 1"));
  CHECK_THAT(message({.method = ls::UmapProjection{.warm_epochs = 0}}), ContainsSubstring("warm_epochs 0"));
  CHECK_THAT(message({.method = ls::UmapProjection{.min_dist = 2}}), ContainsSubstring("min_dist 2; expected 0 to 1"));
  CHECK_THAT(message({.method = ls::UmapProjection{.alignment = -1}}), ContainsSubstring("alignment -1"));
  CHECK_THAT(message({.method = ls::TsneProjection{.perplexity = 0.5}}), ContainsSubstring("perplexity 0.5"));
  CHECK_THAT(message({.method = ls::TsneProjection{.warm_iterations = 0}}), ContainsSubstring("warm_iterations 0"));
  CHECK_THAT(message({.method = ls::TsneProjection{.alignment = -1}}), ContainsSubstring("alignment -1"));
  CHECK_THAT(message({.time_budget = 0}), ContainsSubstring("time_budget 0; expected a number of seconds above 0"));
  CHECK_THAT(message({.quality_rows = -1}), ContainsSubstring("quality_rows -1; expected at least 0"));
  CHECK_THAT(message({.trajectories = {.most_moved = 101}}), ContainsSubstring("most_moved 101; expected 0 to 100"));
  CHECK_THAT(message({.trajectories = {.steps = 1}}), ContainsSubstring("steps 1; expected 2 to 100"));
}
