#include <layerscope/adapters/std.hpp>
#include <layerscope/readers/event_file.hpp>
#include <layerscope/sinks/tensorboard.hpp>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/bytes.hpp"
#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/event_records.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::contents;
using layerscope_test::error_of;
using layerscope_test::event_files;
using layerscope_test::TemporaryDirectory;
using layerscope_test::to_bytes;
using layerscope_test::write_plainly;

namespace {

template <class Number>
std::string little(Number value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> (8 * i) & 255);
  return bytes;
}

std::string record(const std::string& data) {
  const std::string size = little(std::uint64_t{data.size()});
  return size + little(layerscope_test::masked_crc(size)) + data + little(layerscope_test::masked_crc(data));
}

/// A field of bytes, shorter than 128.
std::string field(int number, const std::string& bytes) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
}

/// A file as TensorBoard writes it, and one record of each sort; where each record ends.
std::string written_file(std::vector<std::size_t>& ends) {
  const TemporaryDirectory directory;
  ls::TensorBoard tb(directory.path());
  tb.scalar("loss", 0.5, 1);
  tb.scalar("loss", 0.25, 300);
  tb.text("note", "words", 2);
  tb.histogram("w", std::vector<float>{1, 2, 3, 4}, 2, 2);
  tb.image("i", ls::make_image(3, 2, ls::Rgb{1, 2, 3}), 2);
  tb.hparams({{"lr", 0.5}});
  tb.close();
  const std::string file = contents(tb.path());
  std::size_t end = 0;
  for (const std::string& data : layerscope_test::records_of(file)) ends.push_back(end += data.size() + 16);
  return file;
}

std::size_t read_all(ls::EventFile& file) {
  std::size_t count = 0;
  for (ls::Event event; file.next(event);) ++count;
  return count;
}

}  // namespace

TEST_CASE("EventFile reads what TensorBoard wrote") {
  std::vector<std::size_t> ends;
  const std::vector<std::byte> bytes = to_bytes(written_file(ends));
  ls::EventFile file(bytes);
  ls::Event event;
  REQUIRE(file.next(event));
  CHECK(event.file_version == "brain.Event:2");
  CHECK(event.wall_time > 1.7e9);
  CHECK(event.values.empty());
  REQUIRE(file.next(event));
  CHECK(event.offset == ends[0]);
  CHECK(event.step == 1);
  CHECK(event.file_version.empty());
  REQUIRE(event.values.size() == 1);
  CHECK(event.values[0].tag == "loss");
  CHECK(event.values[0].plugin == "scalars");
  CHECK(event.values[0].scalar == 0.5);
  REQUIRE(file.next(event));
  CHECK(event.step == 300);
  REQUIRE(file.next(event));
  CHECK(event.values[0].plugin == "text");
  CHECK(event.values[0].strings() == std::vector<std::string_view>{"words"});
  CHECK_FALSE(event.values[0].scalar);
  REQUIRE(file.next(event));
  CHECK(event.values[0].plugin == "histograms");
  CHECK(event.values[0].shape == std::vector<std::int64_t>{2, 3});
  CHECK(event.values[0].numbers() == std::vector<double>{1, 2.5, 2, 2.5, 4, 2});
  REQUIRE(file.next(event));
  CHECK(event.values[0].plugin == "images");
  REQUIRE(event.values[0].strings().size() == 3);
  CHECK(event.values[0].strings()[0] == "3");
  CHECK(event.values[0].strings()[2].substr(1, 3) == "PNG");
  const ls::Event moved = std::move(event);
  CHECK(moved.values[0].tag == "i");
  REQUIRE(file.next(event));
  CHECK(event.values[0].plugin == "hparams");
  CHECK_FALSE(event.values[0].plugin_content.empty());
  REQUIRE(file.next(event));  // the end of the session
  CHECK_FALSE(file.next(event));
  CHECK(file.left() == 0);
  CHECK(file.position() == bytes.size());
}

