// What the commands over the rows of a tensor share.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/readers/tensor_file.hpp>

#include <sys/resource.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tool {

[[noreturn]] inline void refuse(const std::string& message) {
  throw layerscope::Error(layerscope::ErrorCode::invalid_argument, message);
}

/// The most memory this process has held, in bytes.
inline std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{1024} * usage.ru_maxrss;  // Linux counts in KiB
}

/// [n, …] as [n, d].
inline layerscope::AnyView as_rows(const layerscope::Tensor& x, const std::string& name) {
  if (x.rank() == 0 || x.empty()) {
    throw layerscope::Error(layerscope::ErrorCode::empty,
                            name + ": shape " + layerscope::to_text(x.shape()) + " has no rows to embed");
  }
  return *x.view().reshape({x.extent(0), x.size() / x.extent(0)});
}

inline std::vector<std::int64_t> read_labels(const std::string& name, std::int64_t rows) {
  const layerscope::Tensor labels = layerscope::convert(layerscope::read_tensor(name), layerscope::DType::i64);
  if (labels.size() != rows) {
    refuse(name + ": " + layerscope::to_text(labels.size()) + " labels; expected one for each of the " +
           layerscope::to_text(rows) + " rows");
  }
  const std::int64_t* const first = labels.data<std::int64_t>();
  return {first, first + labels.size()};
}

}  // namespace tool
