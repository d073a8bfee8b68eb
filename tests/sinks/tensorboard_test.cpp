#include <layerscope/adapters/std.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/sinks/tensorboard.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/event_records.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::contents;
using layerscope_test::event_files;
using layerscope_test::Message;
using layerscope_test::records_of;
using layerscope_test::SeenValue;
using layerscope_test::TemporaryDirectory;
using layerscope_test::values_of;

namespace {

using Counts = std::array<std::uint64_t, 5>;

Counts in_order(const ls::RunCounts& counts) {
  return {counts.submitted, counts.written, counts.dropped, counts.failed, counts.in_flight};
}

/// What `write` leaves in the one event file of a directory.
template <class Write>
std::vector<SeenValue> written(Write write, ls::TensorBoardOptions options = {}) {
  const TemporaryDirectory directory;
  ls::TensorBoard tb(directory.path(), options);
  write(tb);
  const ls::RunCounts counts = tb.close();
  CHECK(counts.submitted == counts.written + counts.dropped + counts.failed);
  CHECK(event_files(directory) == std::vector<std::string>{tb.path()});
  return values_of(contents(tb.path()));
}

std::string png_of(const ls::Image& image) {
  const std::vector<std::uint8_t> bytes = ls::encode_png(image);
  return {bytes.begin(), bytes.end()};
}

/// The counts of a histogram; checks that its edges are what TensorFlow's are.
std::vector<double> bins_of(const SeenValue& value, double min, double max) {
  CHECK(value.plugin == "histograms");
  CHECK(value.data_class == 2);
  CHECK(value.dtype == 2);
  REQUIRE(value.shape.size() == 2);
  CHECK(value.shape[1] == 3);
  const auto bins = static_cast<std::size_t>(value.shape[0]);
  REQUIRE(value.numbers.size() == 3 * bins);
  std::vector<double> counts;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    const double left = value.numbers[3 * bin];
    const double right = value.numbers[3 * bin + 1];
    CHECK(left <= right);
    if (bin > 0) CHECK(left == value.numbers[3 * bin - 2]);
    const double expected = min + (max - min) * (static_cast<double>(bin) / static_cast<double>(bins));
    CHECK(left == Catch::Approx(expected).margin(1e-12 * (std::abs(min) + std::abs(max))));
    counts.push_back(value.numbers[3 * bin + 2]);
  }
  CHECK(value.numbers[0] == min);
  CHECK(value.numbers[3 * bins - 2] == max);
  return counts;
}

}  // namespace

TEST_CASE("TensorBoard: the first record is the version, and the name is one that TensorBoard looks for") {
  const TemporaryDirectory directory;
  ls::TensorBoard tb(directory / "runs/x");
  tb.close();
  const std::vector<std::string> records = records_of(contents(tb.path()));
  REQUIRE(records.size() == 1);
  const Message event(records[0]);
  CHECK(event.bytes(3) == "brain.Event:2");
  CHECK(event.message(10).bytes(1) == "layerscope");
  CHECK(event.f64(1) > 1.7e9);
  CHECK_THAT(tb.path(), ContainsSubstring("/runs/x/events.out.tfevents.1"));
}

TEST_CASE("TensorBoard: scalars") {
  const std::vector<SeenValue> values = written([](ls::TensorBoard& tb) {
    CHECK(tb.scalar("loss", 0.1, 0));
    CHECK(tb.scalar("loss", -2, 1'000'000'000'000));
    CHECK(tb.scalar("other", std::numeric_limits<double>::quiet_NaN(), -5));
    CHECK(tb.scalar("other", 1e300, -4));
  });
  REQUIRE(values.size() == 4);
  CHECK(values[0].tag == "loss");
  CHECK(values[0].scalar == 0.1f);
  CHECK(values[0].step == 0);
  CHECK(values[1].step == 1'000'000'000'000);
  CHECK(values[2].step == -5);
  CHECK(std::isnan(values[2].scalar));
  CHECK(std::isinf(values[3].scalar));
  CHECK(values[0].wall_time <= values[3].wall_time);
}