TEST_CASE("EventFile reads the forms of other writers") {
  // Summary.Value of TensorFlow 1: an image {height 1, width 2, colorspace 3, encoded_image_string 4}, and a histogram.
  const std::string image =
      field(1, "old") + field(4, std::string("\x08\x02\x10\x03\x18\x03", 6) + field(4, "\x89PNG"));
  const std::string histo = field(1, "h") + field(5, "");
  // A rank-0 tensor as tf.summary.scalar writes it: float_val, packed; and unpacked.
  const std::string number("\0\0\x20\x40", 4);  // 2.5f
  const std::string packed = field(1, "p") + field(8, std::string("\x08\x01\x12\0", 4) + field(5, number)) +
                             field(9, field(1, field(1, "scalars")) + field(7, "ignored"));
  const std::string unpacked = field(1, "u") + field(8, "\x08\x01\x2D" + number);
  const std::string session = field(7, "\x08\x01");
  const std::vector<std::byte> bytes =
      to_bytes(record(field(5, field(1, image) + field(1, histo) + field(1, packed) + field(1, unpacked))) +
               record(std::string("\x10\x07", 2) + session));
  ls::EventFile file(bytes);
  ls::Event event;
  REQUIRE(file.next(event));
  REQUIRE(event.values.size() == 4);
  CHECK(event.values[0].plugin == "images");
  CHECK(event.values[0].strings() == std::vector<std::string_view>{"\x89PNG"});
  CHECK(event.values[1].plugin == "histograms");
  CHECK(event.values[2].plugin == "scalars");
  CHECK(event.values[2].scalar == 2.5);
  CHECK(event.values[2].shape.empty());
  CHECK(event.values[3].plugin.empty());
  CHECK(event.values[3].scalar == 2.5);
  CHECK(event.values[3].numbers() == std::vector<double>{2.5});
  REQUIRE(file.next(event));
  CHECK(event.session_start);
  CHECK(event.step == 7);
  CHECK(event.values.empty());
}

TEST_CASE("EventFile: a file cut at any byte gives every complete record and says what is left") {
  std::vector<std::size_t> ends;
  const std::vector<std::byte> bytes = to_bytes(written_file(ends));
  std::size_t wrong = 0;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    ls::EventFile file(part);
    std::size_t complete = 0;
    while (complete < ends.size() && ends[complete] <= size) ++complete;
    wrong += read_all(file) != complete;
    const std::size_t end = complete == 0 ? 0 : ends[complete - 1];
    wrong += file.position() != end || file.left() != size - end;
  }
  CHECK(wrong == 0);
}

TEST_CASE("A run whose file was cut at any byte goes on: nothing complete is lost, and the new file is whole") {
  std::vector<std::size_t> ends;
  const std::string whole = written_file(ends);
  std::size_t wrong = 0;
  for (std::size_t size = 0; size <= whole.size(); size += size < 200 ? 1 : 7) {
    const TemporaryDirectory directory;
    const std::string old = directory / "events.out.tfevents.1700000000.host.1.0";
    write_plainly(old, whole.substr(0, size));
    {
      ls::TensorBoard tb(directory.path());
      tb.scalar("loss", 0.125, 301);
      tb.close();
    }
    const std::vector<std::string> files = event_files(directory);
    wrong += files.size() != 2 || files[0] != old;
    wrong += contents(old) != whole.substr(0, size);
    std::size_t read = 0;
    for (const std::string& path : files) {
      ls::EventFile file(path);
      read += read_all(file);
      if (path != old) wrong += file.left() != 0;
    }
    std::size_t complete = 0;
    while (complete < ends.size() && ends[complete] <= size) ++complete;
    wrong += read != complete + 2;
  }
  CHECK(wrong == 0);
}

TEST_CASE("EventFile: damage is told with its place, and the records behind it are read") {
  std::vector<std::size_t> ends;
  std::vector<std::byte> bytes = to_bytes(written_file(ends));
  layerscope_test::survive_damage(bytes, [](std::span<const std::byte> damaged) {
    ls::EventFile file(damaged);
    read_all(file);
  });
  bytes[ends[1] + 20] ^= std::byte{1};
  ls::EventFile file(bytes);
  ls::Event event;
  CHECK(file.next(event));
  CHECK(file.next(event));
  const ls::Error error = error_of([&] { file.next(event); });
  CHECK(error.code() == ls::ErrorCode::format);
  CHECK_THAT(error.what(), ContainsSubstring("byte " + std::to_string(ends[1])) && ContainsSubstring("wrong checksum"));
  CHECK(file.next(event));
  CHECK(event.values[0].tag == "note");

  bytes[ends[3]] ^= std::byte{1};  // a length: nothing behind it can be found
  ls::EventFile lost(bytes);
  CHECK(lost.next(event));
  CHECK(lost.next(event));
  CHECK_THROWS_AS(lost.next(event), ls::Error);
  CHECK(lost.next(event));
  CHECK_THAT(error_of([&] { lost.next(event); }).what(), ContainsSubstring("length"));
  CHECK_FALSE(lost.next(event));
  CHECK(lost.left() == bytes.size() - ends[3]);
}

