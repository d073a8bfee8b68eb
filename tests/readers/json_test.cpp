// The JSON that readers, manifests and event files go through, against JSONTestSuite (github.com/nst/JSONTestSuite):
// y_ must be accepted, n_ must be refused, i_ may be either, and nothing may end worse than in an Error.
#include <layerscope/core/io.hpp>
#include <layerscope/impl/json_reader_inl.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/error.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope::detail::JsonValue;
using layerscope_test::error_of;

namespace {

/// Takes every event and counts the values.
struct Counter {
  using Json = nlohmann::json;
  bool null() { return count(); }
  bool boolean(bool) { return count(); }
  bool number_integer(Json::number_integer_t) { return count(); }
  bool number_unsigned(Json::number_unsigned_t) { return count(); }
  bool number_float(Json::number_float_t, const Json::string_t&) { return count(); }
  bool string(Json::string_t&) { return count(); }
  bool binary(Json::binary_t&) { return count(); }
  bool start_object(std::size_t) { return count(); }
  bool key(Json::string_t&) { return true; }
  bool end_object() { return true; }
  bool start_array(std::size_t) { return count(); }
  bool end_array() { return true; }
  [[noreturn]] void refuse(const std::string& reason) const { throw ls::Error(ls::ErrorCode::format, reason); }
  bool count() { return ++values > 0; }
  std::size_t values = 0;
};

/// The same tree as nlohmann/json reads it; of a repeated key the last one.
nlohmann::json as_nlohmann(const JsonValue& tree) {
  if (const auto* const array = tree.get_if<JsonValue::Array>()) {
    nlohmann::json result = nlohmann::json::array();
    for (const JsonValue& value : *array) result.push_back(as_nlohmann(value));
    return result;
  }
  if (const auto* const object = tree.get_if<JsonValue::Object>()) {
    nlohmann::json result = nlohmann::json::object();
    for (const auto& [key, value] : *object) {
      result[key] = as_nlohmann(value);
    }
    return result;
  }
  if (const auto* const flag = tree.get_if<bool>()) return *flag;
  if (const auto* const whole = tree.get_if<std::int64_t>()) return *whole;
  if (const auto* const natural = tree.get_if<std::uint64_t>()) return *natural;
  if (const auto* const number = tree.get_if<double>()) return *number;
  if (const auto* const text = tree.get_if<std::string>()) return *text;
  return nullptr;
}

/// Why a text is refused, by both forms alike; std::nullopt when both accept it.
std::optional<std::string> refusal(const std::string& text) {
  std::optional<std::string> tree_refusal, event_refusal;
  try {
    const JsonValue tree = ls::detail::parse_json(text);
    CHECK(as_nlohmann(tree) == nlohmann::json::parse(text));
  } catch (const ls::Error& error) {
    CHECK(error.code() == ls::ErrorCode::format);
    tree_refusal = error.what();
  }
  ls::detail::CappedJsonHandler<Counter> counter;
  try {
    const char* farthest = nullptr;
    ls::detail::parse_json_events(text, counter, &farthest);
    CHECK(farthest == text.data() + text.size());
  } catch (const ls::Error& error) {
    event_refusal = error.what();
  }
  CHECK(tree_refusal.has_value() == event_refusal.has_value());
  if (!tree_refusal) CHECK(counter.values > 0);
  return tree_refusal;
}

std::string nested(int levels, const std::string& open, const std::string& inside, const std::string& close) {
  std::string text;
  for (int i = 0; i < levels; ++i) text += open;
  text += inside;
  for (int i = 0; i < levels; ++i) text += close;
  return text;
}

}  // namespace

TEST_CASE("JSONTestSuite: every y_ is accepted, every n_ refused") {
  const auto folder = layerscope_test::data_file("corpora/JSONTestSuite/test_parsing");
  if (!folder) return;
  int accepted = 0, refused = 0, either = 0;
  std::vector<std::string> too_deep;
  for (const auto& entry : std::filesystem::directory_iterator(*folder)) {
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    const std::optional<std::string> reason = refusal(ls::read_file(entry.path().string(), 1 << 20));
    if (reason && reason->find("nested deeper than 64 levels") != std::string::npos) too_deep.push_back(name);
    if (name.starts_with("y_")) {
      ++accepted;
      CHECK(!reason);
    } else if (name.starts_with("n_")) {
      ++refused;
      CHECK(reason);
    } else {
      ++either;
    }
  }
  CHECK(accepted == 95);
  CHECK(refused == 188);
  CHECK(either == 35);
  std::sort(too_deep.begin(), too_deep.end());
  CHECK(too_deep == std::vector<std::string>{"i_structure_500_nested_arrays.json",
                                             "n_structure_100000_opening_arrays.json",
                                             "n_structure_open_array_object.json"});
}

