#include <layerscope/core/naming.hpp>
#include <layerscope/core/random.hpp>

#include <cctype>
#include <map>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace ls = layerscope;

namespace {

std::string folded(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// What Windows, macOS and Linux ask of a file name, written from their documentation and not from the encoder.
std::string complaint(const std::string& component) {
  if (component.empty() || component.size() > 200) return "length";
  for (const char c : component) {
    const bool safe =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string("._%+-").find(c) != std::string::npos;
    if (!safe) return "character";
  }
  if (component.front() == '.' || component.front() == '-' || component.back() == '.') return "dot or hyphen";
  std::string stem = folded(component.substr(0, component.find('.')));
  for (const char* const device : {"con", "prn", "aux", "nul"}) {
    if (stem == device) return "device";
  }
  if (stem.size() == 4 && (stem.substr(0, 3) == "com" || stem.substr(0, 3) == "lpt") &&
      std::isdigit(static_cast<unsigned char>(stem[3])) != 0) {
    return "device";
  }
  return "";
}

/// Names that stress the rules: pieces of devices, separators, capitals, controls, UTF-8, escapes and long runs.
std::string random_name(std::uint64_t seed) {
  const ls::Random random(seed, 11);
  static const std::vector<std::string> pieces{
      "con", "CON", "nul", "Com1", "lpt0", ".", "..", "/", "\\",       "%",    "%2F", "+", "+1", "+h", "%_", "a",
      "A",   "b",   "B",   "-",    "_",    " ", "\n", ":", "\xC3\xA9", "\xFF", "~1",  "0", "7",  "z",  "Z"};
  std::string name;
  std::uint64_t index = 0;
  const std::uint64_t length = random.below(index++, 8);
  for (std::uint64_t i = 0; i < length; ++i) name += pieces[random.below(index++, pieces.size())];
  if (random.below(index++, 10) == 0) name += std::string(random.below(index++, 300), 'q');
  if (random.below(index++, 20) == 0) name += '\0';
  return name;
}

}  // namespace

TEST_CASE("names become components as the table of naming.hpp says") {
  const std::vector<std::pair<std::string, std::string>> table{{"conv1", "conv1"},
                                                               {"block/0:weight", "block%2F0%3Aweight"},
                                                               {"a b", "a%20b"},
                                                               {"50%", "50%25"},
                                                               {"a+b", "a%2Bb"},
                                                               {"\xC3\xA9", "%C3%A9"},
                                                               {std::string("\0", 1), "%00"},
                                                               {"", "%_"},
                                                               {".", "%2E"},
                                                               {"..", "%2E%2E"},
                                                               {".hidden", "%2Ehidden"},
                                                               {"end.", "end%2E"},
                                                               {"end ", "end%20"},
                                                               {"-rf", "%2Drf"},
                                                               {"a-b.c_d", "a-b.c_d"},
                                                               {"nul", "%6Eul"},
                                                               {"com1.txt", "%63om1.txt"},
                                                               {"NUL.txt", "%4EUL.txt+7"},
                                                               {"com10", "com10"},
                                                               {"console", "console"},
                                                               {"Conv1", "Conv1+1"},
                                                               {"conV1", "conV1+8"},
                                                               {"layer.Conv2d", "layer.Conv2d+02"},
                                                               {"ABCDE", "ABCDE+f1"}};
  for (const auto& [name, component] : table) {
    CHECK(ls::encode_component(name) == component);
    REQUIRE(ls::decode_component(component));
    CHECK(*ls::decode_component(component) == name);
  }
}

TEST_CASE("long names are cut and hashed") {
  const std::string fits(200, 'a');
  CHECK(ls::encode_component(fits) == fits);
  const std::string one = ls::encode_component(fits + "a");
  const std::string other = ls::encode_component(fits + "b");
  CHECK(one.size() == 128 + 2 + 32);
  CHECK(one.substr(0, 130) == std::string(128, 'a') + "+h");
  CHECK(one != other);
  CHECK_FALSE(ls::decode_component(one));
  // An escape is never cut in two: 127 letters leave no room for the first escape.
  CHECK(ls::encode_component(std::string(127, 'a') + std::string(100, '/')).substr(0, 129) ==
        std::string(127, 'a') + "+h");
  // Capitals make a name longer; case alone still tells two hashed names apart.
  CHECK(ls::encode_component(std::string(200, 'A')).size() == 162);
  CHECK(folded(ls::encode_component(std::string(250, 'A'))) != folded(ls::encode_component(std::string(250, 'a'))));
  // A run of zeros is not the same as a longer one, nor one with a byte more or less at a word's end.
  std::map<std::string, std::size_t> seen;
  for (std::size_t length = 100; length < 200; ++length) {
    CHECK(seen.emplace(ls::encode_component(std::string(length, '\0')), length).second);
  }
}

TEST_CASE("text that is no encoded name does not decode") {
  for (const char* const text :
       {"",  "%",  "%2", "%2f", "%zz", "a/b", "a%41", "Conv1", "conv1+1", "Conv1+10", "Conv1+3", "nul",
        ".", "..", "a.", "-a",  "%2",  "+",   "+1",   "a+",    "%_+0",    "a%_",      " "}) {
    CAPTURE(text);
    CHECK_FALSE(ls::decode_component(text));
  }
}

TEST_CASE("encoded names are safe, decode, and stay apart even where case does not count") {
  std::map<std::string, std::string> by_component;
  std::size_t distinct = 0;
  for (std::uint64_t seed = 0; seed < 100000; ++seed) {
    const std::string name = random_name(seed);
    const std::string component = ls::encode_component(name);
    const std::string trouble = complaint(component);
    if (!trouble.empty()) FAIL(trouble << ": " << component);
    const auto [place, inserted] = by_component.emplace(folded(component), name);
    distinct += inserted ? 1 : 0;
    if (place->second != name) FAIL("collision: " << component);
    const auto decoded = ls::decode_component(component);
    if (component.find("+h") == std::string::npos) {
      if (!decoded || *decoded != name) FAIL("does not decode: " << component);
    } else if (decoded) {
      FAIL("decodes: " << component);
    }
    // What a sink appends changes nothing of this.
    if (!complaint(component.substr(0, 190) + ".png").empty()) FAIL("with extension: " << component);
  }
  CHECK(distinct > 50000);

  // All names of up to three bytes of a small alphabet, where collisions would be likeliest.
  const std::string alphabet = "aA.%+/-1nN_ h2F";
  by_component.clear();
  for (std::size_t code = 0; code < 16 * 16 * 16; ++code) {
    std::string name;
    for (std::size_t rest = code; rest != 0; rest /= 16) {
      if (rest % 16 != 0) name += alphabet[rest % 16 - 1];
    }
    const std::string component = ls::encode_component(name);
    if (by_component.emplace(folded(component), name).first->second != name) FAIL("collision: " << component);
  }
  CHECK(by_component.size() == 1 + 15 + 15 * 15 + 15 * 15 * 15);
}

TEST_CASE("control: naive sanitising does collide") {
  const auto naive = [](std::string name) {
    for (char& c : name) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    }
    return folded(name);
  };
  std::map<std::string, std::string> seen;
  int collisions = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const std::string name = random_name(seed);
    if (seen.emplace(naive(name), name).first->second != name) ++collisions;
  }
  CHECK(collisions > 0);
}