TEST_CASE("TensorBoard: pictures") {
  ls::Image image = ls::make_image(3, 2, ls::Rgb{1, 2, 3});
  std::vector<float> pixels(2 * 3 * 2 * 4);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i) / 47 * 1.2f - 0.1f;
  const std::vector<std::uint8_t> levels = {0, 128, 255, 7};
  const std::vector<SeenValue> values = written([&](ls::TensorBoard& tb) {
    CHECK(tb.image("picture", image, 1));
    CHECK(tb.figure("figure", ls::Picture([&] { return image; }), 2));
    CHECK(tb.images("batch", ls::view(pixels.data(), {2, 3, 2, 4}), 3));
    CHECK(tb.image("grey", ls::view(levels.data(), {2, 2}), 4));
    CHECK(tb.images("tiles", ls::Grid{{image, ls::make_image(1, 1, ls::PixelFormat::gray)}, {}, 8}, 5));
  });
  REQUIRE(values.size() == 5);
  for (const SeenValue& value : values) {
    CHECK(value.plugin == "images");
    CHECK(value.data_class == 3);
    CHECK(value.dtype == 7);
    CHECK(value.shape == std::vector<std::int64_t>{static_cast<std::int64_t>(value.strings.size())});
  }
  CHECK(values[0].strings == std::vector<std::string>{"3", "2", png_of(image)});
  CHECK(values[1].strings == values[0].strings);
  REQUIRE(values[2].strings.size() == 4);
  CHECK(values[2].strings[0] == "4");
  CHECK(values[2].strings[1] == "2");
  for (std::size_t n = 0; n < 2; ++n) {
    ls::Image expected = ls::make_image(4, 2, ls::PixelFormat::rgb);
    for (std::size_t y = 0; y < 2; ++y) {
      for (std::size_t x = 0; x < 4; ++x) {
        for (std::size_t c = 0; c < 3; ++c) {
          const double number = static_cast<double>(pixels[((n * 3 + c) * 2 + y) * 4 + x]);
          const double level = std::floor(std::min(std::max(number, 0.0), 1.0) * 255 + 0.5);
          expected.pixels[(y * 4 + x) * 3 + c] = static_cast<std::uint8_t>(level);
        }
      }
    }
    CHECK(values[2].strings[2 + n] == png_of(expected));
  }
  ls::Image grey = ls::make_image(2, 2, ls::PixelFormat::gray);
  grey.pixels = levels;
  CHECK(values[3].strings == std::vector<std::string>{"2", "2", png_of(grey)});
  CHECK(values[4].strings.size() == 4);
}

TEST_CASE("TensorBoard: a histogram has TensorFlow's 30 buckets, the last one closed") {
  std::vector<double> ascending(300);
  for (std::size_t i = 0; i < ascending.size(); ++i) ascending[i] = static_cast<double>(i) / 299;
  const std::vector<SeenValue> values = written([&](ls::TensorBoard& tb) {
    CHECK(tb.histogram("ascending", ascending, 1));
    CHECK(tb.histogram("five", std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}, 1, 5));
  });
  REQUIRE(values.size() == 2);
  const std::vector<double> counts = bins_of(values[0], 0, 1);
  CHECK(counts.size() == 30);
  for (const double count : counts) CHECK(count == 10);
  CHECK(bins_of(values[1], 0, 5) == std::vector<double>{1, 1, 1, 1, 2});
}

TEST_CASE("TensorBoard: histograms of data that break others") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double largest = std::numeric_limits<double>::max();
  constexpr double tiny = std::numeric_limits<double>::denorm_min();
  const std::vector<SeenValue> values = written([&](ls::TensorBoard& tb) {
    CHECK(tb.histogram("equal", std::vector<double>{2, 2, 2}, 1));
    CHECK(tb.histogram("mixed", std::vector<double>{nan, 1, infinity, 3, -infinity}, 1, 2));
    CHECK(tb.histogram("nothing finite", std::vector<double>{nan, infinity}, 1));
    CHECK(tb.histogram("empty", std::vector<double>{}, 1));
    CHECK(tb.histogram("widest", std::vector<double>{-largest, 0, largest}, 1, 2));
    CHECK(tb.histogram("narrowest", std::vector<double>{0, tiny}, 1));
    CHECK(tb.histogram("neighbours", std::vector<float>{1, std::nextafter(1.0f, 2.0f)}, 1));
  });
  REQUIRE(values.size() == 9);
  std::vector<double> last(30);
  last[29] = 3;
  CHECK(bins_of(values[0], 2, 2) == last);
  CHECK(bins_of(values[1], 1, 3) == std::vector<double>{1, 1});
  CHECK(values[2].tag == "mixed/non_finite");
  CHECK(values[2].plugin.empty());
  CHECK(values[2].scalar == 3);
  CHECK(bins_of(values[3], 0, 0) == std::vector<double>(30));
  CHECK(values[4].scalar == 2);
  CHECK(bins_of(values[5], 0, 0) == std::vector<double>(30));
  CHECK(values[6].numbers == std::vector<double>{-largest, 0, 1, 0, largest, 2});
  double sum = 0;
  for (std::size_t bin = 0; bin < 30; ++bin) sum += values[7].numbers[3 * bin + 2];
  CHECK(sum == 2);
  CHECK(values[7].numbers[88] == tiny);
  CHECK(values[8].numbers[2] == 1);
  CHECK(values[8].numbers[89] == 1);
}