TEST_CASE("JSONTestSuite: texts that parsers read differently are survived") {
  const auto folder = layerscope_test::data_file("corpora/JSONTestSuite/test_transform");
  if (!folder) return;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*folder)) {
    CAPTURE(entry.path().filename().string());
    refusal(ls::read_file(entry.path().string(), 1 << 20));
    ++files;
  }
  CHECK(files == 22);
}

TEST_CASE("JSON may have 64 levels and no more") {
  const std::string deep = "nested deeper than 64 levels";
  CHECK(!refusal(nested(64, "[", "", "]")));
  CHECK(!refusal(nested(64, "[", "1", "]")));
  CHECK(!refusal(nested(64, R"({"a":)", "1", "}")));
  CHECK(!refusal("[" + nested(63, "[", "1", "]") + "," + nested(63, "[", "1", "]") + "]"));
  CHECK_THAT(refusal(nested(65, "[", "", "]")).value_or(""), ContainsSubstring(deep));
  CHECK_THAT(refusal(nested(65, "[", "1", "]")).value_or(""), ContainsSubstring(deep));
  CHECK_THAT(refusal(nested(65, R"({"a":)", "1", "}")).value_or(""), ContainsSubstring(deep));
  CHECK_THAT(refusal(nested(33, R"([{"a":)", "1", "}]")).value_or(""), ContainsSubstring(deep));
  CHECK_THAT(refusal(nested(1000000, "[", "", "]")).value_or(""), ContainsSubstring(deep));
}

TEST_CASE("the cap on levels holds in parts of a tree that are left out") {
  const auto none = [](int, const std::string&) { return false; };
  const auto every = [](int, const JsonValue&) { return true; };
  const std::string text = R"({"parts":)" + nested(100, "[", "", "]") + "}";
  CHECK_THAT(error_of([&] { ls::detail::parse_json(text, none, every); }).what(), ContainsSubstring("64 levels"));
}

TEST_CASE("members and values are left out of a tree as asked") {
  const std::string text = R"({"a":[1,{"b":[2]}],"no":{"a":[[3]],"no":4},"b":5,"no":6,"c":{"no":[],"b":7}})";
  const auto want = [](int, const std::string& key) { return key != "no"; };
  std::vector<std::string> told;
  const auto keep = [&](int depth, const JsonValue& value) {
    told.push_back(std::to_string(depth) + as_nlohmann(value).dump());
    return depth != 2;
  };
  CHECK(as_nlohmann(ls::detail::parse_json(text, want, keep)).dump() == R"({"a":[1],"b":5,"c":{"b":7}})");
  CHECK(told ==
        std::vector<std::string>{"3[2]", R"(2{"b":[2]})", "1[1]", R"(1{"b":7})", R"(0{"a":[1],"b":5,"c":{"b":7}})"});
}

TEST_CASE("numbers of a tree are whole or not") {
  const JsonValue tree =
      ls::detail::parse_json("[-9223372036854775808, 9223372036854775807, 9223372036854775808, 1.0]");
  const auto& numbers = *tree.get_if<JsonValue::Array>();
  CHECK(numbers[0].integer() == INT64_MIN);
  CHECK(numbers[1].integer() == INT64_MAX);
  CHECK(!numbers[2].integer());
  CHECK(numbers[2].number() == 0x1p63);
  CHECK(!numbers[3].integer());
  CHECK(numbers[3].number() == 1.0);
  CHECK(!tree.number());
  CHECK(tree.find("a") == nullptr);
}

TEST_CASE("a NUL is no end of JSON") {
  const std::string nul(1, '\0');
  for (const std::string& text :
       {"{}" + nul, "{}" + nul + "junk", nul + "{}", "[1" + nul + ",2]", "[\"a" + nul + "\"]"}) {
    CHECK(refusal(text));
  }
}
