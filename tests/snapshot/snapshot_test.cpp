#include <layerscope/snapshot/snapshot.hpp>

#include <layerscope/core/artifact.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/snapshot/procrustes.hpp>
#include <layerscope/sinks/memory.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/recorder.hpp"
#include "support/run.hpp"

namespace ls = layerscope;
using Catch::Approx;
using layerscope_test::attribute;
using layerscope_test::Run;

namespace {

/// A tensor on a device: it can be asked for its extents, and read in part; what is read is remembered.
struct Remote {
  ls::Tensor host;
  mutable ls::Shape asked{};
  int fails = 0;  // 1: bad_alloc, 2: an int
};

ls::Tensor ramp(const ls::Shape& shape) {
  ls::Tensor tensor(ls::DType::f32, shape);
  float* const values = tensor.mutable_data<float>();
  for (std::int64_t i = 0; i < tensor.size(); ++i) values[i] = static_cast<float>(i) - 7.5f;
  return tensor;
}

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

template <>
struct layerscope::adapter<Remote> {
  static ls::AnyView view(const Remote& x) { return x.host.view(); }
  static ls::Shape shape(const Remote& x) { return x.host.shape(); }
  static ls::AnyView read(const Remote& x, const ls::Shape& extents) {
    if (x.fails == 1) throw std::bad_alloc();
    if (x.fails == 2) throw 2;
    x.asked = extents;
    ls::AnyView part = x.host.view();
    for (int axis = 0; axis < part.rank(); ++axis) part = part.narrow(axis, 0, extents[axis]);
    return ls::copy(part).view();
  }
};

TEST_CASE("snapshot: activations are capped before the copy, by layout, and say so") {
  struct Case {
    ls::Shape shape;
    std::optional<ls::Layout> layout;
    ls::Shape kept;
    std::int64_t samples, channels;
  };
  const Case cases[] = {
      {{20, 100}, std::nullopt, {8, 64}, 20, 100},
      {{100}, std::nullopt, {64}, 1, 100},
      {{20, 70, 3, 2}, std::nullopt, {8, 64, 3, 2}, 20, 70},
      {{9, 65, 2, 3, 2}, std::nullopt, {8, 64, 2, 3, 2}, 9, 65},
      {{9, 5, 70}, ls::layouts::ntd, {8, 5, 64}, 9, 70},
      {{9, 70, 5}, ls::layouts::ncl, {8, 64, 5}, 9, 70},
      {{3, 4, 4, 70}, ls::layouts::nhwc, {3, 4, 4, 64}, 3, 70},
      {{70, 9}, ls::layouts::cn, {64, 8}, 9, 70},
      {{3, 6, 5}, ls::layouts::chw, {3, 6, 5}, 1, 3},
  };
  for (const Case& one : cases) {
    INFO(ls::to_text(one.shape));
    Run run;
    const Remote x{ramp(one.shape)};
    REQUIRE(run.recorder.snapshot(2).activations("conv", x, {.layout = one.layout}).ok());
    CHECK(x.asked == one.kept);
    const ls::Artifact artifact = run.only();
    CHECK(artifact.kind == "activations");
    CHECK(artifact.name == "conv");
    CHECK(artifact.step == 2);
    const auto* values = artifact.find<ls::Tensor>("values");
    REQUIRE(values != nullptr);
    CHECK(values->shape() == one.kept);
    const float* const begin = values->data<float>();
    REQUIRE(artifact.range);
    CHECK(artifact.range->min == *std::min_element(begin, begin + values->size()));
    CHECK(artifact.range->max == *std::max_element(begin, begin + values->size()));
    CHECK(attribute<std::int64_t>(artifact, "samples total") == one.samples);
    CHECK(attribute<std::int64_t>(artifact, "channels total") == one.channels);
    CHECK(attribute<std::int64_t>(artifact, "channels shown") == (std::min<std::int64_t>)(one.channels, 64));
    CHECK(artifact.warnings.empty());
    CHECK(artifact.picture.get().width > 0);
  }
}

TEST_CASE("snapshot: caps given with the call or the recorder") {
  Run run({.mode = ls::Mode::synchronous, .max_samples = 2, .max_channels = 3});
  const Remote x{ramp({5, 6, 2, 2})};
  run.recorder.snapshot(0).activations("a", x);
  CHECK(x.asked == ls::Shape{2, 3, 2, 2});
  run.recorder.snapshot(0).activations("a", x, {.max_samples = 4, .max_channels = 100});
  CHECK(x.asked == ls::Shape{4, 6, 2, 2});
}

TEST_CASE("snapshot: what cannot be recorded fails with a reason, is counted, and leaves nothing") {
  for (const ls::Mode mode : {ls::Mode::synchronous, ls::Mode::asynchronous}) {
    Run run({.mode = mode, .on_error = [](const ls::Failure&) {}});
    ls::Snapshot snapshot = run.recorder.snapshot(0);
    const std::vector<float> none, three{1, 2, 3};
    const ls::Tensor cube = ramp({2, 3, 4});
    for (const ls::Status& status :
         {snapshot.activations("x", none), snapshot.filters("x", none), snapshot.histogram("x", none),
          snapshot.statistics("x", none), snapshot.heatmap("x", none), snapshot.embedding("x", none),
          snapshot.image("x", ls::Image{})}) {
      CHECK(status.outcome() == ls::Outcome::failed);
      CHECK(status.code() == ls::ErrorCode::empty);
      CHECK_FALSE(status.message().empty());
      CHECK_THROWS_AS(status.or_throw(), ls::Error);
    }
    for (const ls::Status& status :
         {snapshot.activations("x", cube), snapshot.activations("x", three, {.layout = ls::layouts::nchw}),
          snapshot.activations("x", three, {.max_channels = 0}), snapshot.filters("x", three),
          snapshot.heatmap("x", cube), snapshot.heatmap("x", three, {.max_side = 0}),
          snapshot.histogram("x", three, {.bins = 0}), snapshot.embedding("x", cube, {.dimensions = 4}),
          snapshot.embedding("x", cube, {.max_rows = 0}), snapshot.embedding("x", cube, {.labels = three}),
          snapshot.artifact(ls::Artifact{})}) {
      CHECK(status.outcome() == ls::Outcome::failed);
      CHECK(status.code() == ls::ErrorCode::invalid_argument);
    }
    CHECK(snapshot.activations("x", Remote{ramp({2, 2}), {}, 2}).outcome() == ls::Outcome::failed);
    CHECK(snapshot.activations("x", Remote{ramp({2, 2}), {}, 1}).outcome() == ls::Outcome::dropped);
    CHECK(run.recorder.close().counts == ls::RunCounts{20, 0, 1, 19, 0});
    CHECK(run.sink->size() == 0);
  }
}

TEST_CASE("snapshot: numbers that are not finite are shown and counted") {
  Run run;
  const std::vector<double> x{not_a_number, 1, 2, HUGE_VAL, -HUGE_VAL, not_a_number};
  ls::Snapshot snapshot = run.recorder.snapshot(0);
  for (const int which : {0, 1, 2, 3}) {
    if (which == 0) snapshot.activations("x", x);
    if (which == 1) snapshot.heatmap("x", x);
    if (which == 2) snapshot.histogram("x", x);
    if (which == 3) snapshot.statistics("x", x);
    const ls::Artifact artifact = run.only();
    CHECK(artifact.warnings == std::vector<std::string>{"2 of 6 numbers are NaN", "1 of 6 numbers are +infinity",
                                                        "1 of 6 numbers are -infinity"});
    CHECK(artifact.range == ls::Range{1, 2});
    if (artifact.picture) CHECK(artifact.picture.get().width > 0);
  }
  snapshot.heatmap("x", std::vector<double>{not_a_number, not_a_number});
  const ls::Artifact artifact = run.only();
  CHECK_FALSE(artifact.range);
  CHECK(artifact.picture.get().width > 0);
}

TEST_CASE("snapshot: filters by rank, and their caps") {
  Run run;
  ls::Snapshot snapshot = run.recorder.snapshot(0);
  snapshot.filters("w", ramp({70, 20, 3, 3}));
  ls::Artifact artifact = run.only();
  CHECK(artifact.find<ls::Tensor>("values")->shape() == ls::Shape{64, 16, 3, 3});
  CHECK(attribute<std::int64_t>(artifact, "outputs total") == 70);
  CHECK(attribute<std::int64_t>(artifact, "inputs shown") == 16);
  CHECK(artifact.range == ls::Range{-7.5, 63 * 180 + 15 * 9 + 8 - 7.5});
  CHECK(artifact.picture.get().width > 0);
  snapshot.filters("w", ramp({10, 784}));
  CHECK(run.only().find<ls::Tensor>("values")->shape() == ls::Shape{10, 784});
  snapshot.filters("w", ramp({100, 784}), {.input_shape = {28, 28}});
  artifact = run.only();
  CHECK(artifact.find<ls::Tensor>("values")->shape() == ls::Shape{64, 784});
  CHECK(artifact.picture.get().width > 0);
}

TEST_CASE("snapshot: histogram and statistics are of all elements, also beyond the size of the queue") {
  const ls::Tensor x = ramp({4, 1000});
  for (const std::int64_t queue_bytes : {std::int64_t{1} << 20, std::int64_t{1000}}) {
    for (const ls::Mode mode : {ls::Mode::asynchronous, ls::Mode::synchronous}) {
      Run run({.mode = mode, .queue_bytes = queue_bytes, .overview = false});
      run.recorder.snapshot(0).histogram("w", x, {.bins = 8});
      run.recorder.flush();
      const std::vector<ls::Artifact> artifacts = run.sink->take();
      REQUIRE(artifacts.size() == 2);
      CHECK(artifacts[1].kind == "histogram_timeline");
      const ls::Artifact& artifact = artifacts[0];
      const auto* histogram = artifact.find<ls::Histogram>("histogram");
      REQUIRE(histogram != nullptr);
      CHECK(histogram->counts == std::vector<std::uint64_t>(8, 500));
      CHECK(artifact.range == ls::Range{-7.5, 3991.5});
      CHECK(attribute<std::int64_t>(artifact, "count") == 4000);
      CHECK(attribute<double>(artifact, "mean") == Approx(1992.0));
      CHECK(attribute<double>(artifact, "standard deviation") == Approx(std::sqrt((4000.0 * 4000.0 - 1) / 12)));
      CHECK(attribute<double>(artifact, "median") == Approx(1992).epsilon(0.005));
      CHECK(artifact.picture.get().width > 0);
    }
  }
}

TEST_CASE("snapshot: a timeline holds every step in the same bins, however long it waits") {
  const auto inside = [](const ls::Artifact& artifact, std::size_t row) {
    const auto* counts = artifact.find<ls::Tensor>("counts");
    std::int64_t sum = 0;
    for (std::int64_t bin = 0; bin < counts->extent(1); ++bin) {
      sum += counts->data<std::int64_t>()[static_cast<std::int64_t>(row) * counts->extent(1) + bin];
    }
    return static_cast<double>(sum);
  };
  // 400 bytes a step: copied for the worker, or counted on this thread.
  for (const std::int64_t queue_bytes : {std::int64_t{1} << 20, std::int64_t{700}}) {
    for (const ls::Mode mode : {ls::Mode::asynchronous, ls::Mode::synchronous}) {
      Run run({.mode = mode, .queue_bytes = queue_bytes, .overview = false});
      std::vector<std::int64_t> written;  // TensorBoard and others want steps that do not fall
      run.recorder.add(layerscope_test::sink_of([&written](const ls::Artifact& artifact) {
        if (artifact.kind == "histogram_timeline") written.push_back(artifact.step);
      }));
      constexpr int steps = 50;
      for (int step = 0; step < steps; ++step) {
        ls::Tensor x = ramp({100});
        for (int i = 0; i < 100; ++i) x.mutable_data<float>()[i] *= 1 + 0.1f * static_cast<float>(step);
        if (step == 7) x.mutable_data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
        CHECK(run.recorder.snapshot(step).histogram("w", x).ok());
        if (step % 10 == 5) run.recorder.flush();
      }
      const ls::Report report = run.recorder.close();
      CHECK(report.counts.failed == 0);
      CHECK(report.counts.written == steps);  // the timeline is part of these calls
      CHECK(layerscope_test::balanced(report.counts));
      const std::vector<ls::Artifact> artifacts = run.sink->take();
      const ls::Artifact* last = nullptr;
      for (const ls::Artifact& artifact : artifacts) {
        if (artifact.kind != "histogram_timeline") continue;
        last = &artifact;
        CHECK(artifact.retention == ls::Retention::latest);
      }
      REQUIRE(last != nullptr);
      CHECK(last->step == steps - 1);
      CHECK(std::is_sorted(written.begin(), written.end()));
      CHECK(written.size() <= steps);
      const auto* table = last->find<ls::Table>("steps");
      const auto column = [&](std::size_t i) { return std::get<std::vector<double>>(table->columns[i].cells); };
      REQUIRE(column(0).size() == steps);
      for (std::size_t row = 0; row < steps; ++row) {
        CHECK(column(0)[row] == static_cast<double>(row));
        CHECK(inside(*last, row) + column(1)[row] + column(2)[row] + column(3)[row] == 100);
        CHECK(column(3)[row] == (row == 7 ? 1 : 0));
      }
      CHECK(column(2)[steps - 1] > 0);  // grown beyond the edges
      CHECK(column(2)[0] == 0);
      const auto* edges = last->find<ls::Tensor>("edges");
      CHECK(edges->data<double>()[0] == Approx(-7.5 - 99));
      CHECK(edges->data<double>()[edges->size() - 1] == Approx(91.5 + 99));
      CHECK(last->picture.get().width > 0);
    }
  }
  Run run({.mode = ls::Mode::synchronous, .overview = false});
  run.recorder.snapshot(0).histogram("w", ramp({100}), {.timeline_range = ls::Range{0, 10}});
  run.recorder.snapshot(1).histogram("w", ramp({100}));
  run.recorder.flush();
  const std::vector<ls::Artifact> artifacts = run.sink->take();
  const auto* edges = artifacts.back().find<ls::Tensor>("edges");
  REQUIRE(edges != nullptr);
  CHECK(edges->data<double>()[0] == 0);
  CHECK(edges->data<double>()[60] == 10);
  CHECK(run.recorder.snapshot(2).histogram("w", ramp({3}), {.timeline_range = ls::Range{1, 1}}).code() ==
        ls::ErrorCode::invalid_argument);
}

TEST_CASE("snapshot: statistics name the dead channels") {
  Run run;
  ls::Tensor x(ls::DType::f32, {2, 3, 2});  // zeros
  x.mutable_data<float>()[2] = 5;           // channel 1
  run.recorder.snapshot(0).statistics("relu", x, {.layout = ls::layouts::ncl});
  const ls::Artifact artifact = run.only();
  CHECK(attribute<std::int64_t>(artifact, "channels") == 3);
  CHECK(attribute<std::int64_t>(artifact, "dead channels") == 2);
  CHECK(attribute<std::int64_t>(artifact, "zeros") == 11);
  const auto* table = artifact.find<ls::Table>("channels");
  REQUIRE(table != nullptr);
  CHECK(std::get<std::vector<double>>(table->columns.back().cells) == std::vector<double>{1, 0, 1});
  CHECK_FALSE(artifact.picture);
}

TEST_CASE("snapshot: a heatmap keeps its corner within max_side") {
  Run run;
  const Remote x{ramp({5, 9})};
  run.recorder.snapshot(0).heatmap("m", x, {.max_side = 4});
  CHECK(x.asked == ls::Shape{4, 4});
  const ls::Artifact artifact = run.only();
  CHECK(artifact.range == ls::Range{-7.5, 3 * 9 + 3 - 7.5});
  CHECK(attribute<std::int64_t>(artifact, "columns total") == 9);
}

TEST_CASE("snapshot: a scalar is the series so far; a step given again replaces its value") {
  Run run;
  run.recorder.snapshot(10).scalar("loss", 1);
  run.recorder.snapshot(30).scalar("loss", not_a_number);
  run.recorder.snapshot(20).scalar("loss", 2);
  run.recorder.snapshot(10).scalar("loss", 4);
  run.recorder.snapshot(5).scalar("other", 0);
  CHECK(run.recorder.flush());
  const std::vector<ls::Artifact> artifacts = run.sink->take();
  REQUIRE(artifacts.size() == 2);
  const ls::Artifact& loss = artifacts[0].name == "loss" ? artifacts[0] : artifacts[1];
  CHECK(loss.retention == ls::Retention::latest);
  const auto* series = loss.find<ls::Series>("series");
  REQUIRE(series != nullptr);
  CHECK(series->x == std::vector<double>{10, 20, 30});
  CHECK(series->y[0] == 4);
  CHECK(series->y[1] == 2);
  CHECK(std::isnan(series->y[2]));
  CHECK(loss.range == ls::Range{2, 4});
  CHECK(loss.warnings == std::vector<std::string>{"1 of 3 numbers are NaN"});
  CHECK(loss.picture.get().width > 0);
  CHECK(run.recorder.report().counts == ls::RunCounts{5, 5, 0, 0, 0});
}

TEST_CASE("snapshot: many scalars cost neither values nor the square of their number") {
  Run run(ls::RecorderOptions{});
  constexpr int count = 20000;
  for (int step = 0; step < count; ++step) run.recorder.snapshot(step).scalar("loss", step);
  const ls::Artifact last = run.only();
  CHECK(last.find<ls::Series>("series")->y.size() == count);
  CHECK(run.recorder.close().counts.written == count);
  CHECK(run.sink->written() < count / 10);
}

TEST_CASE("snapshot: images, words and artifacts of one's own") {
  Run run;
  ls::Snapshot snapshot = run.recorder.snapshot(3);
  const ls::Image image = ls::make_image(3, 2, ls::Rgb{1, 2, 3});
  CHECK(snapshot.image("i", image).outcome() == ls::Outcome::written);
  ls::Artifact artifact = run.only();
  CHECK(*artifact.find<ls::Image>("image") == image);
  CHECK(artifact.picture.get() == image);
  CHECK(snapshot.text("t", "*words*").ok());
  CHECK(run.only().find<ls::Text>("text")->text == "*words*");
  ls::Artifact own;
  own.kind = "roc";
  own.name = "validation";
  own.step = 99;
  own.warnings = {"w"};
  own.parts.push_back({"p", ls::Text{"x"}});
  CHECK(snapshot.artifact(own).ok());
  artifact = run.only();
  CHECK(artifact.kind == "roc");
  CHECK(artifact.name == "validation");
  CHECK(artifact.step == 3);
  CHECK(artifact.warnings == own.warnings);
  CHECK(artifact.find<ls::Text>("p") != nullptr);
}

TEST_CASE("snapshot: one that is not due does nothing at all") {
  Run run({.schedule = ls::Schedule::never(), .mode = ls::Mode::synchronous});
  ls::Snapshot snapshot = run.recorder.snapshot(0);
  CHECK_FALSE(snapshot);
  const Remote x{ramp({2, 2}), {}, 2};  // would throw if read
  CHECK(snapshot.activations("x", x).outcome() == ls::Outcome::skipped);
  CHECK(snapshot.scalar("x", 1).outcome() == ls::Outcome::skipped);
  CHECK(snapshot.embedding("x", x).ok());
  {
    const auto listener = snapshot.listen();
    CHECK(ls::detail::probe_listener == nullptr);
  }
  CHECK(run.recorder.report().counts == ls::RunCounts{});
}

TEST_CASE("snapshot: listen() records what probe() sees, while it lives") {
  Run run;
  const std::vector<float> x{1, 2, 3};
  {
    const auto listener = run.recorder.snapshot(4).listen({.max_channels = 2});
    ls::probe("conv", x);
  }
  ls::probe("later", x);
  const ls::Artifact artifact = run.only();
  CHECK(artifact.name == "conv");
  CHECK(artifact.step == 4);
  CHECK(artifact.find<ls::Tensor>("values")->shape() == ls::Shape{2});
}

TEST_CASE("procrustes: the rotation or reflection is found, and completed where there is none") {
  using Matrix = ls::detail::SmallMatrix;
  const double c = std::cos(0.7), s = std::sin(0.7);
  const Matrix turns[] = {
      {{{c, s, 0}, {-s, c, 0}, {0, 0, 1}}}, {{{c, s, 0}, {s, -c, 0}, {0, 0, 1}}}, {{{0, 0, 1}, {1, 0, 0}, {0, 1, 0}}}};
  const double points[5][3] = {{1, 2, 0.5}, {-1, 0.2, 1}, {0.3, -2, 0.1}, {4, 1, -1}, {-2, 0.7, 2}};
  for (int which = 0; which < 3; ++which) {
    for (const std::size_t k : {std::size_t{2}, std::size_t{3}}) {
      if (which == 2 && k == 2) continue;
      const Matrix& turn = turns[which];
      Matrix sum{};  // Σ a bᵀ with b = a·turn
      for (const auto& a : points) {
        for (std::size_t column = 0; column < k; ++column) {
          double b = 0;
          for (std::size_t row = 0; row < k; ++row) b += a[row] * turn[column][row];
          for (std::size_t row = 0; row < k; ++row) sum[column][row] += a[row] * b;
        }
      }
      const Matrix found = ls::detail::nearest_orthogonal(sum, k);
      for (std::size_t column = 0; column < k; ++column) {
        for (std::size_t row = 0; row < k; ++row) CHECK(found[column][row] == Approx(turn[column][row]).margin(1e-12));
      }
    }
  }
  for (const Matrix& poor : {Matrix{}, Matrix{{{1, 1, 0}, {1, 1, 0}, {0, 0, 0}}}, Matrix{{{0, 0, 0}, {0, 2, 0}}}}) {
    const Matrix q = ls::detail::nearest_orthogonal(poor, 3);
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) {
        CHECK(ls::detail::dot(q[i], q[j]) == Approx(i == j ? 1 : 0).margin(1e-12));
      }
    }
  }
}

