#include <layerscope/core/npy.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/sinks/directory.hpp>
#include <layerscope/sinks/json.hpp>

#include <nlohmann/json.hpp>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using json = nlohmann::json;
using layerscope_test::contents;
using layerscope_test::error_of;
using layerscope_test::FileFaults;
using layerscope_test::TemporaryDirectory;
using layerscope_test::write_plainly;

namespace {

/// A picture, three numbers in the JSON, and six in a .npy when the limit is below that.
ls::Artifact artifact(const std::string& kind, const std::string& name, std::int64_t step, std::uint8_t version = 0) {
  ls::Artifact result;
  result.kind = kind;
  result.name = name;
  result.step = step;
  result.range = ls::Range{0, 0.5};
  result.picture = ls::Picture(ls::make_image(5, 4, ls::Rgb{version, 2, 3}));
  ls::Tensor values(ls::DType::f32, ls::Shape{3});
  values.mutable_data<float>()[0] = version;
  result.parts.push_back({"values", values});
  ls::Tensor longer(ls::DType::u8, ls::Shape{6});
  longer.mutable_data<std::uint8_t>()[5] = version;
  result.parts.push_back({"longer", longer});
  return result;
}

json manifest_of(const std::string& directory) {
  return json::parse(contents(directory + "/manifest.json"));
}

/// Every regular file below a directory, relative to it.
std::set<std::string> files_below(const std::string& directory) {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_directory()) files.insert(fs::relative(entry.path(), directory).string());
  }
  return files;
}

/// Checks that a run is whole: each JSON parses and names what is there, each listed file exists, and nothing else
/// does. Returns the steps listed under each name.
std::map<std::string, std::vector<std::int64_t>> check_whole(const std::string& directory) {
  std::map<std::string, std::vector<std::int64_t>> steps;
  std::set<std::string> expected = {"manifest.json"};
  std::int64_t bytes = 0;
  const json manifest = manifest_of(directory);
  for (const json& entry : manifest["artifacts"]) {
    std::int64_t its_bytes = 0;
    for (const json& file : entry["files"]) {
      const std::string text = contents(directory + "/" + file.get<std::string>());
      CHECK(text != "<none>");
      CHECK(expected.insert(file.get<std::string>()).second);
      its_bytes += static_cast<std::int64_t>(text.size());
      if (!file.get<std::string>().ends_with(".json")) continue;
      const json its_json = json::parse(text);
      CHECK(its_json["name"] == entry["name"]);
      CHECK(its_json["kind"] == entry["kind"]);
      CHECK(its_json["step"] == entry["step"]);
      CHECK(its_json["files"].size() == entry["files"].size());
    }
    CHECK(entry["bytes"] == its_bytes);
    bytes += its_bytes;
    steps[entry["name"].get<std::string>()].push_back(entry["step"].get<std::int64_t>());
  }
  CHECK(manifest["bytes"] == bytes);
  CHECK(files_below(directory) == expected);
  return steps;
}

std::string png_of(std::uint8_t version) {
  const auto png = ls::encode_png(ls::make_image(5, 4, ls::Rgb{version, 2, 3}));
  return {png.begin(), png.end()};
}

using Steps = std::map<std::string, std::vector<std::int64_t>>;

}  // namespace

TEST_CASE("DirectorySink writes picture, numbers and manifest") {
  const TemporaryDirectory directory;
  {
    ls::DirectorySink sink(directory / "runs/mnist", {.inline_limit = 4});
    sink.write(artifact("activations", "encoder/conv1", 12, 7));
    sink.write(artifact("activations", "encoder/conv1", -3));
    sink.write(artifact("activations", "encoder/conv1", 123456789));
    sink.report({.submitted = 9, .written = 3, .dropped = 4, .failed = 1, .in_flight = 1});
    sink.flush();
    CHECK(sink.written() == 3);
    CHECK(sink.bytes() == manifest_of(directory / "runs/mnist")["bytes"]);
  }
  const std::string run = directory / "runs/mnist";
  CHECK(check_whole(run) == Steps{{"encoder/conv1", {-3, 12, 123456789}}});
  const std::string stem = run + "/encoder%2Fconv1/activations-000012";
  CHECK(contents(stem + ".png") == png_of(7));
  const json its_json = json::parse(contents(stem + ".json"));
  CHECK(its_json["picture"] == "activations-000012.png");
  CHECK(its_json["parts"][0]["data"] == json::array({7, 0, 0}));
  CHECK(its_json["parts"][1]["file"] == "activations-000012.1.npy");
  const json manifest = manifest_of(run);
  CHECK(manifest["counts"] == json::parse(R"({"submitted":9,"written":3,"dropped":4,"failed":1,"in_flight":1})"));
  CHECK(manifest["artifacts"][0]["files"][0] == "encoder%2Fconv1/activations-n000003.png");
  CHECK(manifest["artifacts"][0]["range"]["max"] == 0.5);
  CHECK(manifest["failures"] == json::array());
  CHECK(manifest["warnings"] == json::array());
}

