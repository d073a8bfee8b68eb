#include <layerscope/core/npy.hpp>
#include <layerscope/readers/tensor_file.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/error.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::error_of;
using layerscope_test::write_plainly;

namespace {

std::string safetensors(const std::vector<std::string>& names) {
  std::string header = "{";
  for (std::size_t i = 0; i < names.size(); ++i) {
    header += (i > 0 ? ",\"" : "\"") + names[i] + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" +
              std::to_string(i) + "," + std::to_string(i + 1) + "]}";
  }
  header += "}";
  std::string payload;
  for (std::size_t i = 0; i < names.size(); ++i) payload += static_cast<char>(i + 1);
  return std::string{static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)} +
         std::string(6, '\0') + header + payload;
}

int first(const ls::Tensor& tensor) {
  return tensor.data<std::uint8_t>()[0];
}

}  // namespace

TEST_CASE("read_tensor tells formats by their bytes, not by their names") {
  const layerscope_test::TemporaryDirectory directory;
  const std::vector<std::uint8_t> values{7, 8};
  ls::write_npy(directory / "array.txt", ls::TensorView<std::uint8_t>(values.data(), {2}));
  CHECK(first(ls::read_tensor(directory / "array.txt")) == 7);
  write_plainly(directory / "x.npy", std::string("\0\0\x08\x01\0\0\0\x01\x09", 9));
  CHECK(first(ls::read_tensor(directory / "x.npy")) == 9);
  write_plainly(directory / "model", safetensors({"a", "b:0", "c"}));
  CHECK(first(ls::read_tensor((directory / "model") + ":b:0")) == 2);
  CHECK(first(ls::read_tensor((directory / "model") + ":c")) == 3);
  write_plainly(directory / "mo:del", safetensors({"x"}));
  CHECK(first(ls::read_tensor(directory / "mo:del")) == 1);
  CHECK(first(ls::read_tensor((directory / "mo:del") + ":x")) == 1);

  // A header of 65,536 bytes begins as IDX does.
  std::string padded = safetensors({"x"});
  const std::size_t length = static_cast<unsigned char>(padded[0]) + 256u * static_cast<unsigned char>(padded[1]);
  padded.insert(8 + length, 65536 - length, ' ');
  padded.replace(0, 8, std::string("\0\0\1\0\0\0\0\0", 8));
  write_plainly(directory / "padded", padded);
  CHECK(first(ls::read_tensor(directory / "padded")) == 1);
}

TEST_CASE("read_tensor says what is missing") {
  const layerscope_test::TemporaryDirectory directory;
  std::vector<std::string> names;
  for (int i = 0; i < 10; ++i) names.push_back("t" + std::to_string(i));
  write_plainly(directory / "model", safetensors(names));
  const ls::Error unnamed = error_of([&] { ls::read_tensor(directory / "model"); });
  CHECK(unnamed.code() == ls::ErrorCode::invalid_argument);
  CHECK_THAT(unnamed.what(), ContainsSubstring("has 10 tensors (t0, t1, t2, t3, t4, t5, t6, t7 and 2 more)"));
  CHECK_THAT(error_of([&] { ls::read_tensor((directory / "model") + ":t"); }).what(), ContainsSubstring("no tensor"));
  write_plainly(directory / "x", std::string("\0\0\x08\x01\0\0\0\x01\x09", 9));
  CHECK(error_of([&] { ls::read_tensor((directory / "x") + ":t"); }).code() == ls::ErrorCode::invalid_argument);
  for (const std::string& text : {std::string(), std::string("x"), std::string("hello, world"), std::string("\0", 1)}) {
    write_plainly(directory / "unknown", text);
    const ls::Error unknown = error_of([&] { ls::read_tensor(directory / "unknown"); });
    CHECK(unknown.code() == ls::ErrorCode::format);
    CHECK_THAT(unknown.what(), ContainsSubstring("no known format"));
  }
  CHECK(error_of([&] { ls::read_tensor(directory / "absent:t"); }).code() == ls::ErrorCode::io);
  CHECK(error_of([&] { ls::read_tensor(""); }).code() == ls::ErrorCode::io);
  CHECK(error_of([&] { ls::read_tensor(directory.path()); }).code() == ls::ErrorCode::unsupported);
}

TEST_CASE("read_tensor reads the real files") {
  const auto model = layerscope_test::data_file("burn_mnist/mnist.safetensors");
  const auto glove = layerscope_test::data_file("glove/glove_twitter_25d_f32.npy");
  if (!model || !glove) return;
  CHECK(ls::read_tensor(*model + ":conv2.weight").shape() == ls::Shape{16, 8, 3, 3});
  CHECK(ls::read_tensor(*glove).shape() == ls::Shape{11925, 25});
#ifdef LAYERSCOPE_WITH_ZLIB
  const auto labels = layerscope_test::data_file("mnist/t10k-labels-idx1-ubyte.gz");
  if (!labels) return;
  CHECK(ls::read_tensor(*labels).shape() == ls::Shape{10000});
#endif
}
