#include <layerscope/adapters/std.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/sinks/directory.hpp>
#include <layerscope/sinks/tensorboard_sink.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/event_records.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::contents;
using layerscope_test::error_of;
using layerscope_test::event_files;
using layerscope_test::Message;
using layerscope_test::records_of;
using layerscope_test::SeenValue;
using layerscope_test::TemporaryDirectory;
using layerscope_test::values_of;

namespace {

ls::Artifact artifact(const std::string& kind, const std::string& name, std::int64_t step) {
  ls::Artifact made;
  made.kind = kind;
  made.name = name;
  made.step = step;
  return made;
}

ls::Artifact curve(const std::string& name, std::vector<double> x, std::vector<double> y) {
  ls::Artifact made = artifact("scalar", name, static_cast<std::int64_t>(x.back()));
  made.retention = ls::Retention::latest;
  made.parts.push_back({"series", ls::Series{name, std::move(x), std::move(y)}});
  made.picture = ls::Picture([]() -> ls::Image { throw std::runtime_error("drawn"); });
  return made;
}

std::string png_of(const ls::Image& image) {
  const std::vector<std::uint8_t> bytes = ls::encode_png(image);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("TensorBoardSink: of a series the new points alone, and a changed last one again") {
  const TemporaryDirectory directory;
  std::string path;
  {
    ls::TensorBoardSink sink(directory.path());
    path = sink.path();
    sink.write(curve("loss", {1}, {0.5}));
    sink.write(curve("loss", {1, 2, 3}, {0.5, 0.25, 0.125}));
    sink.write(curve("loss", {1, 2, 3}, {0.5, 0.25, 0.125}));
    sink.write(curve("loss", {1, 2, 3, 4}, {9, 9, 1, 2}));
    sink.write(curve("other", {-3, 7}, {1, 2}));
    CHECK(sink.written() == 5);
  }
  std::vector<std::tuple<std::string, std::int64_t, float>> points;
  for (const SeenValue& value : values_of(contents(path))) points.emplace_back(value.tag, value.step, value.scalar);
  const decltype(points) expected{{"loss", 1, 0.5f}, {"loss", 2, 0.25f},  {"loss", 3, 0.125f}, {"loss", 3, 1.0f},
                                  {"loss", 4, 2.0f}, {"other", -3, 1.0f}, {"other", 7, 2.0f}};
  CHECK(points == expected);
}

TEST_CASE("TensorBoardSink: what becomes of each part") {
  const ls::Image small = ls::make_image(2, 1, ls::Rgb{1, 2, 3});
  const TemporaryDirectory directory;
  std::string path;
  {
    ls::TensorBoardSink sink(directory.path());
    path = sink.path();
    ls::Artifact picture = artifact("activations", "conv1", 1);
    picture.parts.push_back({"values", ls::Tensor(ls::DType::f32, {2, 2})});
    picture.attributes.push_back({"samples shown", std::int64_t{8}});
    picture.picture = ls::Picture(small);
    sink.write(picture);

    ls::Artifact histogram = artifact("histogram", "conv1", 1);
    histogram.parts.push_back({"histogram", ls::Histogram{{0, 1, 2}, {3, 4}}});
    histogram.picture = ls::Picture([]() -> ls::Image { throw std::runtime_error("drawn"); });
    sink.write(histogram);

    ls::Artifact images = artifact("mine", "x", 2);
    images.parts.push_back({"one", small});
    images.parts.push_back({"many", ls::Grid{{small, small}, {}, 8}});
    images.parts.push_back({"one", small});
    sink.write(images);

    ls::Artifact words = artifact("text", "note", 2);
    words.parts.push_back({"text", ls::Text{"# hello"}});
    sink.write(words);

    ls::Artifact statistics = artifact("statistics", "fc", 2);
    statistics.attributes = {{"mean", 0.5}, {"count", std::int64_t{7}}, {"words", std::string("no")}};
    ls::Table table;
    table.columns.push_back({"channel", std::vector<double>{0, 1}});
    table.columns.push_back({"a|b", std::vector<std::string>{"x|y", "two\nlines"}});
    statistics.parts.push_back({"channels", table});
    sink.write(statistics);

    ls::Artifact nothing = artifact("points", "p", 2);
    nothing.parts.push_back({"points", ls::Points{}});
    sink.write(nothing);

    ls::Artifact graph = artifact("graph", "net", 0);
    graph.parts.push_back({"graph", ls::Graph{{{"a", "", "Input", {}}}, {}}});
    sink.write(graph);
  }
  std::map<std::string, SeenValue> by_tag;
  for (const SeenValue& value : values_of(contents(path))) CHECK(by_tag.emplace(value.tag, value).second);
  std::set<std::string> tags;
  for (const auto& [tag, value] : by_tag) tags.insert(tag);
  CHECK(tags == std::set<std::string>{"activations/conv1", "histogram/conv1", "mine/x", "mine/x/many", "mine/x/one",
                                      "text/note", "statistics/fc", "statistics/fc/mean", "statistics/fc/count"});
  CHECK(by_tag["activations/conv1"].strings == std::vector<std::string>{"2", "1", png_of(small)});
  CHECK(by_tag["histogram/conv1"].numbers == std::vector<double>{0, 1, 3, 1, 2, 4});
  CHECK(by_tag["mine/x/many"].strings.size() == 4);
  CHECK(by_tag["text/note"].strings[0] == "# hello");
  CHECK(by_tag["statistics/fc"].strings[0] == "| channel | a|b |\n|---|---|\n| 0 | x\\|y |\n| 1 | two lines |");
  CHECK(by_tag["statistics/fc/mean"].scalar == 0.5f);
  CHECK(by_tag["statistics/fc/count"].scalar == 7.0f);
  std::size_t graphs = 0;
  for (const std::string& record : records_of(contents(path))) graphs += Message(record).has(4) ? 1 : 0;
  CHECK(graphs == 1);
}

TEST_CASE("TensorBoardSink: a recorder's snapshots arrive without a word about TensorBoard") {
  const TemporaryDirectory directory;
  std::vector<float> weights(4 * 3 * 5 * 5), outputs(2 * 4 * 6 * 6), rows(20 * 3);
  for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = static_cast<float>(i % 7);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i * i % 11);
  const auto sink = std::make_shared<ls::TensorBoardSink>(directory.path());
  {
    ls::Recorder recorder(directory.path());  // the two share a directory
    recorder.add(sink);
    for (int step = 0; step < 3; ++step) {
      auto snapshot = recorder.snapshot(step);
      snapshot.scalar("loss", 1.0 / (1 + step));
      snapshot.filters("conv1", ls::view(weights.data(), {4, 3, 5, 5}));
      snapshot.activations("conv1", ls::view(outputs.data(), {2, 4, 6, 6}));
      snapshot.histogram("conv1", weights);
      snapshot.statistics("conv1", ls::view(outputs.data(), {2, 4, 6, 6}));
      snapshot.embedding("fc", ls::view(rows.data(), {20, 3}));
      snapshot.text("note", "words");
      recorder.flush();
    }
    const ls::Report report = recorder.close();
    CHECK(report.counts.written == 24);  // with the overview of layers of each
    CHECK(report.counts.failed == 0);
  }
  CHECK(sink->failed() == 0);
  const ls::RunCounts counts = sink->counts();
  CHECK(counts.submitted == counts.written);
  CHECK(counts.in_flight == 0);
  std::map<std::string, std::vector<std::int64_t>> steps;
  std::map<std::string, std::string> plugins;
  for (const SeenValue& value : values_of(contents(sink->path()))) {
    steps[value.tag].push_back(value.step);
    plugins[value.tag] = value.plugin;
  }
  const std::vector<std::int64_t> all{0, 1, 2};
  for (const auto& [tag, plugin] : std::map<std::string, std::string>{{"loss", ""},
                                                                      {"filters/conv1", "images"},
                                                                      {"activations/conv1", "images"},
                                                                      {"histogram/conv1", "histograms"},
                                                                      {"statistics/conv1", "text"},
                                                                      {"statistics/conv1/mean", ""},
                                                                      {"embedding/fc", "images"},
                                                                      {"text/note", "text"}}) {
    CAPTURE(tag);
    CHECK(steps[tag] == all);
    CHECK(plugins[tag] == plugin);
  }
  REQUIRE_FALSE(steps["overview/layers"].empty());
  CHECK(steps["overview/layers"].back() == 2);
  CHECK(plugins["overview/layers"] == "images");
}

TEST_CASE("TensorBoardSink takes over a directory at its first step") {
  const TemporaryDirectory directory;
  {
    ls::TensorBoardSink sink(directory.path());
    for (double step = 1; step <= 5; ++step) sink.write(curve("loss", {step}, {step}));
  }
  {
    ls::TensorBoardSink sink(directory.path());
    sink.write(curve("loss", {3, 4}, {30, 40}));
    sink.write(curve("loss", {3, 4, 5}, {30, 40, 50}));
  }
  const std::vector<std::string> files = event_files(directory);
  REQUIRE(files.size() == 2);
  const std::vector<std::string> records = records_of(contents(files[1]));
  CHECK(Message(records[0]).bytes(3) == "brain.Event:2");
  const Message purge(records[1]);
  CHECK(purge.message(7).integer(1) == 1);
  CHECK(purge.integer(2) == 3);
  CHECK(values_of(contents(files[1])).size() == 3);
  for (const std::string& record : records_of(contents(files[0]))) CHECK_FALSE(Message(record).has(7));
}

TEST_CASE("TensorBoardSink: errors are thrown, as from every sink, and the rest is written") {
  const TemporaryDirectory directory;
  layerscope_test::write_plainly(directory / "file", "");
  CHECK_THAT(error_of([&] { ls::TensorBoardSink(directory / "file"); }).what(), ContainsSubstring("/file"));
  ls::TensorBoardSink sink(directory / "run");
  const ls::Error second = error_of([&] { ls::TensorBoardSink(directory / "run"); });
  CHECK(second.code() == ls::ErrorCode::io);
  CHECK_THAT(second.what(), ContainsSubstring("has a writer already"));

  ls::Artifact bad = artifact("activations", "conv1", 1);
  bad.picture = ls::Picture([]() -> ls::Image { throw std::runtime_error("cannot render"); });
  CHECK_THROWS_AS(sink.write(bad), std::runtime_error);
  ls::Artifact words = artifact("text", "note", 5);
  words.parts.push_back({"text", ls::Text{"later"}});
  sink.write(words);
  words.step = 4;
  CHECK_THAT(error_of([&] { sink.write(words); }).what(), ContainsSubstring("step 4") && ContainsSubstring("note"));
  CHECK(sink.failed() == 2);
  CHECK(sink.written() == 1);
  sink.flush();
  CHECK(values_of(contents(sink.path())).size() == 1);
}

TEST_CASE("TensorBoardSink: flush() tells when the disk takes nothing, and works again when it does") {
  const TemporaryDirectory directory;
  layerscope_test::FileFaults faults;
  ls::TensorBoardOptions options;
  options.operations = &faults.table;
  options.on_error = [](const std::string&) {};
  ls::TensorBoardSink sink(directory.path(), options);
  sink.flush();
  faults.calls = 0;
  faults.only = "write";
  faults.code = ENOSPC;
  faults.fail_at = 1;
  sink.write(curve("loss", {1}, {1}));
  CHECK_THAT(error_of([&] { sink.flush(); }).what(), ContainsSubstring("ENOSPC") && ContainsSubstring("tfevents"));
  sink.flush();  // only the first write failed
  CHECK(values_of(contents(sink.path())).size() == 1);
}

TEST_CASE("TensorBoardSink: each embedding is a run of its own, which TensorBoard reads when it appears") {
  const TemporaryDirectory directory;
  ls::TensorBoardSink sink(directory.path());
  CHECK(sink.takes_inputs());
  for (const char* name : {"fc1/out", "fc1-out", "FC1-OUT", "..", "a+b"}) {
    for (std::int64_t step = 0; step < 2; ++step) {
      ls::Points points;
      points.coordinates = ls::Tensor(ls::DType::f32, {2, 2});
      points.coordinates.mutable_data<float>()[0] = static_cast<float>(step);
      points.ids = {3, 4};
      ls::Artifact made = artifact("embedding", name, step);
      made.parts.push_back({"points", std::move(points)});
      sink.write(made);
    }
  }
  for (const char* folder : {"fc1-out", "fc1-out-2", "FC1-OUT-3", "-.", "a-b"}) {
    const std::string run = directory / ("embeddings/" + std::string(folder));
    CHECK_THAT(contents(run + "/projector_config.pbtxt"), ContainsSubstring("tensor_name: "));
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(run)) {
      if (entry.path().string().find("tfevents") != std::string::npos) files.push_back(entry.path().string());
    }
    REQUIRE(files.size() == 1);
    const std::vector<std::string> records = records_of(contents(files[0]));
    REQUIRE(records.size() == 1);
    CHECK(Message(records[0]).bytes(3) == "brain.Event:2");
  }
  CHECK_THAT(contents(directory / "embeddings/fc1-out/projector_config.pbtxt"),
             ContainsSubstring("tensor_name: \"fc1/out\""));
  CHECK_THAT(contents(directory / "embeddings/fc1-out/fc1%2Fout-bookmarks.json"), ContainsSubstring("step 1"));
}