TEST_CASE("DirectorySink: each output can be left out") {
  const TemporaryDirectory directory;
  {
    ls::DirectorySink pictures(directory / "p", {.json = ls::Output::skip});
    pictures.write(artifact("k", "n", 1));
    ls::Artifact plain = artifact("k", "n", 2);
    plain.picture = {};
    pictures.write(plain);
    ls::DirectorySink nothing(directory / "0", {.png = ls::Output::skip, .json = ls::Output::skip});
    nothing.write(artifact("k", "n", 1));
  }
  CHECK(files_below(directory / "p") == std::set<std::string>{"manifest.json", "n/k-000001.png"});
  CHECK(check_whole(directory / "p") == Steps{{"n", {1}}});
  CHECK(files_below(directory / "0") == std::set<std::string>{"manifest.json"});
}

TEST_CASE("DirectorySink: images without a picture of their artifact get their own PNG") {
  const TemporaryDirectory directory;
  ls::DirectorySink sink(directory.path());
  ls::Artifact images = artifact("k", "n", 1);
  images.picture = {};
  images.parts.push_back({"image", ls::make_image(2, 2, ls::PixelFormat::gray)});
  images.parts.push_back({"grid", ls::Grid{{ls::make_image(1, 1, ls::PixelFormat::gray)}, {}, 8}});
  sink.write(images);
  sink.flush();
  CHECK(check_whole(directory.path()) == Steps{{"n", {1}}});
  const json parts = json::parse(contents(directory / "n/k-000001.json"))["parts"];
  CHECK(parts[2]["file"] == "k-000001.2.png");
  CHECK(parts[3]["tiles"][0]["file"] == "k-000001.3.0.png");
  CHECK(contents(directory / "n/k-000001.2.png").substr(1, 3) == "PNG");
}

