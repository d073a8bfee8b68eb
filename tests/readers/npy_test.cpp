#include <layerscope/core/npy.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/readers/npy.hpp>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "support/bytes.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/error.hpp"
#include "support/npy_reference.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::error_of;
using layerscope_test::to_bytes;

namespace {

std::vector<std::byte> npy(const std::string& header, std::size_t payload, char version = 1) {
  std::string file("\x93NUMPY", 6);
  file += version;
  file += '\0';
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  for (std::size_t i = 0; i < length_bytes; ++i) file += static_cast<char>(header.size() >> (8 * i) & 255);
  return to_bytes(file + header + std::string(payload, '\1'));
}

std::vector<std::byte> npy_f4(const std::string& shape, std::size_t payload) {
  return npy("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }\n", payload);
}

}  // namespace

TEST_CASE("read_npy reads what numpy writes: every type, both byte orders, both layouts, every version") {
  const layerscope_test::TemporaryDirectory directory;
  for (const auto& reference : layerscope_test::npy_references()) {
    CAPTURE(reference.descr, reference.order, reference.version, ls::to_text(reference.shape));
    const ls::Tensor tensor = ls::read_npy(reference.file);
    CHECK(tensor.dtype() == reference.dtype());
    CHECK(tensor.shape() == reference.shape);
    const ls::Tensor values = ls::convert(tensor, ls::DType::f64);
    for (std::int64_t k = 0; k < values.size(); ++k) CHECK(values.data<double>()[k] == reference.value(k));

    // The same from a file, and once more through our own writer.
    const std::string path = directory / "x.npy";
    ls::publish_file(path, reference.file);
    const ls::Tensor from_file = ls::read_npy(path);
    CHECK(ls::encode_npy(from_file) == ls::encode_npy(tensor));
    const ls::Tensor again = ls::read_npy(ls::encode_npy(tensor));
    CHECK(again.dtype() == tensor.dtype());
    CHECK(again.shape() == tensor.shape());
    CHECK((tensor.empty() || std::memcmp(again.raw(), tensor.raw(), tensor.bytes()) == 0));
  }
}

TEST_CASE("headers that other writers produce are read") {
  for (const char* const header : {"{'shape': (2,), 'fortran_order': False, 'descr': '<f4'}",
                                   "{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(2,)}",
                                   "{'descr': '<f4', 'fortran_order': True, 'shape': (2L,), }   \n",
                                   "{ 'descr' : '=f4' , 'fortran_order' : False , 'shape' : ( 2 , ) , }",
                                   "{'descr': 'f4', 'fortran_order': False, 'shape': (2,)}"}) {
    CAPTURE(header);
    CHECK(ls::read_npy(npy(header, 8)).shape() == ls::Shape{2});
  }
  CHECK(ls::read_npy(npy_f4("(2,)", 100)).size() == 2);  // a second array may follow, as np.save to one stream writes
  CHECK(ls::read_npy(npy_f4("()", 4)).rank() == 0);
  CHECK(ls::read_npy(npy_f4("(0, 4611686018427387904, 4611686018427387904)", 0)).empty());
}

TEST_CASE("bytes of a bool other than 0 and 1 become 1") {
  std::vector<std::byte> file = npy("{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }\n", 3);
  file[file.size() - 1] = std::byte{255};
  file[file.size() - 2] = std::byte{0};
  const ls::Tensor tensor = ls::read_npy(file);
  const auto* const raw = static_cast<const std::uint8_t*>(tensor.raw());
  CHECK((raw[0] == 1 && raw[1] == 0 && raw[2] == 1));
}

