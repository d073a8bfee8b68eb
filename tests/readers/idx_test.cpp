#include <layerscope/core/io.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/readers/idx.hpp>

#include <cstdint>
#include <string>
#include <vector>

#ifdef LAYERSCOPE_WITH_ZLIB
#include <zlib.h>
#endif

#include "support/bytes.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/error.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::error_of;
using layerscope_test::to_bytes;

namespace {

std::string big_endian(std::uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 255u);
  return text;
}

std::string idx(char type, const std::vector<std::uint32_t>& extents, const std::string& payload) {
  std::string file{'\0', '\0', type, static_cast<char>(extents.size())};
  for (const std::uint32_t extent : extents) file += big_endian(extent);
  return file + payload;
}

template <class T>
std::vector<T> values(const ls::Tensor& tensor) {
  return {tensor.data<T>(), tensor.data<T>() + tensor.size()};
}

double sum(const ls::AnyView& view) {
  const ls::Tensor all = ls::convert(view, ls::DType::i64);
  double total = 0;
  for (std::int64_t i = 0; i < all.size(); ++i) total += static_cast<double>(all.data<std::int64_t>()[i]);
  return total;
}

}  // namespace

TEST_CASE("read_idx reads every element type") {
  const ls::Tensor bytes = ls::read_idx(to_bytes(idx(8, {2, 3}, "\1\2\3\4\5\xFF")));
  CHECK(bytes.shape() == ls::Shape{2, 3});
  CHECK(values<std::uint8_t>(bytes) == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 255});
  CHECK(values<std::int8_t>(ls::read_idx(to_bytes(idx(9, {1}, "\xFE")))) == std::vector<std::int8_t>{-2});
  CHECK(values<std::int16_t>(ls::read_idx(to_bytes(idx(11, {2}, {"\1\2\xFF\xFD", 4})))) ==
        std::vector<std::int16_t>{258, -3});
  CHECK(values<std::int32_t>(ls::read_idx(to_bytes(idx(12, {1}, big_endian(0x01020304))))) ==
        std::vector<std::int32_t>{0x01020304});
  CHECK(values<float>(ls::read_idx(to_bytes(idx(13, {1}, big_endian(0xC0480000))))) == std::vector<float>{-3.125f});
  CHECK(values<double>(ls::read_idx(to_bytes(idx(14, {1}, big_endian(0x40590000) + big_endian(0))))) ==
        std::vector<double>{100});
  CHECK(ls::read_idx(to_bytes(idx(8, {3, 0, 0xFFFFFFFF}, ""))).shape() == ls::Shape{3, 0, 0xFFFFFFFF});
  CHECK(ls::read_idx(to_bytes(idx(8, std::vector<std::uint32_t>(8, 1), "x"))).rank() == 8);
}

TEST_CASE("read_idx refuses what it cannot trust, and says where") {
  struct Case {
    std::string file;
    ls::ErrorCode code;
    const char* message;
  };
  using enum ls::ErrorCode;
  for (const Case& bad : {
           Case{"", format, "byte 0: the magic of IDX needs 2 bytes; the file ends at byte 0"},
           Case{"ab\1\1", format, "byte 0: not an IDX file"},
           Case{idx(10, {1}, "x"), format, "byte 2: element type 10; expected 8, 9, 11, 12, 13 or 14"},
           Case{idx(8, {}, ""), format, "byte 3: 0 dimensions; expected 1 to 8"},
           Case{idx(8, std::vector<std::uint32_t>(9, 1), "x"), unsupported, "byte 3: 9 dimensions"},
           Case{idx(8, {1, 1}, "").substr(0, 10), format, "byte 4: the extents needs 8 bytes"},
           Case{idx(8, {4}, "abc"), format, "byte 8: uint8 [4] needs 4 bytes; at most 3 can follow"},
           Case{idx(8, {2}, "abc"), format, "byte 10: 1 bytes are left over"},
           Case{idx(8, {0xFFFFFFFF, 0xFFFFFFFF}, "abc"), too_large, "exceeds 2^63 - 1"},
           Case{idx(14, {0x7FFFFFFF, 0x7FFFFFFF}, "abc"), too_large, "exceed 2^63 - 1"},
           Case{idx(8, {0x7FFFFFFF, 0x7FFFFFFF}, "abc"), format, "at most 3 can follow"},
       }) {
    const ls::Error error = error_of([&] { ls::read_idx(to_bytes(bad.file)); });
    CHECK_THAT(error.what(), ContainsSubstring(bad.message));
    CHECK(ls::name(error.code()) == std::string(ls::name(bad.code)));
  }
  CHECK(error_of([] { ls::read_idx(to_bytes(idx(8, {2}, "ab")), {.max_bytes = 1}); }).code() == too_large);
  const std::vector<std::byte> sound = to_bytes(idx(11, {2, 2}, "abcdefgh"));
  CHECK(layerscope_test::survive_damage(sound, [](std::span<const std::byte> file) { ls::read_idx(file); }) ==
        sound.size());
}

#ifdef LAYERSCOPE_WITH_ZLIB

