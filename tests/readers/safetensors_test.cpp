#include <layerscope/core/finite.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/readers/safetensors.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

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

std::string length_prefix(std::uint64_t length) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(length >> (8 * i) & 255u);
  return text;
}

std::vector<std::byte> file_of(const std::string& header, const std::string& payload) {
  return to_bytes(length_prefix(header.size()) + header + payload);
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape, std::size_t begin,
                  std::size_t end) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + shape + "],\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

const std::string two_tensors = "{\"__metadata__\":{\"format\":\"pt\",\"a\":\"b\"}," + entry("late", "U8", "3", 4, 7) +
                                "," + entry("early", "F32", "1,1", 0, 4) + "}  ";

}  // namespace

TEST_CASE("Safetensors lists and reads tensors in the order of the file") {
  const std::vector<std::byte> bytes = file_of(two_tensors, std::string("\0\0\x80\x3F\1\2\3", 7));
  const ls::Safetensors file(bytes);
  REQUIRE(file.entries().size() == 2);
  CHECK(file.entries()[0].name == "early");
  CHECK(file.entries()[0].shape == ls::Shape{1, 1});
  CHECK(file.entries()[0].offset == 8 + two_tensors.size());
  CHECK(file.entries()[1].name == "late");
  CHECK(file.entries()[1].bytes == 3);
  CHECK(file.metadata() == std::vector<std::pair<std::string, std::string>>{{"a", "b"}, {"format", "pt"}});
  REQUIRE(file.find("late") != nullptr);
  CHECK(file.find("late")->dtype == ls::DType::u8);
  CHECK(file.find("lat") == nullptr);
  CHECK(file.find("") == nullptr);
  CHECK(file.read("early").data<float>()[0] == 1.0f);
  CHECK(file.read("late").data<std::uint8_t>()[2] == 3);
  CHECK(file.read_all()[1].second.data<std::uint8_t>()[0] == 1);
  const ls::Error error = error_of([&] { file.read("other"); });
  CHECK(error.code() == ls::ErrorCode::invalid_argument);
  CHECK_THAT(error.what(), ContainsSubstring("no tensor \"other\" among its 2"));
}

TEST_CASE("Safetensors knows every type that a Tensor holds") {
  const std::vector<std::pair<std::string, ls::DType>> types{
      {"BOOL", ls::DType::boolean}, {"U8", ls::DType::u8},   {"I8", ls::DType::i8},     {"U16", ls::DType::u16},
      {"I16", ls::DType::i16},      {"U32", ls::DType::u32}, {"I32", ls::DType::i32},   {"U64", ls::DType::u64},
      {"I64", ls::DType::i64},      {"F16", ls::DType::f16}, {"BF16", ls::DType::bf16}, {"F32", ls::DType::f32},
      {"F64", ls::DType::f64}};
  for (const auto& [name, dtype] : types) {
    const std::size_t size = ls::size_of(dtype);
    const std::string payload(2 * size, '\1');
    const std::vector<std::byte> bytes = file_of("{" + entry("x", name, "2", 0, 2 * size) + "}", payload);
    const ls::Tensor tensor = ls::Safetensors(bytes).read("x");
    CHECK(tensor.dtype() == dtype);
    CHECK(std::memcmp(tensor.raw(), payload.data(), payload.size()) == 0);
  }
  const std::vector<std::byte> bytes = file_of("{" + entry("x", "BF16", "", 0, 2) + "}", "\xC0\xBF");
  CHECK(static_cast<float>(ls::Safetensors(bytes).read("x").data<ls::BFloat16>()[0]) == -1.5f);
  const std::vector<std::byte> odd_bool = file_of("{" + entry("x", "BOOL", "1", 0, 1) + "}", "\x07");
  CHECK(*static_cast<const std::uint8_t*>(ls::Safetensors(odd_bool).read("x").raw()) == 1);
}