TEST_CASE("read_npy refuses what it cannot hold or trust, and says where") {
  struct Case {
    std::vector<std::byte> file;
    ls::ErrorCode code;
    const char* message;
  };
  const std::string rest = ", 'fortran_order': False, 'shape': (1,), }";
  using enum ls::ErrorCode;
  const std::vector<Case> cases{
      {to_bytes(""), format, "byte 0: the magic of npy needs 8 bytes; the file ends at byte 0"},
      {to_bytes("\x93NUMPX\1_____"), format, "byte 5: not a .npy file"},
      {npy("{}", 0, 4), unsupported, "byte 6: format version 4.0; expected 1.0, 2.0 or 3.0"},
      {npy(std::string(70000, ' '), 0, 2), too_large, "byte 8: a header of 70000 bytes; expected at most 65536"},
      {npy("{}", 0), format, "lacks one of"},
      {npy("", 0), format, "byte 10: expected '{'"},
      {npy("{'descr': '|O'" + rest, 8), unsupported, "byte 20: element type '|O'"},
      {npy("{'descr': '<c8'" + rest, 8), unsupported, "'<c8'"},
      {npy("{'descr': '<U4'" + rest, 16), unsupported, "'<U4'"},
      {npy("{'descr': '|V2'" + rest, 16), unsupported, "'|V2'"},
      {npy("{'descr': '<M8[ns]'" + rest, 16), unsupported, "'<M8[ns]'"},
      {npy("{'descr': ''" + rest, 16), unsupported, "element type ''"},
      {npy("{'descr': [('a', '<f4')]" + rest, 16), unsupported, "structured"},
      {npy("{'descr': '<f4', 'descr': '<f4'" + rest, 16), format, "key \"descr\" is unknown or repeated"},
      {npy("{'other': '<f4'" + rest, 16), format, "key \"other\" is unknown"},
      {npy("{'descr': '<f4" + rest.substr(0, 2), 16), format, "a string of the header does not end"},
      {npy("{'descr", 16), format, "does not end"},
      {npy("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", 4), format, "neither True nor False"},
      {npy("{'descr': '<f4' 'fortran_order': False}", 4), format, "expected '}'"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", 4), format, "text after"},
      {npy_f4("(1)", 4), format, "expected a tuple"},
      {npy_f4("(1 2)", 8), format, "expected ',' or ')'"},
      {npy_f4("(-1,)", 4), format, "expected an extent"},
      {npy_f4("(,)", 4), format, "expected an extent"},
      {npy_f4("(9223372036854775808,)", 4), format, "expected an extent of at most 2^63 - 1"},
      {npy_f4("(1,1,1,1,1,1,1,1,1)", 4), unsupported, "more than 8 dimensions"},
      {npy_f4("(4611686018427387904, 4)", 4), too_large, "exceeds 2^63 - 1 elements"},
      {npy_f4("(4611686018427387904,)", 4), too_large, "exceed 2^63 - 1"},
      {npy_f4("(1000000000000000,)", 4), format, "needs 4000000000000000 bytes; at most 4 can follow"},
      {npy_f4("(2,)", 7), format, "float32 [2] needs 8 bytes; at most 7 can follow"},
  };
  for (const Case& bad : cases) {
    const ls::Error error = error_of([&] { ls::read_npy(bad.file); });
    CHECK_THAT(error.what(), ContainsSubstring(bad.message));
    CHECK_THAT(error.what(), Catch::Matchers::StartsWith("memory, byte "));
    CHECK(ls::name(error.code()) == std::string(ls::name(bad.code)));
  }
  const ls::Error capped = error_of([] { ls::read_npy(npy_f4("(2,)", 8), {.max_bytes = 7}); });
  CHECK(capped.code() == ls::ErrorCode::too_large);
  CHECK_NOTHROW(ls::read_npy(npy_f4("(2,)", 8), {.max_bytes = 8}));
}

TEST_CASE("errors of files name the file") {
  const layerscope_test::TemporaryDirectory directory;
  layerscope_test::write_plainly(directory / "x.npy", "nonsense, no array");
  CHECK_THAT(error_of([&] { ls::read_npy(directory / "x.npy"); }).what(),
             ContainsSubstring("\"" + (directory / "x.npy") + "\", byte 0: not a .npy file"));
  CHECK(error_of([&] { ls::read_npy(directory / "absent.npy"); }).code() == ls::ErrorCode::io);
  CHECK(error_of([&] { ls::read_npy(directory.path()); }).code() == ls::ErrorCode::unsupported);
}

TEST_CASE("damaged npy files are refused or read, never worse") {
  for (const auto& reference : layerscope_test::npy_references()) {
    if (reference.version == 1 && reference.descr != ">f8" && reference.descr != "<f4") continue;
    const std::size_t cut =
        layerscope_test::survive_damage(reference.file, [](std::span<const std::byte> file) { ls::read_npy(file); });
    CHECK(cut == reference.file.size());
  }
}

TEST_CASE("real npy files") {
  // Values as numpy.load() gives them: sums over all elements in float64.
  struct Expected {
    const char* name;
    ls::Shape shape;
    double first;
    double last;
    double sum;
  };
  for (const Expected& expected : {
           Expected{"glove/glove_twitter_25d_f32.npy",
                    {11925, 25},
                    -0.010166999883949757,
                    0.0049888999201357365,
                    -35884.142592908705},
           Expected{"umap_digits/digits_embedding_42.npy",
                    {1797, 2},
                    12.257365043375763,
                    5.337205459917713,
                    -16.982010207594602},
           Expected{"stories260K/golden_logits_first32.npy",
                    {32, 512},
                    -6.222912311553955,
                    -4.448068618774414,
                    -86616.91344292204},
           Expected{"bert_attention/model_view_bert_attention_all_attn.npy",
                    {12, 12, 15, 15},
                    0.03857874870300293,
                    0.5499731302261353,
                    2160.0000017838615},
       }) {
    const auto path = layerscope_test::data_file(expected.name);
    if (!path) return;
    CAPTURE(expected.name);
    const ls::Tensor tensor = ls::convert(ls::read_npy(*path), ls::DType::f64);
    CHECK(tensor.shape() == expected.shape);
    const double* const values = tensor.data<double>();
    double sum = 0;
    for (std::int64_t i = 0; i < tensor.size(); ++i) sum += values[i];
    CHECK(values[0] == expected.first);
    CHECK(values[tensor.size() - 1] == expected.last);
    CHECK(sum == Catch::Approx(expected.sum).epsilon(1e-12));
  }
}