namespace {

std::string gzip(const std::string& text, int level = 9) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, level, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())) + 64, '\0');
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string message_of(const std::string& file) {
  return error_of([&] { ls::read_idx(to_bytes(file)); }).what();
}

}  // namespace

TEST_CASE("read_idx decompresses gzip") {
  std::string payload;
  for (unsigned i = 0; i < 300000; ++i) payload += static_cast<char>(i * i / 7 & 255u);
  const std::string plain = idx(8, {300, 1000}, payload);
  for (const int level : {0, 1, 9}) {
    const ls::Tensor tensor = ls::read_idx(to_bytes(gzip(plain, level)));
    CHECK(tensor.shape() == ls::Shape{300, 1000});
    CHECK(std::string(static_cast<const char*>(tensor.raw()), tensor.bytes()) == payload);
  }
  // Several members are one stream, wherever it was cut.
  for (const std::size_t cut : {std::size_t{0}, std::size_t{3}, std::size_t{12}, std::size_t{5000}, plain.size()}) {
    const ls::Tensor tensor = ls::read_idx(to_bytes(gzip(plain.substr(0, cut)) + gzip(plain.substr(cut))));
    CHECK(std::string(static_cast<const char*>(tensor.raw()), tensor.bytes()) == payload);
  }
  CHECK(values<std::int16_t>(ls::read_idx(to_bytes(gzip(idx(11, {1}, "\1\2"))))) == std::vector<std::int16_t>{258});
}

TEST_CASE("damaged and dishonest gzip is refused") {
  const std::string sound = gzip(idx(8, {1000}, std::string(1000, 'x')));
  CHECK_NOTHROW(ls::read_idx(to_bytes(sound)));
  std::string wrong_checksum = sound;
  wrong_checksum[sound.size() - 8] = static_cast<char>(wrong_checksum[sound.size() - 8] ^ 1);
  CHECK_THAT(message_of(wrong_checksum), ContainsSubstring("incorrect data check"));
  CHECK_THAT(message_of(sound + "junk"), ContainsSubstring("damaged"));
  CHECK_THAT(message_of(gzip(idx(8, {9}, "12345678"))), ContainsSubstring("the elements needs 1 more decompressed"));
  CHECK_THAT(message_of(gzip(idx(8, {9}, "1234567890"))), ContainsSubstring("left over after the elements"));
  CHECK_THAT(message_of(gzip("")), ContainsSubstring("the magic of IDX needs 4 more"));
  // A header that promises more than gzip could ever hold is refused before memory is taken for it.
  const std::string liar = gzip(idx(8, {0x7FFFFFFF, 1000}, "x"));
  CHECK_THAT(message_of(liar),
             ContainsSubstring("can follow") && ContainsSubstring(std::to_string(1032 * liar.size())));
  const std::vector<std::byte> file = to_bytes(sound);
  CHECK(layerscope_test::survive_damage(file, [](std::span<const std::byte> bytes) { ls::read_idx(bytes); }) ==
        file.size());
}

TEST_CASE("MNIST and Fashion-MNIST are what their README says") {
  const auto images_path = layerscope_test::data_file("mnist/train-images-idx3-ubyte.gz");
  const auto labels_path = layerscope_test::data_file("mnist/train-labels-idx1-ubyte.gz");
  if (!images_path || !labels_path) return;
  const ls::Tensor images = ls::read_idx(*images_path);
  CHECK(images.shape() == ls::Shape{60000, 28, 28});
  CHECK(images.dtype() == ls::DType::u8);
  CHECK(sum(images.view().select(0, 0)) == 27525);
  double total = 0;
  for (std::int64_t i = 0; i < images.size(); ++i) total += images.data<std::uint8_t>()[i];
  CHECK(total / static_cast<double>(images.size()) == Catch::Approx(33.3184).margin(5e-5));

  const ls::Tensor labels = ls::read_idx(*labels_path);
  CHECK(labels.shape() == ls::Shape{60000});
  std::vector<int> count(10);
  for (std::int64_t i = 0; i < labels.size(); ++i) ++count.at(labels.data<std::uint8_t>()[i]);
  // The published numbers of each digit in the training set.
  CHECK(count == std::vector<int>{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949});

  const auto fashion = layerscope_test::data_file("fashion_mnist/train2000-images-idx3-ubyte.gz");
  const auto test_images = layerscope_test::data_file("mnist/t10k-images-idx3-ubyte.gz");
  if (!fashion || !test_images) return;
  CHECK(sum(ls::read_idx(*fashion).view().select(0, 0)) == 76247);
  CHECK(ls::read_idx(*test_images).shape() == ls::Shape{10000, 28, 28});
}

#else

TEST_CASE("without zlib a compressed file is refused by name") {
  const ls::Error error = error_of([] { ls::read_idx(to_bytes("\x1F\x8B\x08 and more")); });
  CHECK(error.code() == ls::ErrorCode::unsupported);
  CHECK_THAT(error.what(), ContainsSubstring("LAYERSCOPE_WITH_ZLIB"));
}

#endif
