#include <layerscope/sinks/projector.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <locale>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::contents;
using layerscope_test::error_of;
using layerscope_test::TemporaryDirectory;

namespace {

ls::Tensor matrix(std::int64_t rows, std::int64_t columns, const std::vector<float>& values) {
  ls::Tensor tensor(ls::DType::f32, {rows, columns});
  std::memcpy(tensor.mutable_raw(), values.data(), tensor.bytes());
  return tensor;
}

ls::ProjectorEmbedding embedding(const std::string& name, std::int64_t rows) {
  ls::ProjectorEmbedding result;
  result.name = name;
  std::vector<float> values;
  for (std::int64_t i = 0; i < 2 * rows; ++i) values.push_back(static_cast<float>(i) / 4);
  result.rows = matrix(rows, 2, values);
  return result;
}

ls::Table::Column texts(const std::string& name, std::vector<std::string> cells) {
  return {name, std::move(cells)};
}

std::vector<std::string> write(const TemporaryDirectory& directory, const ls::ProjectorEmbedding& one,
                               const ls::ProjectorOptions& options = {}) {
  return ls::write_projector(directory.path(), {&one, 1}, options);
}

/// An artifact as the embedding shorthand makes it: sample `ids[i]` at (step, ids[i]).
ls::Artifact epoch(std::int64_t step, const std::vector<std::int64_t>& ids) {
  ls::Points points;
  std::vector<float> values;
  for (const std::int64_t id : ids) {
    values.push_back(static_cast<float>(step));
    values.push_back(static_cast<float>(id));
  }
  points.coordinates = matrix(static_cast<std::int64_t>(ids.size()), 2, values);
  points.ids = ids;
  points.labels = std::vector<std::int64_t>(ids.size(), 1);
  points.class_names = {"cat", "dog"};
  ls::Artifact artifact;
  artifact.kind = "embedding";
  artifact.name = "fc1";
  artifact.step = step;
  artifact.parts.push_back({"points", std::move(points)});
  return artifact;
}

struct Grouping : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

}  // namespace

TEST_CASE("Projector: the files of a log directory") {
  const TemporaryDirectory directory;
  ls::ProjectorEmbedding one = embedding("fc1/out", 3);
  one.metadata.columns = {texts("class", {"a", "b", "c"}), {"size", std::vector<double>{1, 2.5, -3}}};
  CHECK(write(directory, one).empty());
  CHECK(contents(directory / "fc1%2Fout-tensor.tsv") == "0\t0.25\n0.5\t0.75\n1\t1.25\n");
  CHECK(contents(directory / "fc1%2Fout-metadata.tsv") == "class\tsize\na\t1\nb\t2.5\nc\t-3\n");
  CHECK(contents(directory / "projector_config.pbtxt") ==
        "embeddings {\n  tensor_name: \"fc1/out\"\n  tensor_shape: 3\n  tensor_shape: 2\n"
        "  tensor_path: \"fc1%2Fout-tensor.tsv\"\n  metadata_path: \"fc1%2Fout-metadata.tsv\"\n}\n");
  CHECK(directory.names().size() == 3);
}

TEST_CASE("Projector: the files of the page alone, whose paths are URLs") {
  const TemporaryDirectory directory;
  ls::ProjectorOptions options;
  options.form = ls::ProjectorForm::standalone;
  options.tensors = ls::ProjectorOptions::Tensors::bytes;
  ls::ProjectorEmbedding one = embedding("fc1/out", 3);
  one.epochs.push_back({"step 0", matrix(3, 2, {1, 2, 3, 4, 5, 6})});
  write(directory, one, options);
  const std::string bytes = contents(directory / "fc1%2Fout-tensor.bytes");
  REQUIRE(bytes.size() == 24);
  float last = 0;
  std::memcpy(&last, bytes.data() + 20, 4);
  CHECK(last == 1.25f);
  const auto config = nlohmann::json::parse(contents(directory / "projector_config.json"))["embeddings"][0];
  CHECK(config["tensorName"] == "fc1/out");
  CHECK(config["tensorShape"] == nlohmann::json{3, 2});
  CHECK(config["tensorPath"] == "fc1%252Fout-tensor.bytes");
  CHECK(config["bookmarksPath"] == "fc1%252Fout-bookmarks.json");
  const auto states = nlohmann::json::parse(contents(directory / "fc1%2Fout-bookmarks.json"));
  REQUIRE(states.size() == 1);
  CHECK(states[0]["label"] == "step 0");
  CHECK(states[0]["projections"][2] == nlohmann::json{{"umap-0", 5.0}, {"umap-1", 6.0}});
}

