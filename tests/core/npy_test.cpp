#include <layerscope/core/npy.hpp>
#include <layerscope/core/tensor.hpp>

#include <cerrno>
#include <string>
#include <vector>

#include "support/bytes.hpp"
#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/npy_reference.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;

namespace {

ls::Tensor tensor_of(const layerscope_test::NpyReference& reference) {
  ls::Tensor tensor(reference.dtype(), reference.shape);
  ls::visit_dtype(tensor.dtype(), [&](auto element) {
    using T = decltype(element);
    T* const out = tensor.mutable_data<T>();
    for (std::int64_t k = 0; k < tensor.size(); ++k) {
      if constexpr (std::is_same_v<T, ls::Half>) {
        constexpr std::uint16_t halves[] = {0xC400, 0xBC00, 0x4000, 0x4500, 0x4800, 0x4980};  // -4, -1, 2, 5, 8, 11
        out[k].bits = halves[k];
      } else if constexpr (!std::is_same_v<T, ls::BFloat16>) {
        out[k] = static_cast<T>(reference.value(k));
      }
    }
  });
  return tensor;
}

}  // namespace

TEST_CASE("npy files are byte for byte those of numpy") {
  int compared = 0;
  for (const auto& reference : layerscope_test::npy_references()) {
    if (reference.order != 'C' || reference.version != 1 || reference.descr[0] == '>') continue;
    CAPTURE(reference.descr, ls::to_text(reference.shape));
    CHECK(ls::encode_npy(tensor_of(reference)) == reference.file);
    ++compared;
  }
  CHECK(compared == 18);
}

TEST_CASE("headers are padded to 64 bytes for every shape") {
  ls::Shape shape;
  for (int rank = 0; rank <= 8; ++rank) {
    for (const ls::DType dtype : {ls::DType::boolean, ls::DType::f64}) {
      const std::string header = ls::npy_header(dtype, shape);
      CHECK(header.size() % 64 == 0);
      CHECK(header.back() == '\n');
      const std::size_t length = static_cast<unsigned char>(header[8]) + 256u * static_cast<unsigned char>(header[9]);
      CHECK(length + 10 == header.size());
    }
    if (rank < 8) shape.push_back(123456789012345678);
  }
}

TEST_CASE("views of any strides are written row-major, bfloat16 as float32") {
  const std::vector<float> memory{0, 1, 2, 3, 4, 5};
  const ls::AnyView rows = ls::TensorView<float>(memory.data(), {2, 3});
  CHECK(ls::encode_npy(rows.permute({1, 0})) == ls::encode_npy(ls::copy(rows.permute({1, 0}))));
  CHECK(ls::encode_npy(rows.narrow(1, 2, 3, -1)) == ls::encode_npy(ls::copy(rows.narrow(1, 2, 3, -1))));
  CHECK(ls::encode_npy(rows.permute({1, 0})) != ls::encode_npy(rows));

  const std::vector<ls::BFloat16> brain{{0x3F80}, {0xC040}};  // 1, -3
  const std::vector<float> same{1, -3};
  CHECK(ls::encode_npy(ls::TensorView<ls::BFloat16>(brain.data(), {2})) ==
        ls::encode_npy(ls::TensorView<float>(same.data(), {2})));
}

TEST_CASE("write_npy publishes the file") {
  const layerscope_test::TemporaryDirectory directory;
  const std::vector<double> values{1, 2.5, -3};
  const ls::TensorView<double> view(values.data(), {3});
  ls::write_npy(directory / "x.npy", view);
  CHECK(layerscope_test::to_bytes(layerscope_test::contents(directory / "x.npy")) == ls::encode_npy(view));
  ls::write_npy(directory / "x.npy", view.any().narrow(0, 0, 3, 1), {.durability = ls::Durability::file});
  CHECK(layerscope_test::error_of([&] { ls::write_npy(directory / "absent/x.npy", view); }).code() ==
        ls::ErrorCode::io);
}