TEST_CASE("TensorBoard: a counted histogram goes as it is, and one with an infinite edge does not go") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::vector<SeenValue> values = written([&](ls::TensorBoard& tb) {
    CHECK(tb.histogram("h", ls::Histogram{{0, 1, 10}, {4, 5}}, 1));
    CHECK_FALSE(tb.histogram("h", ls::Histogram{{0, 1, infinity}, {4, 5}}, 2));
    CHECK_FALSE(tb.histogram("h", ls::Histogram{{0, 1}, {4, 5}}, 2));
    CHECK_FALSE(tb.histogram("h", std::vector<double>{1}, 2, 0));
  });
  REQUIRE(values.size() == 1);
  CHECK(values[0].numbers == std::vector<double>{0, 1, 4, 1, 10, 5});
}

TEST_CASE("TensorBoard: text is UTF-8, whatever comes") {
  const std::vector<SeenValue> values = written([](ls::TensorBoard& tb) {
    CHECK(tb.text("note", "**bold** caf\xC3\xA9", 3));
    CHECK(tb.text("note", "a\xFF\xC3(\xE2\x82", 4));
  });
  REQUIRE(values.size() == 2);
  CHECK(values[0].plugin == "text");
  CHECK(values[0].data_class == 2);
  CHECK(values[0].dtype == 7);
  CHECK(values[0].shape.empty());
  CHECK(values[0].strings == std::vector<std::string>{"**bold** caf\xC3\xA9"});
  CHECK(values[1].strings == std::vector<std::string>{"a\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD"});
}

TEST_CASE("TensorBoard: tags") {
  const std::vector<SeenValue> values = written([](ls::TensorBoard& tb) {
    tb.scalar("a/b", 1, 1);
    tb.scalar("//a b", 1, 1);
    tb.scalar("", 1, 1);
    tb.scalar("\xFF\t\xC3\xA9", 1, 1);
    tb.text("a/b", "words", 1);
    tb.histogram("a/b", std::vector<float>{1}, 1);
    tb.text("a/b", "more", 2);
    tb.scalar("a/b/text", 1, 1);
  });
  std::vector<std::string> tags;
  for (const SeenValue& value : values) tags.push_back(value.tag);
  CHECK(tags == std::vector<std::string>{"a/b", "a b", "_", "%FF%09\xC3\xA9", "a/b/text", "a/b/histogram", "a/b/text",
                                         "a/b/text/scalar"});
}

TEST_CASE("TensorBoard: steps of a tag do not decrease, and an equal one is written") {
  std::vector<std::string> told;
  ls::TensorBoardOptions options;
  options.on_error = [&](const std::string& message) { told.push_back(message); };
  const std::vector<SeenValue> values = written(
      [](ls::TensorBoard& tb) {
        CHECK(tb.scalar("x", 1, 5));
        CHECK(tb.scalar("x", 2, 5));
        CHECK_FALSE(tb.scalar("x", 3, 4));
        CHECK(tb.scalar("y", 4, 4));
        CHECK(tb.text("x", "another sort has steps of its own", 1));
        CHECK(in_order(tb.counts())[3] == 1);
      },
      options);
  CHECK(values.size() == 4);
  REQUIRE(told.size() == 2);  // and the summary
  CHECK_THAT(told[0], ContainsSubstring("\"x\" at step 4") && ContainsSubstring("step 5"));
  CHECK_THAT(told[1], ContainsSubstring("1 failed"));
}

TEST_CASE("TensorBoard: hyperparameters, and the end that close() marks") {
  const std::vector<SeenValue> values = written([](ls::TensorBoard& tb) {
    CHECK(tb.hparams({{"lr", 1e-3}, {"batch", 64}, {"optimizer", "adam"}, {"nesterov", false}}, {{"accuracy", 0.5}}));
    CHECK_FALSE(tb.hparams({{"lr", 1}}));
  });
  REQUIRE(values.size() == 3);
  CHECK(values[0].tag == "_hparams_/session_start_info");
  CHECK(values[0].plugin == "hparams");
  CHECK(values[0].dtype == 1);
  CHECK(values[0].shape == std::vector<std::int64_t>{0});
  const Message start = Message(values[0].content).message(3);
  std::vector<std::string> names;
  for (const auto* const field : start.all(1)) {
    const Message entry(field->bytes);
    names.push_back(entry.bytes(1));
    const Message value = entry.message(2);
    if (names.back() == "lr") CHECK(value.f64(2) == 1e-3);
    if (names.back() == "batch") CHECK(value.f64(2) == 64);
    if (names.back() == "optimizer") CHECK(value.bytes(3) == "adam");
    if (names.back() == "nesterov") CHECK((value.has(4) && value.integer(4) == 0));
  }
  CHECK(names == std::vector<std::string>{"batch", "lr", "nesterov", "optimizer"});
  CHECK(start.f64(5) > 1.7e9);
  CHECK(values[1].tag == "accuracy");
  CHECK(values[1].scalar == 0.5f);
  CHECK(values[2].tag == "_hparams_/session_end_info");
  CHECK(Message(values[2].content).message(4).integer(1) == 1);
}