TEST_CASE("Projector: cells are one line each and never blank, one column has no header") {
  const TemporaryDirectory directory;
  ls::ProjectorEmbedding one = embedding("x", 7);
  one.metadata.columns = {texts("label", {"", "a\tb", "\n", "\xE2\x80\x83", "\xC3", "c\\", std::string(1, '\0')})};
  write(directory, one);
  CHECK(contents(directory / "x-metadata.tsv") == "(empty)\na\\tb\n\\n\n(empty)\n\xEF\xBF\xBD\nc\\\\\n\\x00\n");
}

TEST_CASE("Projector: names as TensorBoard keeps them and the page can ask for them") {
  const TemporaryDirectory directory;
  const std::vector<ls::ProjectorEmbedding> several{embedding("w", 1),   embedding("w:0", 2), embedding("w:0:0", 3),
                                                    embedding("a&b", 1), embedding("", 1),    embedding("q\"\\", 1)};
  const std::vector<std::string> said = ls::write_projector(directory.path(), several);
  CHECK(said.size() == 5);
  const std::string config = contents(directory / "projector_config.pbtxt");
  for (const char* name : {"\"w\"", "\"w (2)\"", "\"w (3)\"",
                           "\"a\xEF\xBC\x86"
                           "b\"",
                           "\"(empty)\"", "\"q\\\"\\\\\\\\\""}) {
    CHECK_THAT(config, ContainsSubstring("tensor_name: " + std::string(name) + "\n"));
  }
}

TEST_CASE("Projector: numbers do not depend on the locale") {
  const TemporaryDirectory directory;
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Grouping));
  ls::ProjectorEmbedding one = embedding("x", 1);
  one.rows = matrix(1, 2, {1234567.5f, 0.1f});
  one.epochs.push_back({"e", one.rows});
  write(directory, one);
  std::locale::global(before);
  CHECK(contents(directory / "x-tensor.tsv") == "1234567.5\t0.1\n");
  CHECK_THAT(contents(directory / "x-bookmarks.json"), ContainsSubstring("{\"umap-0\":1234567.5,\"umap-1\":0.1}"));
}

TEST_CASE("Projector: every finite float32 reads back the same") {
  const TemporaryDirectory directory;
  const std::vector<float> values{0.0f, -0.0f, 1e-45f, -1.1754944e-38f, 3.4028235e38f, 0.1f, 16777216.0f, -1.0f / 3};
  ls::ProjectorEmbedding one = embedding("x", 1);
  one.rows = matrix(4, 2, values);
  write(directory, one);
  std::string text = contents(directory / "x-tensor.tsv");
  std::size_t at = 0;
  for (const float value : values) {
    const std::size_t end = text.find_first_of("\t\n", at);
    const float read = std::strtof(text.substr(at, end - at).c_str(), nullptr);
    CHECK(std::memcmp(&read, &value, sizeof value) == 0);
    at = end + 1;
  }
}

TEST_CASE("Projector: a single column gets a second one") {
  const TemporaryDirectory directory;
  ls::ProjectorEmbedding one = embedding("x", 2);
  one.rows = matrix(2, 1, {5, 6});
  const std::vector<std::string> said = write(directory, one);
  REQUIRE(said.size() == 1);
  CHECK_THAT(said[0], ContainsSubstring("second column"));
  CHECK(contents(directory / "x-tensor.tsv") == "5\t0\n6\t0\n");
}

TEST_CASE("Projector: trajectories end, and have a header") {
  const TemporaryDirectory directory;
  ls::ProjectorEmbedding one = embedding("x", 3);
  one.next = {2, -1, 1};
  write(directory, one);
  CHECK(contents(directory / "x-metadata.tsv") == "row\t__seq_next__\n0\t2\n1\t-1\n2\t1\n");
  one.next = {2, 0, 1};
  CHECK_THAT(error_of([&] { write(directory, one); }).what(), ContainsSubstring("comes back"));
  one.next = {0, -1, -1};
  CHECK_THAT(error_of([&] { write(directory, one); }).what(), ContainsSubstring("comes back"));
  one.next = {3, -1, -1};
  CHECK_THAT(error_of([&] { write(directory, one); }).what(), ContainsSubstring("next[0] is 3; expected -1 or a row"));
  one.next = {-1};
  CHECK_THAT(error_of([&] { write(directory, one); }).what(), ContainsSubstring("1 entries of next; expected 3"));
}

