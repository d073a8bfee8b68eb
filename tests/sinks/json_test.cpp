#include <layerscope/core/random.hpp>
#include <layerscope/sinks/json.hpp>

#include <nlohmann/json.hpp>

#include <bit>
#include <clocale>
#include <cmath>
#include <limits>
#include <locale>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
using json = nlohmann::json;
using layerscope_test::contents;
using layerscope_test::TemporaryDirectory;

namespace {

ls::Artifact named(const std::string& kind, const std::string& name, std::int64_t step) {
  ls::Artifact artifact;
  artifact.kind = kind;
  artifact.name = name;
  artifact.step = step;
  return artifact;
}

template <class T>
ls::Tensor tensor(const std::vector<T>& values, const ls::Shape& shape) {
  ls::Tensor result(ls::dtype_of<T>, shape);
  T* out = result.mutable_data<T>();
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = values[i];
  return result;
}

/// Every alternative of a part, with awkward strings and numbers.
ls::Artifact everything() {
  ls::Artifact artifact = named("every\"thing", "layer/\xC3\xA4</script>", 1'234'567);
  artifact.range = ls::Range{-0.1, 1e300};
  artifact.attributes = {{"channels shown", std::int64_t{64}}, {"scale", 0.1}, {"layout", std::string("NCHW")}};
  artifact.warnings = {"tab\there", "nul" + std::string(1, '\0') + "byte"};
  artifact.parts.push_back({"t", tensor<float>({0.1F, -0.0F, 3.4e38F, 1e-45F, 16777216.0F, 2.0F}, {2, 3})});
  artifact.parts.push_back({"image", ls::make_image(2, 1, ls::PixelFormat::gray)});
  ls::Grid grid;
  grid.tiles = {ls::make_image(1, 1, ls::PixelFormat::rgb), ls::make_image(1, 2, ls::PixelFormat::rgba)};
  grid.labels = {"0", "1"};
  grid.columns = 2;
  artifact.parts.push_back({"grid", grid});
  artifact.parts.push_back({"h", ls::Histogram{{0, 0.5, 1}, {3, 18446744073709551615u}}});
  artifact.parts.push_back({"s", ls::Series{"loss", {0, 1}, {2.5, 1.25}}});
  ls::Table table;
  table.columns.push_back({"n", std::vector<double>{1, 2}});
  table.columns.push_back({"t", std::vector<std::string>{"a", "b"}});
  artifact.parts.push_back({"table", table});
  ls::Points points;
  points.coordinates = tensor<double>({1, 2, 3, 4}, {2, 2});
  points.labels = {0, 1};
  points.class_names = {"cat", "dog"};
  points.ids = {-9223372036854775807 - 1, 9223372036854775807};
  artifact.parts.push_back({"points", points});
  ls::Graph graph;
  graph.nodes = {{"a", "A", "Conv", {{"stride", "2"}}}, {"b", "B", "ReLU", {}}};
  graph.edges = {{0, 1, "x"}};
  artifact.parts.push_back({"graph", graph});
  artifact.parts.push_back({"text", ls::Text{"# Title\n\xF0\x9F\x98\x80"}});
  return artifact;
}

std::string written(const ls::Artifact& artifact, const std::string& file) {
  const TemporaryDirectory directory;
  ls::JsonSink sink(directory.path());
  sink.write(artifact);
  return contents(directory / file);
}

/// The JSON of an artifact "k" called "n" at step 0.
json of_parts(std::vector<ls::Part> parts) {
  ls::Artifact artifact = named("k", "n", 0);
  artifact.parts = std::move(parts);
  return json::parse(written(artifact, "n/k-000000.json"));
}

const std::string everything_file = "layer%2F%C3%A4%3C%2Fscript%3E/every%22thing-1234567.json";

}  // namespace

