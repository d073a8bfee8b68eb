// Small real data sets with classes, as float32 rows.
#pragma once

#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/data.hpp"

#ifdef LAYERSCOPE_WITH_ZLIB
#include <zlib.h>
#endif

namespace layerscope_test {

struct LabelledRows {
  layerscope::Tensor x;  // float32 [n, d]
  std::vector<std::int64_t> labels;
};

/// Lines of `columns` numbers and a class, parted by commas; lines that begin otherwise are passed over.
inline LabelledRows rows_of_lines(std::istream& lines, std::int64_t columns) {
  std::vector<float> values;
  LabelledRows rows;
  for (std::string line; std::getline(lines, line);) {
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream numbers(line);
    std::vector<float> row;
    for (float value = 0; numbers >> value;) row.push_back(value);
    if (row.empty()) continue;
    REQUIRE(static_cast<std::int64_t>(row.size()) == columns + 1);
    rows.labels.push_back(static_cast<std::int64_t>(row.back()));
    values.insert(values.end(), row.begin(), row.end() - 1);
  }
  rows.x = layerscope::Tensor(layerscope::DType::f32, {static_cast<std::int64_t>(rows.labels.size()), columns});
  std::copy(values.begin(), values.end(), rows.x.mutable_data<float>());
  return rows;
}

/// The 1,797 handwritten digits of 8 × 8 grey levels; none where the data are absent (see data_file).
inline std::optional<LabelledRows> optdigits() {
  const auto path = data_file("optdigits/optdigits.tes");
  if (!path) return std::nullopt;
  std::ifstream file(*path);
  LabelledRows rows = rows_of_lines(file, 64);
  REQUIRE(rows.labels.size() == 1797);
  return rows;
}

#ifdef LAYERSCOPE_WITH_ZLIB
/// 150 irises of three species, four measures each; none where the data are absent.
inline std::optional<LabelledRows> iris() {
  const auto path = data_file("tabular/iris.csv.gz");
  if (!path) return std::nullopt;
  const gzFile file = gzopen(path->c_str(), "rb");
  REQUIRE(file != nullptr);
  std::string text(100000, '\0');
  text.resize(static_cast<std::size_t>(gzread(file, text.data(), static_cast<unsigned>(text.size()))));
  gzclose(file);
  std::istringstream lines(text);
  LabelledRows rows = rows_of_lines(lines, 4);
  REQUIRE(rows.labels.size() == 150);
  return rows;
}
#endif

}  // namespace layerscope_test