TEST_CASE("Projector: what is refused says what was found and expected, and writes nothing") {
  const TemporaryDirectory directory;
  const auto refuses = [&](auto change, ls::ErrorCode code, const std::string& words) {
    ls::ProjectorEmbedding one = embedding("x", 3);
    ls::ProjectorOptions options;
    change(one, options);
    const ls::Error error = error_of([&] { write(directory, one, options); });
    CHECK(error.code() == code);
    CHECK_THAT(error.what(), ContainsSubstring(words));
    CHECK(contents(directory / "projector_config.pbtxt") == "<none>");
  };
  using One = ls::ProjectorEmbedding;
  using Options = ls::ProjectorOptions;
  const auto invalid = ls::ErrorCode::invalid_argument;
  refuses([](One& one, Options&) { one.rows = {}; }, invalid, "expected a matrix");
  refuses([](One& one, Options&) { one.rows = ls::Tensor(ls::DType::f32, {0, 3}); }, ls::ErrorCode::empty, "[0, 3]");
  refuses([](One& one, Options&) { one.rows.mutable_data<float>()[3] = std::numeric_limits<float>::quiet_NaN(); },
          ls::ErrorCode::non_finite, "row 1, column 1 is nan");
  refuses(
      [](One& one, Options&) {
        one.rows = ls::Tensor(ls::DType::f64, {1, 2});
        one.rows.mutable_data<double>()[1] = 1e300;
      },
      ls::ErrorCode::non_finite, "row 0, column 1 is inf");
  refuses([](One& one, Options&) { one.metadata.columns = {texts("a", {"1", "2"})}; }, invalid, "2 cells; expected 3");
  refuses([](One& one, Options&) { one.metadata.columns = {texts(" ", {"1", "2", "3"})}; }, invalid, "not blank");
  refuses(
      [](One& one, Options&) {
        one.metadata.columns = {texts("__seq_next__", {"1", "2", "3"})};
      },
      invalid, "trajectories");
  refuses(
      [](One& one, Options&) {
        one.metadata.columns = {texts("a", {"", "", ""}), texts("a", {"", "", ""})};
      },
      invalid, "differ");
  refuses(
      [](One& one, Options&) {
        one.epochs = {{"e", ls::Tensor(ls::DType::f32, {2, 2})}};
      },
      invalid, "[2, 2]; expected [3, 2 or 3]");
  refuses([](One& one, Options&) { one.epochs = {{"e", ls::Tensor(ls::DType::f32, {3, 4})}}; }, invalid, "[3, 4]");
  refuses(
      [](One& one, Options&) {
        one.epochs = {{"e", ls::Tensor(ls::DType::f32, {2, 2}), {1, 1}}};
      },
      invalid, "row 1 after 1");
  refuses(
      [](One& one, Options&) {
        one.sprites = {ls::Picture(ls::make_image(8, 4, ls::Rgb{})), 4, 4};
      },
      invalid, "8 x 4 pixels, one of 4 x 4; expected a square grid of 2 x 2");
  refuses([](One&, Options& options) { options.tensors = Options::Tensors::bytes; }, invalid, "binary tensors");
  const ls::Error none = error_of([&] { ls::write_projector(directory.path(), {}); });
  CHECK(none.code() == ls::ErrorCode::empty);
}