TEST_CASE("snapshot: an embedding stays where it was when the features only turn") {
  // Rows in the plane of the first two of four features, far longer along the first; then features swapped and negated.
  constexpr std::int64_t rows = 50;
  ls::Tensor first(ls::DType::f32, {rows, 4}), second(ls::DType::f32, {rows, 4});
  std::vector<std::int64_t> labels(rows);
  const ls::Random random(3);
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto a = static_cast<float>(10 * random.normal(static_cast<std::uint64_t>(2 * i)));
    const auto b = static_cast<float>(random.normal(static_cast<std::uint64_t>(2 * i + 1)));
    float* const x = first.mutable_data<float>() + 4 * i;
    float* const y = second.mutable_data<float>() + 4 * i;
    x[0] = a, x[1] = b;
    y[3] = -a, y[2] = -b;
    labels[static_cast<std::size_t>(i)] = i % 3;
  }
  Run run;
  run.recorder.snapshot(0).embedding("fc", first, {.labels = labels, .class_names = {"a", "b", "c"}});
  const ls::Artifact before = run.only();
  run.recorder.snapshot(1).embedding("fc", second, {.labels = labels});
  const ls::Artifact after = run.only();
  const auto* old_points = before.find<ls::Points>("points");
  const auto* new_points = after.find<ls::Points>("points");
  REQUIRE(old_points != nullptr);
  REQUIRE(new_points != nullptr);
  CHECK(old_points->labels == labels);
  CHECK(old_points->class_names.size() == 3);
  CHECK(old_points->ids.back() == rows - 1);
  for (std::int64_t i = 0; i < 2 * rows; ++i) {
    CHECK(new_points->coordinates.data<float>()[i] == Approx(old_points->coordinates.data<float>()[i]).margin(1e-3));
  }
  CHECK(attribute<std::int64_t>(before, "aligned rows") == 0);
  CHECK(attribute<std::int64_t>(after, "aligned rows") == rows);
  CHECK(attribute<double>(after, "explained variance 1") > 0.9);
  CHECK(after.picture.get().width > 0);
}