TEST_CASE("empty files, zero extents and odd names are sound") {
  CHECK(ls::Safetensors(file_of("{}", "")).entries().empty());
  const std::vector<std::byte> zeros =
      file_of("{" + entry("a", "F32", "0,5", 0, 0) + "," + entry("b", "U8", "1", 0, 1) + "," +
                  entry("", "F32", "0", 1, 1) + "," + entry("\\u00e9\\n", "F32", "0", 1, 1) + "}",
              "x");
  const ls::Safetensors file(zeros);
  CHECK(file.read("a").shape() == ls::Shape{0, 5});
  CHECK(file.read("").empty());
  CHECK(file.read("\xC3\xA9\n").empty());
}

TEST_CASE("Safetensors refuses what it cannot hold or trust, and says where") {
  struct Case {
    std::vector<std::byte> file;
    ls::ErrorCode code;
    const char* message;
  };
  const auto one = [](const std::string& dtype, const std::string& shape, std::size_t begin, std::size_t end,
                      std::size_t payload) {
    return file_of("{" + entry("x", dtype, shape, begin, end) + "}", std::string(payload, 'p'));
  };
  const auto header = [](const std::string& text) { return file_of(text, ""); };
  using enum ls::ErrorCode;
  const std::vector<Case> cases{
      {to_bytes("1234567"), format, "byte 0: the header's length needs 8 bytes; the file ends at byte 7"},
      {to_bytes(length_prefix(100) + "{}"), format, "byte 0: a header of 100 bytes; only 2 follow"},
      {to_bytes(length_prefix(~0ull) + "{}"), format, "a header of 18446744073709551615 bytes"},
      {header(""), format, "byte 8: the header does not begin with '{'"},
      {header(" {}"), format, "does not begin with '{'"},
      {header("[]"), format, "does not begin with '{'"},
      {header("{"), format, "not JSON"},
      {header("{} x"), format, "not JSON"},
      {header(std::string("{}\0junk", 7)), format, "byte 10: the header is not JSON: it holds a NUL"},
      {header("{\"x\":{}}"), format, "tensor \"x\": one of dtype, shape and data_offsets is missing"},
      {header("{\"x\":1}"), format, "a number where the format has none"},
      {header("{\"x\":null}"), format, "null where"},
      {header("{\"x\":true}"), format, "a boolean where"},
      {header("{\"x\":\"y\"}"), format, "a string where"},
      {header("{\"x\":[]}"), format, "an array where"},
      {header("{\"x\":{\"dtype\":\"F32\",\"shape\":[[1]]}}"), format, "an array where"},
      {header("{\"x\":{\"dtype\":{}}}"), format, "an object where"},
      {header("{\"x\":{\"dtype\":[]}}"), format, "an array where"},
      {header("{\"x\":{\"dtype\":1}}"), format, "a number where"},
      {header("{\"x\":{\"shape\":\"1\"}}"), format, "a string where"},
      {header("{\"x\":{\"shape\":[\"1\"]}}"), format, "a string where"},
      {header("{\"x\":{\"shape\":[-1]}}"), format, "a negative number where"},
      {header("{\"x\":{\"shape\":[1.0]}}"), format, "a fraction or too large"},
      {header("{\"x\":{\"shape\":[18446744073709551616]}}"), format, "a fraction or too large"},
      {header("{\"x\":{\"shape\":[9223372036854775808]}}"), format, "an extent exceeds 2^63 - 1"},
      {header("{\"x\":{\"shape\":[1,1,1,1,1,1,1,1,1]}}"), unsupported, "tensor \"x\": more than 8 dimensions"},
      {header("{\"x\":{\"colour\":1}}"), format, "tensor \"x\": unknown key \"colour\""},
      {header("{\"x\":{\"shape\":[],\"shape\":[]}}"), format, "repeated key \"shape\""},
      {header("{\"x\":{\"data_offsets\":[1]}}"), format, "fewer than two"},
      {header("{\"x\":{\"data_offsets\":[1,2,3]}}"), format, "more than two"},
      {header("{\"__metadata__\":{\"a\":1}}"), format, "a number where"},
      {header("{\"__metadata__\":{\"a\":{}}}"), format, "an object where"},
      {header("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}"), format, "metadata key \"a\" is repeated"},
      {header("{\"__metadata__\":{},\"__metadata__\":{}}"), format, "repeated key"},
      {header("{\"\xFF\":1}"), format, "not JSON"},
      {header(std::string("{\"x\":") + std::string(100000, '[')), format, "an array where"},
      {header(std::string(100000, '{')), format, "not JSON"},
      {one("F8_E4M3", "1", 0, 1, 1), unsupported, "tensor \"x\": element type \"F8_E4M3\""},
      {one("f32", "1", 0, 4, 4), unsupported, "element type \"f32\""},
      {one("F32", "1", 4, 0, 4), format, "data_offsets run backwards"},
      {one("F32", "1", 0, 3, 3), format, "float32 [1] needs 4 bytes; at most 3"},
      {one("F32", "1", 0, 5, 5), format, "tensor \"x\" has 5 bytes; its shape [1] needs 4"},
      {one("F32", "1", 0, 4, 3), format, "tensor \"x\" has 4 bytes; only 3 are left of the file"},
      {one("F32", "1", 0, 4, 5), format, "1 bytes after the last tensor belong to none"},
      {one("F32", "1", 1, 5, 5), format, "tensor \"x\" begins at 1 of the data; expected 0"},
      {one("U8", "9223372036854775807,2", 0, 1, 1), too_large, "exceeds 2^63 - 1"},
      {one("F32", "1", 18446744073709551612ull, 18446744073709551615ull, 4), format, "begins at 18446744073709551612"},
      {one("U8", "9223372036854775807", 0, 18446744073709551615ull, 4), format, "only 4 are left"},
      {file_of("{" + entry("x", "U8", "2", 0, 2) + "," + entry("y", "U8", "2", 1, 3) + "}", "abc"), format,
       "tensor \"y\" begins at 1 of the data; expected 2"},
      {file_of("{" + entry("x", "U8", "1", 0, 1) + "," + entry("y", "U8", "1", 2, 3) + "}", "abc"), format,
       "tensor \"y\" begins at 2 of the data; expected 1"},
      {file_of("{" + entry("x", "U8", "1", 0, 1) + "," + entry("x", "U8", "1", 1, 2) + "}", "ab"), format,
       "the tensor name \"x\" is repeated"},
  };
  for (const Case& bad : cases) {
    const ls::Error error = error_of([&] { ls::Safetensors{bad.file}; });
    CHECK_THAT(error.what(), ContainsSubstring(bad.message));
    CHECK_THAT(error.what(), Catch::Matchers::StartsWith("memory, byte "));
    CHECK(ls::name(error.code()) == std::string(ls::name(bad.code)));
  }
}

