// The committed .npy files of tests/reference/npy.py.
#pragma once

#include <layerscope/core/dtype.hpp>
#include <layerscope/core/shape.hpp>

#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace layerscope_test {

struct NpyReference {
  std::string descr;
  char order = 'C';
  int version = 1;
  layerscope::Shape shape;
  std::vector<std::byte> file;

  /// Element k in row-major order, as the script defines it.
  double value(std::int64_t k) const {
    if (descr[1] == 'b') return static_cast<double>(k % 2);
    return static_cast<double>(descr[1] == 'u' ? 3 * k + 1 : 3 * k - 4);
  }

  layerscope::DType dtype() const {
    using layerscope::DType;
    const std::string type = descr.substr(1);
    for (const auto& [name, dtype] : {std::pair{"b1", DType::boolean},
                                      {"u1", DType::u8},
                                      {"i1", DType::i8},
                                      {"u2", DType::u16},
                                      {"i2", DType::i16},
                                      {"u4", DType::u32},
                                      {"i4", DType::i32},
                                      {"u8", DType::u64},
                                      {"i8", DType::i64},
                                      {"f2", DType::f16},
                                      {"f4", DType::f32}}) {
      if (type == name) return dtype;
    }
    return DType::f64;
  }
};

inline std::vector<NpyReference> npy_references() {
  std::ifstream lines(std::string(LAYERSCOPE_TESTS_DIR) + "/reference/npy.txt");
  std::vector<NpyReference> references;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    NpyReference reference;
    std::string extents;
    std::string hex;
    fields >> reference.descr >> reference.order >> reference.version >> extents >> hex;
    std::istringstream numbers(extents);
    for (std::string number; extents != "-" && std::getline(numbers, number, ',');) {
      reference.shape.push_back(std::stoll(number));
    }
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
      reference.file.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    references.push_back(reference);
  }
  REQUIRE(references.size() == 34);
  return references;
}

}  // namespace layerscope_test