TEST_CASE("JsonSink: every kind of part, read back by another program") {
  const json root = json::parse(written(everything(), everything_file));
  CHECK(root["format"] == "layerscope-artifact");
  CHECK(root["version"] == 1);
  CHECK(root["kind"] == "every\"thing");
  CHECK(root["name"] == "layer/ä</script>");
  CHECK(root["step"] == 1'234'567);
  CHECK(root["range"]["min"] == -0.1);
  CHECK(root["range"]["max"] == 1e300);
  CHECK(root["attributes"] == json::parse(R"([{"name":"channels shown","value":64},{"name":"scale","value":0.1},)"
                                          R"({"name":"layout","value":"NCHW"}])"));
  CHECK(root["warnings"][0] == "tab\there");
  CHECK(root["warnings"][1].get<std::string>().size() == 8);
  CHECK(root["picture"].is_null());
  CHECK(root["picture_error"].is_null());
  CHECK(root["files"] == json::array({"every%22thing-1234567.json"}));
  CHECK(root["invalid_utf8"] == false);
  const json& parts = root["parts"];
  REQUIRE(parts.size() == 9);
  CHECK(parts[0]["type"] == "tensor");
  CHECK(parts[0]["dtype"] == "float32");
  CHECK(parts[0]["shape"] == json::array({2, 3}));
  CHECK(parts[0]["data"][0].get<float>() == 0.1F);
  CHECK(std::signbit(parts[0]["data"][1].get<float>()));
  CHECK(parts[0]["data"][2].get<float>() == 3.4e38F);
  CHECK(parts[0]["data"][4] == 16777216);
  CHECK(parts[1] == json::parse(R"({"name":"image","type":"image","width":2,"height":1,"format":"gray","file":null})"));
  CHECK(parts[2]["tiles"].size() == 2);
  CHECK(parts[2]["tiles"][1]["format"] == "rgba");
  CHECK(parts[3]["counts"]["data"][1] == 18446744073709551615u);
  CHECK(parts[3]["edges"]["dtype"] == "float64");
  CHECK(parts[4]["series"] == "loss");
  CHECK(parts[4]["y"]["data"] == json::array({2.5, 1.25}));
  CHECK(parts[5]["columns"][0]["numbers"]["data"] == json::array({1, 2}));
  CHECK(parts[5]["columns"][1]["texts"] == json::array({"a", "b"}));
  CHECK(parts[6]["coordinates"]["shape"] == json::array({2, 2}));
  CHECK(parts[6]["ids"]["data"][0] == std::numeric_limits<std::int64_t>::min());
  CHECK(parts[6]["class_names"][1] == "dog");
  CHECK(parts[7]["nodes"][0]["attributes"][0]["value"] == "2");
  CHECK(parts[7]["edges"][0] == json::parse(R"({"from":0,"to":1,"label":"x"})"));
  CHECK(parts[8]["text"] == "# Title\n😀");
}

TEST_CASE("JsonSink: pictures are not even rendered") {
  const TemporaryDirectory directory;
  ls::JsonSink sink(directory.path(), {.png = ls::Output::write});
  ls::Artifact artifact = named("k", "n", 0);
  artifact.picture = ls::Picture([]() -> ls::Image { throw std::runtime_error("rendered"); });
  CHECK_NOTHROW(sink.write(artifact));
  CHECK(json::parse(contents(directory / "n/k-000000.json"))["picture"].is_null());
}

TEST_CASE("JsonSink: what is not finite is a string, never null") {
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const json parts = of_parts({{"d", tensor<double>({nan, infinity, -infinity, 1}, {4})},
                               {"f", tensor<float>({static_cast<float>(nan), static_cast<float>(-infinity)}, {2})}})
                         .at("parts");
  CHECK(parts[0]["data"] == json::array({"NaN", "Infinity", "-Infinity", 1}));
  CHECK(parts[1]["data"] == json::array({"NaN", "-Infinity"}));
  ls::Artifact artifact = named("k", "n", 0);
  artifact.range = ls::Range{-infinity, nan};
  artifact.attributes = {{"a", nan}};
  const json root = json::parse(written(artifact, "n/k-000000.json"));
  CHECK(root["range"] == json::parse(R"({"min":"-Infinity","max":"NaN"})"));
  CHECK(root["attributes"][0]["value"] == "NaN");
}

TEST_CASE("JsonSink: every element type keeps its value") {
  const json parts = of_parts({{"b", tensor<std::uint8_t>({0, 255}, {2})},
                               {"i8", tensor<std::int8_t>({-128, 127}, {2})},
                               {"u64", tensor<std::uint64_t>({18446744073709551615u}, {1})},
                               {"i64", tensor<std::int64_t>({std::numeric_limits<std::int64_t>::min()}, {1})},
                               {"scalar", tensor<float>({0.3F}, {})},
                               {"none", ls::Tensor(ls::DType::f32, ls::Shape{0, 3})},
                               {"bool", ls::Tensor(ls::DType::boolean, ls::Shape{2})},
                               {"half", ls::Tensor(ls::DType::f16, ls::Shape{1})},
                               {"bf16", ls::Tensor(ls::DType::bf16, ls::Shape{1})}})
                         .at("parts");
  CHECK(parts[0]["data"] == json::array({0, 255}));
  CHECK(parts[1]["data"] == json::array({-128, 127}));
  CHECK(parts[2]["data"][0] == 18446744073709551615u);
  CHECK(parts[3]["data"][0] == std::numeric_limits<std::int64_t>::min());
  CHECK(parts[4]["shape"] == json::array());
  CHECK(parts[4]["data"][0].dump() == "0.3");  // shortest as a float, not 0.30000001192092896
  CHECK(parts[5]["data"] == json::array());
  CHECK(parts[6]["data"] == json::array({0, 0}));
  CHECK(parts[7]["dtype"] == "float16");
  CHECK(parts[8]["dtype"] == "bfloat16");
}