TEST_CASE("errors point at the place in the header") {
  const std::string good = "{" + entry("x", "U8", "1", 0, 1) + ",";
  const std::string message = error_of([&] { ls::Safetensors{file_of(good + "\"y\":{\"dtype\":\"Q4\"", "a")}; }).what();
  // 17 bytes from "y" on: the parser has just read the closing quote of "Q4".
  CHECK_THAT(message, ContainsSubstring("byte " + std::to_string(8 + good.size() + 17) + ": tensor \"y\""));
}

TEST_CASE("caps of Safetensors") {
  const std::vector<std::byte> bytes = file_of(two_tensors, "abcdefg");
  const ls::Safetensors file(bytes, {.max_bytes = 3});
  CHECK_NOTHROW(file.read("late"));
  CHECK(error_of([&] { file.read("early"); }).code() == ls::ErrorCode::too_large);

  const layerscope_test::TemporaryDirectory directory;
  layerscope_test::write_plainly(directory / "x", length_prefix(100000001) + "{");
  std::filesystem::resize_file(directory / "x", 100000100);  // sparse
  const ls::Error header = error_of([&] { ls::Safetensors{directory / "x"}; });
  CHECK(header.code() == ls::ErrorCode::too_large);
  CHECK_THAT(header.what(), ContainsSubstring("a header of 100000001 bytes; expected at most 100 MB"));

  std::string many = "{";
  for (int i = 0; i <= 1000000; ++i) {
    if (i > 0) many += ',';
    many += entry(std::to_string(i), "U8", "0", 0, 0);
  }
  CHECK_THAT(error_of([&] { ls::Safetensors{file_of(many + "}", "")}; }).what(),
             ContainsSubstring("more than 1,000,000 tensors"));
}

