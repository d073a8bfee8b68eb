#include <layerscope/sinks/png.hpp>

#include <string>

#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::contents;
using layerscope_test::error_of;
using layerscope_test::FileFaults;
using layerscope_test::TemporaryDirectory;

namespace {

ls::Artifact pictured(const std::string& name, std::int64_t step) {
  ls::Artifact artifact;
  artifact.kind = "activations";
  artifact.name = name;
  artifact.step = step;
  artifact.picture = ls::Picture(ls::make_image(3, 2, ls::Rgb{1, 2, static_cast<std::uint8_t>(step)}));
  return artifact;
}

std::string as_text(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("PngSink writes one PNG for each artifact that has a picture, and nothing else") {
  const TemporaryDirectory directory;
  ls::PngSink sink(directory / "run");
  const ls::Artifact artifact = pictured("conv1", 12);
  sink.write(artifact);
  ls::Artifact plain;
  plain.name = "plain";
  sink.write(plain);
  CHECK(contents(directory / "run/conv1/activations-000012.png") == as_text(ls::encode_png(artifact.picture.get())));
  CHECK(directory.names() == std::vector<std::string>{"run"});
  CHECK(contents(directory / "run/plain") == "<none>");
  CHECK(contents(directory / "run/manifest.json") == "<none>");
  CHECK(sink.written() == 2);
}

TEST_CASE("PngSink: Retention::latest leaves the newest picture") {
  const TemporaryDirectory directory;
  ls::PngSink sink(directory.path());
  for (std::int64_t step = 1; step <= 3; ++step) {
    ls::Artifact curve = pictured("loss", step);
    curve.retention = ls::Retention::latest;
    sink.write(curve);
  }
  CHECK(contents(directory / "loss/activations-000001.png") == "<none>");
  CHECK(contents(directory / "loss/activations-000002.png") == "<none>");
  CHECK(contents(directory / "loss/activations-000003.png") != "<none>");
}

TEST_CASE("PngSink tells at construction when it cannot write") {
  const TemporaryDirectory directory;
  layerscope_test::write_plainly(directory / "file", "");
  CHECK_THAT(error_of([&] { ls::PngSink(directory / "file"); }).what(), ContainsSubstring("/file"));
  FileFaults faults;
  faults.only = "open";
  faults.fail_at = 1;
  faults.code = EROFS;
  const ls::Error error = error_of([&] { ls::PngSink(directory / "run", {}, {.operations = &faults.table}); });
  CHECK(error.code() == ls::ErrorCode::io);
  CHECK_THAT(error.what(), ContainsSubstring("EROFS") && ContainsSubstring(directory / "run"));
}

TEST_CASE("PngSink passes on what a picture throws, and counts it") {
  const TemporaryDirectory directory;
  ls::PngSink sink(directory.path());
  ls::Artifact artifact = pictured("conv1", 1);
  artifact.picture = ls::Picture([]() -> ls::Image { throw std::runtime_error("cannot render"); });
  CHECK_THROWS_AS(sink.write(artifact), std::runtime_error);
  CHECK(sink.failed() == 1);
}