TEST_CASE("snapshot: an embedding draws the same rows at every step, and leaves out what is not finite") {
  Run run;
  ls::Tensor x = ramp({100, 3});
  x.mutable_data<float>()[3 * 40] = std::numeric_limits<float>::infinity();
  const ls::EmbeddingOptions options{.dimensions = 3, .max_rows = 60, .seed = 5};
  run.recorder.snapshot(0).embedding("fc", x, options);
  const ls::Artifact first = run.only();
  run.recorder.snapshot(1).embedding("fc", x, options);
  const ls::Artifact second = run.only();
  const auto* points = first.find<ls::Points>("points");
  REQUIRE(points != nullptr);
  CHECK(points->ids == second.find<ls::Points>("points")->ids);
  std::vector<std::int64_t> expected = ls::Random(5).sample(100, 60);
  const bool hit = std::erase(expected, 40) > 0;
  CHECK(points->ids == expected);
  CHECK(points->coordinates.shape() == ls::Shape{static_cast<std::int64_t>(expected.size()), 3});
  CHECK(first.warnings.empty() != hit);
  CHECK(attribute<std::int64_t>(first, "rows total") == 100);
  CHECK(attribute<std::int64_t>(first, "rows shown") == 60);
}

TEST_CASE("snapshot: a frozen basis projects later steps into the first one's") {
  Run run;
  const ls::EmbeddingOptions options{.method = ls::PcaProjection{.basis = ls::PcaProjection::Basis::frozen}};
  ls::Tensor x = ramp({6, 2});
  x.mutable_data<float>()[1] += 3;
  run.recorder.snapshot(0).embedding("fc", x, options);
  const ls::Artifact before = run.only();
  for (std::int64_t i = 0; i < x.size(); ++i) x.mutable_data<float>()[i] *= 2;
  run.recorder.snapshot(1).embedding("fc", x, options);
  const ls::Artifact after = run.only();
  const float* const a = before.find<ls::Points>("points")->coordinates.data<float>();
  const float* const b = after.find<ls::Points>("points")->coordinates.data<float>();
  // b = 2·a + the projected shift of the mean, the same for every point.
  for (int i = 2; i < 12; ++i) CHECK(b[i] - 2 * a[i] == Approx(b[i % 2] - 2 * a[i % 2]).margin(1e-3));
}