TEST_CASE("EventFile: messages that are none, and caps") {
  const auto refused = [](const std::string& file, const ls::ReadOptions& options = {}) {
    const std::vector<std::byte> bytes = to_bytes(file);
    return error_of([&] {
      ls::EventFile events(bytes, options);
      read_all(events);
    });
  };
  CHECK_THAT(refused(record("\x2A\x05\x01")).what(), ContainsSubstring("Event"));
  CHECK_THAT(refused(record(field(5, "\x0A\x05"))).what(), ContainsSubstring("Summary"));
  CHECK_THAT(refused(record(field(5, field(1, "\x0B")))).what(), ContainsSubstring("Summary.Value"));
  CHECK_THAT(refused(record(field(5, field(1, field(9, "\x0A\x01"))))).what(), ContainsSubstring("SummaryMetadata"));
  CHECK_THAT(refused(record(field(5, field(1, field(9, field(1, "\x08")))))).what(), ContainsSubstring("PluginData"));
  CHECK_THAT(refused(record(field(5, field(1, field(8, "\x08"))))).what(), ContainsSubstring("TensorProto"));
  CHECK_THAT(refused(record(field(5, field(1, field(8, field(2, "\x12\x05")))))).what(),
             ContainsSubstring("TensorShape"));
  CHECK_THAT(refused(record(field(5, field(1, field(8, field(2, field(2, "\x08"))))))).what(),
             ContainsSubstring("TensorShape.Dim"));
  CHECK_THAT(refused(record(field(7, "\x08"))).what(), ContainsSubstring("SessionLog"));
  CHECK_THAT(refused(record(std::string(1, '\0'))).what(), ContainsSubstring("Event"));
  CHECK_THAT(refused(record(std::string(12, '\xFF'))).what(), ContainsSubstring("Event"));
  const ls::Error large = refused(record(std::string(101, ' ')), {.max_bytes = 100});
  CHECK(large.code() == ls::ErrorCode::too_large);
  CHECK_THAT(large.what(), ContainsSubstring("101") && ContainsSubstring("100"));
  std::string many;
  for (int i = 0; i < 4097; ++i) many += field(1, "");
  std::string summary = "\x2A";
  summary += {static_cast<char>((many.size() & 127) | 128), static_cast<char>(many.size() >> 7)};
  CHECK(refused(record(summary + many)).code() == ls::ErrorCode::too_large);
  // A length that promises more than there is, with its right checksum, is a cut record, and allocates nothing.
  const std::string promise = little(std::uint64_t{1} << 60);
  const std::vector<std::byte> cut = to_bytes(promise + little(layerscope_test::masked_crc(promise)));
  ls::EventFile file(cut);
  CHECK(read_all(file) == 0);
  CHECK(file.left() == 12);
  const std::string endless = little((std::numeric_limits<std::uint64_t>::max)());
  const std::vector<std::byte> wrapped = to_bytes(endless + little(layerscope_test::masked_crc(endless)) + "abcdefgh");
  ls::EventFile overflow(wrapped);
  CHECK(read_all(overflow) == 0);
}

TEST_CASE("EventFile: files larger than its window, and what is no file") {
  const TemporaryDirectory directory;
  std::string file;
  for (int i = 0; i < 5000; ++i) file += record(field(3, "version " + std::to_string(i)));
  file += record(std::string("\x1A\xC0\x84\x3D", 4) + std::string(1'000'000, 'x'));
  file += record(field(3, "last"));
  write_plainly(directory / "f", file);
  ls::EventFile events(directory / "f");
  ls::Event event;
  for (int i = 0; i < 5000; ++i) {
    REQUIRE(events.next(event));
    REQUIRE(event.file_version == "version " + std::to_string(i));
  }
  REQUIRE(events.next(event));
  CHECK(event.file_version == std::string(1'000'000, 'x'));
  REQUIRE(events.next(event));
  CHECK(event.file_version == "last");
  CHECK_FALSE(events.next(event));
  CHECK(error_of([&] { ls::EventFile(directory / "none"); }).code() == ls::ErrorCode::io);
  CHECK(error_of([&] { ls::EventFile(directory.path()); }).code() == ls::ErrorCode::unsupported);
}