TEST_CASE("ProjectorSink: the epochs of an embedding become its bookmarks") {
  const TemporaryDirectory directory;
  ls::ProjectorSink sink(directory / "run");
  CHECK(sink.takes_inputs());
  ls::Artifact other;
  other.name = "loss";
  sink.write(other);
  CHECK(contents(directory / "run/projector_config.pbtxt") == "<none>");
  sink.write(epoch(0, {7, 8, 9}));
  sink.write(epoch(1, {7, 8, 9}));
  CHECK(contents(directory / "run/fc1-metadata.tsv") == "class\tid\ndog\t7\ndog\t8\ndog\t9\n");
  CHECK(contents(directory / "run/fc1-tensor.tsv") == "1\t7\n1\t8\n1\t9\n");  // the latest epoch
  auto states = nlohmann::json::parse(contents(directory / "run/fc1-bookmarks.json"));
  REQUIRE(states.size() == 2);
  CHECK(states[0]["label"] == "step 0");
  CHECK(states[0]["projections"][1] == nlohmann::json{{"umap-0", 0.0}, {"umap-1", 8.0}});
  CHECK(states[0]["selectedColorOptionName"] == "class");

  // Other samples: each old epoch shows those that it had.
  sink.write(epoch(2, {9, 5, 7}));
  states = nlohmann::json::parse(contents(directory / "run/fc1-bookmarks.json"));
  REQUIRE(states.size() == 3);
  CHECK(states[1]["projections"] == nlohmann::json::parse(R"([{"umap-0":1,"umap-1":9},{},{"umap-0":1,"umap-1":7}])"));
  sink.write(epoch(1, {9, 5, 7}));  // again, in another order
  states = nlohmann::json::parse(contents(directory / "run/fc1-bookmarks.json"));
  REQUIRE(states.size() == 3);
  CHECK(states[1]["projections"][1] == nlohmann::json{{"umap-0", 1.0}, {"umap-1", 5.0}});
}

TEST_CASE("ProjectorSink: a long timeline is thinned, and keeps its ends") {
  const TemporaryDirectory directory;
  ls::ProjectorSinkOptions options;
  options.max_epochs = 4;
  ls::ProjectorSink sink(directory.path(), options);
  for (std::int64_t step = 0; step < 9; ++step) sink.write(epoch(step, {1, 2}));
  const auto states = nlohmann::json::parse(contents(directory / "fc1-bookmarks.json"));
  REQUIRE(states.size() <= 4);
  CHECK(states.front()["label"] == "step 0");
  CHECK(states.back()["label"] == "step 8");
  options.max_epochs = 1;
  CHECK_THAT(error_of([&] { ls::ProjectorSink(directory.path(), options); }).what(), ContainsSubstring("at least 2"));
}

TEST_CASE("ProjectorSink: what high-dimensional rows and thumbnails there are is written") {
  const TemporaryDirectory directory;
  ls::ProjectorSink sink(directory.path());
  int drawn = 0;
  const auto pictured = [&](std::int64_t step, const std::vector<std::int64_t>& ids) {
    ls::Artifact artifact = epoch(step, ids);
    ls::Points& points = std::get<ls::Points>(artifact.parts[0].value);
    points.rows = matrix(2, 3, {1, 2, 3, 4, 5, 6});
    points.sprites = {ls::Picture([&drawn] {
                        ++drawn;
                        return ls::make_image(8, 8, ls::Rgb{1, 2, 3});
                      }),
                      4, 4};
    return artifact;
  };
  sink.write(pictured(0, {3, 4}));
  sink.write(pictured(1, {3, 4}));
  CHECK(drawn == 1);  // the same samples
  sink.write(pictured(2, {4, 5}));
  CHECK(drawn == 2);
  CHECK(contents(directory / "fc1-tensor.tsv") == "1\t2\t3\n4\t5\t6\n");
  CHECK_THAT(contents(directory / "projector_config.pbtxt"),
             ContainsSubstring("image_path: \"fc1-sprite.png\"\n    single_image_dim: 4\n    single_image_dim: 4"));
}

TEST_CASE("Projector: whichever file operation fails, the config there was stays until all else is written") {
  ls::ProjectorEmbedding one = embedding("x", 3);
  one.metadata.columns = {texts("label", {"a", "b", "c"})};
  one.epochs.push_back({"e", one.rows});
  int refused = 0;
  for (int n = 1;; ++n) {
    const TemporaryDirectory directory;
    write(directory, embedding("x", 2));
    const std::string before = contents(directory / "projector_config.pbtxt");
    layerscope_test::FileFaults faults;
    faults.fail_at = n;
    faults.code = ENOSPC;
    ls::ProjectorOptions options;
    options.publish.operations = &faults.table;
    try {
      write(directory, one, options);
    } catch (const ls::Error& error) {
      ++refused;
      CHECK(error.code() == ls::ErrorCode::io);
      CHECK(contents(directory / "projector_config.pbtxt") == before);
      continue;
    }
    if (faults.calls < n) break;  // nothing was left to fail
  }
  CHECK(refused >= 16);  // four files of four operations
}