namespace {

/// Keeps what it is given, and wants what embeddings were made of.
struct Wanting : ls::Sink {
  std::vector<ls::Artifact> artifacts;
  bool takes_inputs() const noexcept override { return true; }

 private:
  void do_write(const ls::Artifact& artifact) override { artifacts.push_back(artifact); }
};

}  // namespace

TEST_CASE("snapshot: an embedding's rows and images go to sinks that take them, and to nobody else") {
  const std::vector<float> x{1, 2, 3, std::numeric_limits<float>::quiet_NaN(), 5, 6, 7, 8, 10};
  const ls::AnyView rows = ls::AnyView(x.data(), ls::DType::f32, {3, 3});
  const std::vector<std::uint8_t> pixels{10, 20, 30};
  const ls::AnyView images = ls::AnyView(pixels.data(), ls::DType::u8, {3, 1, 1, 1});
  Run run;
  CHECK(run.recorder.snapshot(0).embedding("fc", rows, {.images = images}).ok());
  ls::Artifact artifact = run.only();
  CHECK(artifact.find<ls::Points>("points")->rows.empty());
  CHECK(!artifact.find<ls::Points>("points")->sprites.sheet);

  const auto wanting = std::make_shared<Wanting>();
  run.recorder.add(wanting);
  CHECK(run.recorder.snapshot(1).embedding("fc", rows, {.images = images}).ok());
  REQUIRE(wanting->artifacts.size() == 1);
  const ls::Points& points = *wanting->artifacts[0].find<ls::Points>("points");
  CHECK(points.ids == std::vector<std::int64_t>{0, 2});
  REQUIRE(points.rows.shape() == ls::Shape{2, 3});
  CHECK(ls::convert(points.rows.view(), ls::DType::f32).data<float>()[5] == 10);
  const ls::Image& sheet = points.sprites.sheet.get();
  CHECK(points.sprites.width == 1);
  REQUIRE(sheet.width == 2);
  CHECK(*sheet.at(0, 0) == 10);
  CHECK(*sheet.at(1, 0) == 30);  // the second row, which has no point, is left out

  // Many features arrive as their principal components.
  std::vector<float> wide(60 * 300);
  for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = static_cast<float>(ls::Random(1).normal(i));
  CHECK(run.recorder.snapshot(2).embedding("wide", ls::AnyView(wide.data(), ls::DType::f32, {60, 300})).ok());
  CHECK(wanting->artifacts.back().find<ls::Points>("points")->rows.shape() == ls::Shape{60, 50});

  for (const ls::Shape& shape : {ls::Shape{2, 1, 1}, ls::Shape{3}, ls::Shape{1, 3, 1, 1}}) {
    const ls::Tensor wrong(ls::DType::u8, shape);
    CHECK_FALSE(run.recorder.snapshot(3).embedding("fc", rows, {.images = wrong}).ok());
  }
  const ls::Tensor last(ls::DType::u8, {1, 1, 3});
  CHECK_FALSE(
      run.recorder.snapshot(3).embedding("fc", rows, {.images = last, .images_layout = ls::Layout("HWN")}).ok());
}