TEST_CASE("JsonSink: random doubles and floats come back bit by bit") {
  const ls::Random random(3);
  std::vector<double> doubles;
  std::vector<float> floats;
  for (std::uint64_t i = 0; doubles.size() < 500; ++i) {
    const double d = std::bit_cast<double>(random.bits(i));
    const float f = std::bit_cast<float>(random.block(i)[2]);
    if (!std::isfinite(d) || !std::isfinite(f)) continue;
    doubles.push_back(d);
    floats.push_back(f);
  }
  const json parts = of_parts({{"d", tensor(doubles, {500})}, {"f", tensor(floats, {500})}}).at("parts");
  for (std::size_t i = 0; i < doubles.size(); ++i) {
    CHECK(parts[0]["data"][i].get<double>() == doubles[i]);
    CHECK(static_cast<float>(parts[1]["data"][i].get<double>()) == floats[i]);
  }
}

TEST_CASE("JsonSink: bytes that are no UTF-8 become U+FFFD, and that is said") {
  // The maximal subparts of table 3-8 and the section on U+FFFD substitution of the Unicode standard.
  const std::pair<std::string, std::string> cases[] = {
      {"\xFF", "\uFFFD"},
      {"a\x80z", "a\uFFFDz"},
      {"\xC0\xAF", "\uFFFD\uFFFD"},                                // overlong
      {"\xE0\x80\x80", "\uFFFD\uFFFD\uFFFD"},                      // overlong
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},                      // a surrogate
      {"\xF4\x91\x92\x93\xFF", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"},  // past U+10FFFF
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", "\uFFFD\uFFFD\uFFFD\uFFFD\x41"},
      {"\xF0\x9F\x98", "\uFFFD"},  // cut off
  };
  for (const auto& [given, expected] : cases) {
    const json root = of_parts({{given, ls::Text{given}}});
    CHECK(root["invalid_utf8"] == true);
    CHECK(root["parts"][0]["text"] == expected);
    CHECK(root["parts"][0]["name"] == expected);
  }
  const std::string valid = "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF";
  const json root = of_parts({{"valid", ls::Text{valid}}});
  CHECK(root["invalid_utf8"] == false);
  CHECK(root["parts"][0]["text"] == valid);
}

TEST_CASE("JsonSink: long arrays lie beside the JSON, exactly past the limit") {
  const TemporaryDirectory directory;
  ls::JsonSink sink(directory.path(), {.inline_limit = 4});
  ls::Artifact artifact = named("k", "n", 0);
  artifact.parts.push_back({"short", ls::Tensor(ls::DType::f32, ls::Shape{4})});
  artifact.parts.push_back({"long", ls::Tensor(ls::DType::i32, ls::Shape{5})});
  artifact.parts.push_back({"h", ls::Histogram{{0, 1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}}});
  artifact.parts.push_back({"half", ls::Tensor(ls::DType::bf16, ls::Shape{5})});
  sink.write(artifact);
  const json root = json::parse(contents(directory / "n/k-000000.json"));
  CHECK(root["parts"][0]["data"].size() == 4);
  CHECK(root["parts"][1]["file"] == "k-000000.1.npy");
  CHECK(!root["parts"][1].contains("data"));
  CHECK(root["parts"][2]["edges"]["file"] == "k-000000.2.npy");
  CHECK(root["parts"][2]["counts"]["file"] == "k-000000.2.1.npy");
  CHECK(root["files"].size() == 5);
  std::size_t bytes = 0;
  for (const json& file : root["files"]) bytes += contents(directory / ("n/" + file.get<std::string>())).size();
  CHECK(static_cast<std::size_t>(sink.bytes()) == bytes);
  CHECK(contents(directory / "n/k-000000.2.npy").substr(1, 5) == "NUMPY");
  CHECK(contents(directory / "n/k-000000.2.npy").size() == 128 + 7 * 8);
}

TEST_CASE("JsonSink: the same bytes again, and under a locale that groups digits") {
  struct Grouping : std::numpunct<char> {
    char do_thousands_sep() const override { return '.'; }
    char do_decimal_point() const override { return ','; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::string before = written(everything(), everything_file);
  CHECK(before.size() > 1000);
  CHECK(written(everything(), everything_file) == before);
  const std::locale old = std::locale::global(std::locale(std::locale(), new Grouping));
  const char* c_locale = std::setlocale(LC_ALL, "de_DE.UTF-8");
  const std::string under_locale = written(everything(), everything_file);
  std::locale::global(old);
  if (c_locale != nullptr) std::setlocale(LC_ALL, "C");
  CHECK(under_locale == before);
}