TEST_CASE("DirectorySink: no name or kind leaves the directory or meets another's files") {
  const std::vector<std::string> names = {"../../x",
                                          "..",
                                          ".",
                                          "",
                                          "a/b",
                                          "a%2Fb",
                                          "/etc/passwd",
                                          "CON",
                                          "con",
                                          "Conv",
                                          "conv",
                                          "\xFF",
                                          "\xFE",
                                          "\xEF\xBF\xBD",
                                          std::string("a\0b", 3),
                                          "a",
                                          "manifest.json",
                                          "MANIFEST.json",
                                          "manifest.json.broken-1",
                                          "-rf",
                                          "x-000001",
                                          "new\nline",
                                          std::string(300, 'a'),
                                          std::string(300, 'a') + "b",
                                          std::string(300, '/')};
  const TemporaryDirectory directory;
  const std::string run = directory / "run";
  const std::size_t count = 2 * names.size();
  for (int reopened = 0; reopened < 2; ++reopened) {
    ls::DirectorySink sink(run, {.inline_limit = 4});
    for (const std::string& name : names) {
      sink.write(artifact("kind", name, 1, 9));
      sink.write(artifact(name, "conv", 1, 9));
    }
    sink.flush();
    CHECK(manifest_of(run)["artifacts"].size() == count);
    CHECK(manifest_of(run)["warnings"] == json::array());
    CHECK(files_below(run).size() == 1 + 3 * count);
  }
  check_whole(run);
  CHECK(directory.names() == std::vector<std::string>{"run"});
  std::set<std::string> folded;  // as a file system that ignores case sees them
  for (std::string file : files_below(run)) {
    std::transform(file.begin(), file.end(), file.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    CHECK(folded.insert(file).second);
  }
  // The kind "x" at step 1 and the kind "x-000001" share no file, nor do steps 1 and -1.
  ls::DirectorySink sink(directory / "other");
  for (const char* kind : {"x", "x-", "x-n", "x-000001", "x-n000001", "x-000001.json", "x-000001.0"}) {
    for (const std::int64_t step : {1, -1, 1'000'001, -1'000'001}) sink.write(artifact(kind, "n", step));
  }
  sink.flush();
  CHECK(check_whole(directory / "other")["n"].size() == 28);
}

TEST_CASE("DirectorySink: the extremes of a step") {
  const TemporaryDirectory directory;
  ls::DirectorySink sink(directory.path());
  sink.write(artifact("k", "n", std::numeric_limits<std::int64_t>::min()));
  sink.write(artifact("k", "n", std::numeric_limits<std::int64_t>::max()));
  sink.flush();
  CHECK(check_whole(directory.path())["n"].size() == 2);
  CHECK(contents(directory / "n/k-n9223372036854775808.json") != "<none>");
}

TEST_CASE("DirectorySink continues a run: the same step is replaced, the rest stays") {
  const TemporaryDirectory directory;
  {
    ls::DirectorySink sink(directory.path(), {.inline_limit = 4});
    for (std::int64_t step = 1; step <= 3; ++step) sink.write(artifact("k", "n", step, 1));
  }
  {
    ls::DirectorySink sink(directory.path());  // six numbers now fit the JSON: the old .npy must go
    CHECK(check_whole(directory.path()) == Steps{{"n", {1, 2, 3}}});
    sink.write(artifact("k", "n", 2, 2));
  }
  CHECK(check_whole(directory.path()) == Steps{{"n", {1, 2, 3}}});
  CHECK(contents(directory / "n/k-000002.png") == png_of(2));
  CHECK(contents(directory / "n/k-000001.png") == png_of(1));
  CHECK(contents(directory / "n/k-000002.1.npy") == "<none>");
}

TEST_CASE("DirectorySink: an existing run may be replaced or refused") {
  const TemporaryDirectory directory;
  { ls::DirectorySink(directory.path()).write(artifact("k", "n", 1)); }
  write_plainly(directory / "mine.txt", "keep");
  write_plainly(directory / "n/mine.json", "{}");
  CHECK(error_of([&] { ls::DirectorySink(directory.path(), {.existing = ls::ExistingRun::refuse}); }).code() ==
        ls::ErrorCode::invalid_argument);
  CHECK_NOTHROW(ls::DirectorySink(directory / "new", {.existing = ls::ExistingRun::refuse}));
  fs::remove_all(directory / "new");
  { ls::DirectorySink sink(directory.path(), {.existing = ls::ExistingRun::replace}); }
  CHECK(manifest_of(directory.path())["artifacts"].empty());
  CHECK(files_below(directory.path()) == std::set<std::string>{"manifest.json", "mine.txt", "n/mine.json"});
}

TEST_CASE("DirectorySink finds again what a killed run had not listed yet") {
  const TemporaryDirectory directory;
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ls::DirectorySink sink(directory.path(), {.inline_limit = 4, .manifest_seconds = 1e9});
    for (std::int64_t step = 1; step <= 5; ++step) sink.write(artifact("k\xFF", "n\xFE", step));
    kill(getpid(), SIGKILL);
  }
  REQUIRE(waitpid(child, nullptr, 0) == child);
  CHECK(manifest_of(directory.path())["artifacts"].empty());
  { ls::DirectorySink sink(directory.path()); }
  check_whole(directory.path());
  const json manifest = manifest_of(directory.path());
  CHECK(manifest["artifacts"].size() == 5);
  CHECK_THAT(manifest["warnings"][0].get<std::string>(), ContainsSubstring("5 artifacts"));
}