TEST_CASE("damaged safetensors files are refused or read, never worse") {
  const std::vector<std::byte> sound = file_of(two_tensors, "abcdefg");
  CHECK(layerscope_test::survive_damage(
            sound, [](std::span<const std::byte> file) { ls::Safetensors(file).read_all(); }) == sound.size());
}

TEST_CASE("a file that shrinks while it is open is an error") {
  const layerscope_test::TemporaryDirectory directory;
  ls::publish_file(directory / "x", file_of(two_tensors, "abcdefg"));
  const ls::Safetensors file(directory / "x");
  CHECK_NOTHROW(file.read("late"));
  std::filesystem::resize_file(directory / "x", 8 + two_tensors.size() + 5);
  const ls::Error error = error_of([&] { file.read("late"); });
  CHECK(error.code() == ls::ErrorCode::io);
  CHECK_THAT(error.what(), ContainsSubstring("ended at byte"));
}

TEST_CASE("every tensor of the real networks is read") {
  // Number of tensors, of elements, and the sum of the finite ones in float64, as read by NumPy. The golden partials
  // hold masked scores of minus infinity.
  struct Expected {
    const char* name;
    std::size_t tensors;
    std::int64_t elements;
    double sum;
  };
  for (const Expected& expected :
       {Expected{"burn_mnist/mnist.safetensors", 20, 376940, 15221.059359971674},
        Expected{"burn_mnist/mnist_pt.safetensors", 20, 376940, 7772.024714975333},
        Expected{"googlenet/googlenet_bvlc_fp16.safetensors", 116, 6998552, -10978.899985432625},
        Expected{"gpt_nano_sort/gpt_nano_sort.safetensors", 38, 85296, 344.8678617596679},
        Expected{"gpt_nano_sort/golden_partials.safetensors", 25, 45705, 93.03935700836337},
        Expected{"model_files/safetensors/safetensors-tests_multi_layer_multi_layer.safetensors", 9, 4241,
                 5.585230762080755},
        Expected{"resnet20_cifar10/resnet20-12fca82f.safetensors", 97, 271098, 139.78264955982084},
        Expected{"squeezenet/squeezenet11_fp16.safetensors", 52, 1235496, 1223.4588430354747},
        Expected{"stories260K/stories260K.safetensors", 47, 260032, -14.691442941950683}}) {
    const auto path = layerscope_test::data_file(expected.name);
    if (!path) return;
    CAPTURE(expected.name);
    const ls::Safetensors file(*path);
    CHECK(file.entries().size() == expected.tensors);
    std::int64_t elements = 0;
    double sum = 0;
    for (const auto& [name, tensor] : file.read_all()) {
      elements += tensor.size();
      const ls::Tensor values = ls::convert(tensor, ls::DType::f64);
      for (std::int64_t i = 0; i < values.size(); ++i) {
        if (ls::is_finite(values.data<double>()[i])) sum += values.data<double>()[i];
      }
    }
    CHECK(elements == expected.elements);
    CHECK(sum == Catch::Approx(expected.sum).epsilon(1e-9));
  }
}

TEST_CASE("threads share one open file") {
  const auto path = layerscope_test::data_file("burn_mnist/mnist.safetensors");
  if (!path) return;
  const ls::Safetensors file(*path);
  const ls::Tensor expected = file.read("conv3.weight");
  std::vector<int> equal(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < equal.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int repeat = 0; repeat < 20; ++repeat) {
        const ls::Tensor tensor = ls::Safetensors(file).read("conv3.weight");
        equal[i] += std::memcmp(tensor.raw(), expected.raw(), expected.bytes()) == 0 ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(equal == std::vector<int>(4, 20));
}