TEST_CASE("TensorBoard: a graph") {
  ls::Graph graph;
  graph.nodes = {
      {"in", "in", "Input", {}}, {"net/conv 1", "first", "Conv", {{"kernel", "5x5"}}}, {"in", "", "Relu", {}}};
  graph.edges = {{0, 1, ""}, {1, 2, ""}};
  const TemporaryDirectory directory;
  ls::TensorBoard tb(directory.path());
  CHECK(tb.graph(graph));
  graph.edges[0].to = 7;
  CHECK_FALSE(tb.graph(graph));
  tb.close();
  const std::vector<std::string> records = records_of(contents(tb.path()));
  REQUIRE(records.size() == 2);
  const Message definition = Message(records[1]).message(4);
  std::vector<std::string> names, inputs;
  for (const auto* const field : definition.all(1)) {
    names.push_back(Message(field->bytes).bytes(1));
    inputs.push_back(Message(field->bytes).bytes(3));
  }
  CHECK(names == std::vector<std::string>{"in", "net/conv_1", "in_2"});
  CHECK(inputs == std::vector<std::string>{"", "in", "net/conv_1"});
  const Message conv(definition.all(1)[1]->bytes);
  CHECK(conv.bytes(2) == "Conv");
  CHECK(Message(conv.all(5)[0]->bytes).bytes(1) == "kernel");
  CHECK(Message(conv.all(5)[0]->bytes).message(2).bytes(2) == "5x5");
  CHECK(definition.message(4).integer(1) > 0);
}

TEST_CASE("TensorBoard refuses what it cannot show, and says what was expected") {
  std::vector<std::string> told;
  ls::TensorBoardOptions options;
  const std::vector<float> x(10);
  const std::vector<std::int32_t> whole(4);
  const auto refusal = [&](auto call) {
    told.clear();
    ls::TensorBoardOptions listening;
    listening.on_error = [&](const std::string& message) { told.push_back(message); };
    const TemporaryDirectory directory;
    ls::TensorBoard tb(directory.path(), listening);
    CHECK_FALSE(call(tb));
    CHECK(in_order(tb.close()) == Counts{1, 0, 0, 1, 0});
    return told.empty() ? std::string() : told.front();
  };
  CHECK_THAT(refusal([&](ls::TensorBoard& tb) {
               return tb.image("t", ls::view(x.data(), {5, 1, 2}), 1);
             }),
             ContainsSubstring("[5, 1, 2]") && ContainsSubstring("[c, h, w]"));
  CHECK_THAT(refusal([&](ls::TensorBoard& tb) {
               return tb.images("t", ls::view(x.data(), {2, 5}), 1);
             }),
             ContainsSubstring("[n, c, h, w]"));
  CHECK_THAT(refusal([&](ls::TensorBoard& tb) {
               return tb.image("t", ls::view(whole.data(), {2, 2}), 1);
             }),
             ContainsSubstring("int32"));
  CHECK_THAT(refusal([&](ls::TensorBoard& tb) { return tb.image("t", ls::Image(), 1); }), ContainsSubstring("pixels"));
  CHECK_THAT(refusal([&](ls::TensorBoard& tb) { return tb.figure("t", ls::Picture(), 1); }),
             ContainsSubstring("picture"));
}

TEST_CASE("TensorBoard: a picture that cannot be drawn costs itself alone") {
  const TemporaryDirectory directory;
  ls::TensorBoardOptions options;
  std::string told;
  options.on_error = [&](const std::string& message) { told += message; };
  ls::TensorBoard tb(directory.path(), options);
  CHECK(tb.figure("bad", ls::Picture([]() -> ls::Image { throw std::runtime_error("no ink"); }), 1));
  CHECK(tb.scalar("good", 1, 1));
  CHECK(in_order(tb.close()) == Counts{2, 1, 0, 1, 0});
  CHECK_THAT(told, ContainsSubstring("\"bad\" at step 1") && ContainsSubstring("no ink"));
  CHECK(values_of(contents(tb.path())).size() == 1);
}