TEST_CASE("DirectorySink: a child of fork() leaves its parent's manifest alone") {
  const TemporaryDirectory directory;
  ls::DirectorySink sink(directory.path(), {.manifest_seconds = 1e9});
  sink.write(artifact("k", "n", 1));
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    sink.~DirectorySink();
    _exit(0);
  }
  REQUIRE(waitpid(child, nullptr, 0) == child);
  CHECK(manifest_of(directory.path())["artifacts"].empty());
}

TEST_CASE("DirectorySink keeps a broken manifest aside, says so, and finds its artifacts by their JSON") {
  const std::string deep(100'000, '[');
  const auto listing = [](const std::string& artifacts) {
    return R"({"format":"layerscope-run","version":1,"artifacts":[)" + artifacts + "]}";
  };
  const std::string good = R"({"name":"n","kind":"k","step":1,"files":["n/k-000001.json"]})";
  const std::string broken[] = {
      "",
      "{",
      deep,
      std::string(10, '\0'),
      "\xFF\xFE",
      listing(good + "," + good),
      listing(good) + std::string("\0hidden", 7),
      listing(R"({"name":"n","kind":"k","step":1,"files":["../../x"]})"),
      listing(R"({"name":"n","kind":"k","step":1,"files":["../k-000001.json"]})"),
      listing(R"({"name":"n","kind":"k","step":1,"files":["n/../k-000001.json"]})"),
      listing(R"({"name":"n","kind":"k","step":1,"files":["/n/k-000001.json"]})"),
      listing(R"({"name":"n","kind":"k","step":1,"files":["n/k-000002.json"]})"),
      listing(R"({"name":"n","kind":"k","step":1,"files":["n/k-000001.json","m/k-000001.png"]})"),
      listing(R"({"name":"n","kind":"k","step":1,"files":["manifest.json"]})"),
      listing(R"({"name":"n","kind":"k","step":1e99,"files":["n/k-000001.json"]})"),
      listing(R"({"name":"n","kind":"k","step":9223372036854775808,"files":["n/k-000001.json"]})"),
      listing(R"({"name":"n","kind":"k","step":1,"files":[]})"),
      listing(R"({"name":"n","kind":"k","step":1,"files":7})"),
      listing(R"({"name":7,"kind":"k","step":1,"files":["n/k-000001.json"]})"),
      listing(good + R"(,{"name":"other","kind":"k","step":2,"files":["n/k-000002.json"]})"),
      listing(R"({"name":"n","kind":"k","step":1,"files":["n/k-000001.json"],"range":{"min":[],"max":1}})"),
  };
  for (const std::string& text : broken) {
    CAPTURE(text.substr(0, 100));
    const TemporaryDirectory outer;
    const std::string run = outer / "run";
    write_plainly(outer / "x", "mine");
    write_plainly(outer / "k-000001.json", "mine");
    {
      ls::DirectorySink sink(run);
      for (std::int64_t step = 1; step <= 2; ++step) sink.write(artifact("k", "n", step));
    }
    write_plainly(run + "/manifest.json", text);
    { ls::DirectorySink sink(run, {.byte_limit = 1}); }
    CHECK(contents(run + "/manifest.json.broken-1") == text);
    const json manifest = manifest_of(run);
    CHECK_THAT(manifest["warnings"][0].get<std::string>(),
               ContainsSubstring("broken") && ContainsSubstring("manifest.json.broken-1"));
    CHECK(manifest["artifacts"].size() == 2);
    { ls::DirectorySink sink(run, {.existing = ls::ExistingRun::replace}); }
    CHECK(contents(outer / "x") == "mine");
    CHECK(contents(outer / "k-000001.json") == "mine");
    CHECK(files_below(run) == std::set<std::string>{"manifest.json", "manifest.json.broken-1"});
  }
}

TEST_CASE("DirectorySink leaves other programs' manifests and later versions alone") {
  for (const char* text : {R"({"name":"my web page","icons":[{"src":"a.png"}]})", "[]", "7",
                           R"({"format":"layerscope-run","version":2,"artifacts":[{"new":"form"}]})"}) {
    const TemporaryDirectory directory;
    write_plainly(directory / "manifest.json", text);
    const ls::Error error = error_of([&] { ls::DirectorySink sink(directory.path()); });
    CHECK(error.code() == ls::ErrorCode::unsupported);
    CHECK_THAT(error.what(), ContainsSubstring(directory / "manifest.json"));
    CHECK(contents(directory / "manifest.json") == text);
  }
}

TEST_CASE("DirectorySink follows no planted link") {
  const TemporaryDirectory outer;
  const std::string run = outer / "run";
  fs::create_directories(outer / "elsewhere");
  write_plainly(outer / "elsewhere/k-000001.json", "mine");
  { ls::DirectorySink(run).write(artifact("k", "n", 1)); }
  fs::remove_all(run + "/n");
  fs::create_directory_symlink(outer / "elsewhere", run + "/n");
  {
    ls::DirectorySink sink(run);
    CHECK(manifest_of(run)["artifacts"].empty());
    CHECK(error_of([&] { sink.write(artifact("k", "n", 1)); }).code() == ls::ErrorCode::io);
  }
  { ls::DirectorySink sink(run, {.existing = ls::ExistingRun::replace}); }
  CHECK(contents(outer / "elsewhere/k-000001.json") == "mine");
  // A manifest that is a link is put aside as a link.
  write_plainly(outer / "secret", "{}");
  fs::remove(run + "/manifest.json");
  fs::create_symlink(outer / "secret", run + "/manifest.json");
  { ls::DirectorySink sink(run); }
  CHECK(contents(outer / "secret") == "{}");
  CHECK(fs::is_symlink(run + "/manifest.json.broken-1"));
  CHECK(fs::is_regular_file(fs::symlink_status(run + "/manifest.json")));
}

TEST_CASE("DirectorySink: a folder that another name holds is not shared") {
  const TemporaryDirectory directory;
  fs::create_directory(directory / "conv1");
  write_plainly(directory / "conv1/k-000001.json", "{}");
  write_plainly(directory / "manifest.json",
                R"({"format":"layerscope-run","version":1,"artifacts":[)"
                R"({"name":"other","kind":"k","step":1,"files":["conv1/k-000001.json"]}]})");
  ls::DirectorySink sink(directory.path());
  sink.write(artifact("k", "conv1", 1));
  sink.write(artifact("k", "conv1-2", 1));
  sink.write(artifact("k", "other", 1));
  CHECK(contents(directory / "conv1/k-000001.json") == "{}");
  for (const char* folder : {"conv1-2", "conv1-2-2", "other"}) {
    CHECK(contents(directory / (std::string(folder) + "/k-000001.png")) == png_of(0));
  }
}

TEST_CASE("DirectorySink: keep_every thins a series once it goes on") {
  const TemporaryDirectory directory;
  ls::DirectorySink sink(directory.path(), {.keep_every = 5});
  for (std::int64_t step = 0; step <= 12; ++step) {
    sink.write(artifact("k", "a", step));
    if (step < 4) sink.write(artifact("k", "b", step));
  }
  sink.flush();
  CHECK(check_whole(directory.path()) == Steps{{"a", {0, 5, 10, 12}}, {"b", {0, 3}}});
}

TEST_CASE("DirectorySink: Retention::latest replaces what came before, and may come back") {
  const TemporaryDirectory directory;
  ls::DirectorySink sink(directory.path(), {.manifest_seconds = 1e9});
  for (const std::int64_t step : {1, 2, 3, 2}) {
    ls::Artifact curve = artifact("curve", "loss", step);
    curve.retention = ls::Retention::latest;
    sink.write(curve);
    sink.write(artifact("other", "loss", step));
  }
  sink.flush();
  CHECK(check_whole(directory.path()) == Steps{{"loss", {2, 1, 2, 3}}});
}

TEST_CASE("DirectorySink: the byte limit removes the oldest steps, never the newest of a name and kind") {
  const TemporaryDirectory directory;
  std::int64_t one = 0;
  {
    ls::DirectorySink sink(directory / "one");
    sink.write(artifact("k", "a", 100));
    one = sink.bytes();
  }
  const std::int64_t limit = 10 * one;
  ls::DirectorySink sink(directory / "run", {.byte_limit = limit});
  sink.write(artifact("k", "rare", 0));
  for (std::int64_t step = 100; step < 160; ++step) {
    sink.write(artifact("k", "a", step));
    CHECK(sink.bytes() <= limit);
    std::int64_t on_disk = 0;
    for (const std::string& file : files_below(directory / "run")) {
      if (file != "manifest.json") on_disk += static_cast<std::int64_t>(fs::file_size(directory / ("run/" + file)));
    }
    CHECK(on_disk <= limit);
  }
  sink.flush();
  Steps steps = check_whole(directory / "run");
  CHECK(steps["rare"] == std::vector<std::int64_t>{0});
  REQUIRE(steps["a"].size() >= 7);
  CHECK(steps["a"].back() == 159);
  CHECK(steps["a"].front() == 160 - static_cast<std::int64_t>(steps["a"].size()));
  CHECK(manifest_of(directory / "run")["warnings"].empty());

  ls::DirectorySink tiny(directory / "tiny", {.byte_limit = 1});
  for (std::int64_t step = 1; step <= 3; ++step) tiny.write(artifact("k", "a", step));
  tiny.flush();
  CHECK(check_whole(directory / "tiny") == Steps{{"a", {3}}});
  CHECK(manifest_of(directory / "tiny")["warnings"].size() == 1);
}

TEST_CASE("DirectorySink: rewriting an old step near the limit loses neither file nor count") {
  const TemporaryDirectory directory;
  ls::DirectorySink sink(directory.path(), {.inline_limit = 4, .byte_limit = 8000, .manifest_seconds = 1e9});
  for (int round = 0; round < 3; ++round) {
    for (std::int64_t step = 1; step <= 9; ++step) sink.write(artifact("k", "n", step, 200));
    sink.flush();
    check_whole(directory.path());
  }
}

TEST_CASE("DirectorySink: files that wait for removal survive being written again while room is made") {
  // Somewhere among these limits the room is made between the picture and the JSON of step 1.
  for (std::int64_t limit = 2400; limit < 3200; limit += 40) {
    CAPTURE(limit);
    const TemporaryDirectory directory;
    ls::DirectorySink sink(directory.path(), {.byte_limit = limit, .manifest_seconds = 1e9});
    for (std::int64_t step = -3; step <= -1; ++step) sink.write(artifact("k", "fill", step));
    for (const std::int64_t step : {1, 2, 1}) {
      ls::Artifact curve = artifact("curve", "loss", step);
      curve.retention = ls::Retention::latest;
      sink.write(curve);
      if (step == 2) sink.write(artifact("k", "fill", 0));
    }
    sink.flush();
    CHECK(check_whole(directory.path())["loss"] == std::vector<std::int64_t>{1});
  }
}

TEST_CASE("DirectorySink: an artifact that fails half-way leaves no file of its own, and its predecessor's") {
  for (const int fail_at : {1, 2, 3}) {  // the picture, the array, the JSON
    CAPTURE(fail_at);
    const TemporaryDirectory directory;
    FileFaults faults;
    faults.only = "rename";
    ls::DirectorySink sink(directory.path(), {.inline_limit = 4, .manifest_seconds = 1e9, .operations = &faults.table});
    sink.write(artifact("k", "n", 1, 1));
    sink.flush();
    const auto before = files_below(directory.path());
    for (const std::int64_t step : {2, 1}) {
      faults.calls = 0;
      faults.fail_at = fail_at;
      CHECK_THROWS_AS(sink.write(artifact("k", "n", step, 2)), ls::Error);
      faults.fail_at = 0;
      if (fail_at > 1) CHECK(files_below(directory.path()) == before);
    }
    sink.flush();
    const Steps expected = {{"n", fail_at == 1 ? std::vector<std::int64_t>{1, 2} : std::vector<std::int64_t>{1}}};
    const json manifest = manifest_of(directory.path());
    CHECK(manifest["artifacts"].size() == expected.at("n").size());
    CHECK(manifest["failed"] == 2);
  }
}

TEST_CASE("DirectorySink: a picture that fails leaves the numbers, and the reason in JSON and manifest") {
  const TemporaryDirectory directory;
  ls::DirectorySink sink(directory.path());
  sink.write(artifact("k", "n", 1));
  ls::Artifact broken = artifact("k", "n", 1);
  broken.picture = ls::Picture([]() -> ls::Image { throw std::runtime_error("cannot render"); });
  const ls::Error error = error_of([&] { sink.write(broken); });
  CHECK_THAT(error.what(), ContainsSubstring("cannot render") && ContainsSubstring("numbers were written"));
  sink.flush();
  CHECK(check_whole(directory.path()) == Steps{{"n", {1}}});
  CHECK(contents(directory / "n/k-000001.png") == "<none>");
  CHECK(json::parse(contents(directory / "n/k-000001.json"))["picture_error"] == "cannot render");
  const json manifest = manifest_of(directory.path());
  CHECK(manifest["artifacts"][0]["picture_error"] == "cannot render");
  CHECK(manifest["failed"] == 1);
  CHECK_THAT(manifest["failures"][0].get<std::string>(), ContainsSubstring("k of n at step 1"));
}

TEST_CASE("DirectorySink: failures in the manifest are bounded in number and length") {
  const TemporaryDirectory directory;
  ls::DirectorySink sink(directory.path());
  ls::Artifact broken = artifact("k", std::string(5000, '\xC3'), 1);
  for (std::size_t i = 0; i + 1 < broken.name.size(); i += 2) broken.name[i + 1] = '\xA4';
  broken.picture = ls::Picture([]() -> ls::Image { throw 1; });
  for (int i = 0; i < 100; ++i) CHECK_THROWS_AS(sink.write(broken), ls::Error);
  sink.flush();
  const json manifest = manifest_of(directory.path());
  CHECK(manifest["failed"] == 100);
  CHECK(manifest["failures"].size() == 64);
  CHECK(manifest["failures"][0].get<std::string>().size() <= 1003);
  CHECK(manifest["invalid_utf8"] == false);
}

TEST_CASE("DirectorySink tells at construction when the directory cannot be made or written") {
  const TemporaryDirectory directory;
  write_plainly(directory / "file", "");
  const ls::Error not_a_directory = error_of([&] { ls::DirectorySink sink(directory / "file/run"); });
  CHECK(not_a_directory.code() == ls::ErrorCode::io);
  CHECK_THAT(not_a_directory.what(), ContainsSubstring(directory / "file") && ContainsSubstring("ENOTDIR"));
  for (const char* operation : {"mkdir", "open", "write", "close", "rename"}) {
    FileFaults faults;
    faults.only = operation;
    faults.fail_at = 1;
    faults.code = EACCES;
    const ls::Error error =
        error_of([&] { ls::DirectorySink sink(directory / operation, {.operations = &faults.table}); });
    CHECK(error.code() == ls::ErrorCode::io);
    CHECK_THAT(error.what(), ContainsSubstring("EACCES") && ContainsSubstring(directory / operation));
  }
}

TEST_CASE("DirectorySink refuses options out of range") {
  const TemporaryDirectory directory;
  for (const ls::DirectoryOptions& options :
       {ls::DirectoryOptions{.inline_limit = -1}, ls::DirectoryOptions{.byte_limit = -1},
        ls::DirectoryOptions{.keep_every = 0}, ls::DirectoryOptions{.manifest_seconds = -1},
        ls::DirectoryOptions{.manifest_seconds = std::numeric_limits<double>::quiet_NaN()}}) {
    CHECK(error_of([&] { ls::DirectorySink sink(directory / "run", options); }).code() ==
          ls::ErrorCode::invalid_argument);
  }
  CHECK(directory.names().empty());
}

TEST_CASE("DirectorySink: a full disk fails what is written then, and nothing before or after") {
  const TemporaryDirectory directory;
  FileFaults faults;
  faults.only = "write";
  faults.code = ENOSPC;
  ls::DirectorySink sink(directory.path(), {.operations = &faults.table});
  sink.write(artifact("k", "n", 1));
  sink.flush();
  faults.calls = 0;
  faults.fail_at = 1;
  faults.sticky = true;
  for (std::int64_t step = 2; step < 60; ++step) {
    const ls::Error error = error_of([&] { sink.write(artifact("k", "n", step)); });
    CHECK(error.code() == ls::ErrorCode::io);
    CHECK_THAT(error.what(), ContainsSubstring("ENOSPC") && ContainsSubstring("k-0000"));
  }
  CHECK(error_of([&] { sink.flush(); }).code() == ls::ErrorCode::io);
  CHECK(check_whole(directory.path()) == Steps{{"n", {1}}});
  faults.fail_at = 0;
  sink.write(artifact("k", "n", 60));
  sink.flush();
  CHECK(check_whole(directory.path()) == Steps{{"n", {1, 60}}});
  CHECK(manifest_of(directory.path())["failed"].get<int>() >= 58);
}

TEST_CASE("DirectorySink: whichever operation fails, earlier files stay whole, none is left half, and it recovers") {
  for (const bool sticky : {false, true}) {
    int runs = 0;
    for (int fail_at = 1;; ++fail_at) {
      CAPTURE(sticky, fail_at);
      const TemporaryDirectory directory;
      const std::string run = directory / "run";
      {
        ls::DirectorySink sink(run, {.inline_limit = 4});
        for (std::int64_t step = 1; step <= 2; ++step) sink.write(artifact("k", "n", step, 1));
      }
      FileFaults faults;
      faults.fail_at = fail_at;
      faults.sticky = sticky;
      faults.spare_unlink = sticky;  // without unlink nobody can clean up
      const ls::DirectoryOptions options{.inline_limit = 4,
                                         .keep_every = 2,
                                         .manifest_seconds = 0,
                                         .durability = ls::Durability::full,
                                         .operations = &faults.table};
      const auto attempt = [](auto body) {
        try {
          body();
        } catch (const ls::Error& error) {
          CHECK(error.code() == ls::ErrorCode::io);
        }
      };
      attempt([&] {
        ls::DirectorySink sink(run, options);
        attempt([&] { sink.write(artifact("k", "n", 2, 2)); });
        attempt([&] { sink.write(artifact("k", "n", 3, 2)); });
        attempt([&] { sink.write(artifact("k", "new", 4, 2)); });
        attempt([&] { sink.flush(); });
      });
      ++runs;
      for (const std::string& file : files_below(run)) {
        CAPTURE(file);
        const std::string text = contents(run + "/" + file);
        CHECK(file.find(".layerscope-") == std::string::npos);
        if (file.ends_with(".json")) CHECK_NOTHROW(json::parse(text));
        if (file.ends_with(".png")) CHECK((text == png_of(1) || text == png_of(2)));
        if (file.ends_with(".npy")) CHECK(text.size() == 128 + 6);
      }
      // Listed before: still there, in the old form or the new.
      CHECK(contents(run + "/n/k-000002.json") != "<none>");
      const bool pictured = contents(run + "/n/k-000002.png") != "<none>";
      const json error = json::parse(contents(run + "/n/k-000002.json"))["picture_error"];
      CHECK(pictured == error.is_null());
      const bool done = faults.calls < fail_at;
      faults.fail_at = 0;
      {
        ls::DirectorySink sink(run, options);
        sink.write(artifact("k", "n", 3, 2));
        sink.write(artifact("k", "new", 4, 2));
      }
      Steps steps = check_whole(run);
      CHECK(steps["n"] == std::vector<std::int64_t>{2, 3});
      CHECK(steps["new"] == std::vector<std::int64_t>{4});
      if (done) break;
    }
    CHECK(runs > 40);
  }
}

TEST_CASE("DirectorySink: the bytes of all manifests stay within a few times the last one") {
  const TemporaryDirectory directory;
  FileFaults counted;
  const int count = 1000;
  std::uint64_t files = 0;
  {
    ls::DirectorySink sink(directory.path(), {.manifest_seconds = 1e9, .operations = &counted.table});
    ls::Artifact plain;
    plain.kind = "k";
    for (int i = 0; i < count; ++i) {
      plain.name = "layer" + std::to_string(i % 250);
      plain.step = i / 250;
      sink.write(plain);
    }
    sink.flush();
    files = static_cast<std::uint64_t>(sink.bytes());
  }
  const std::uint64_t last = contents(directory / "manifest.json").size();
  CHECK(manifest_of(directory.path())["artifacts"].size() == count);
  CHECK(counted.manifests < 30);
  CHECK(counted.bytes_written - files < 8 * last);
}
