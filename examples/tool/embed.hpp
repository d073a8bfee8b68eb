// layerscope embed: the rows of a tensor as points, with a picture and a report of what it cost.
#pragma once

#include <layerscope/algorithms/pca.hpp>
#include <layerscope/algorithms/scatter.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/npy.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/readers/tensor_file.hpp>

#include <sys/resource.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common.hpp"

namespace tool {

struct EmbedArguments {
  std::string in;
  std::string method = "pca";
  int dims = 2;
  std::string labels;  ///< empty: none
  int threads = 0;
  std::uint64_t seed = 0;
  std::string out;  ///< empty: not written; so for the two below
  std::string png;
  std::string report;
};

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

inline void embed(const EmbedArguments& arguments) {
  if (arguments.method != "pca") refuse("--method is " + arguments.method + "; expected pca");
  if (arguments.dims < 1) refuse("--dims is " + layerscope::to_text(arguments.dims) + "; expected 1 or more");
  if (!arguments.png.empty() && arguments.dims != 2 && arguments.dims != 3) {
    refuse("--dims is " + layerscope::to_text(arguments.dims) + "; a picture (--png) takes 2 or 3");
  }
  if (arguments.out.empty() && arguments.png.empty() && arguments.report.empty()) {
    refuse("nothing to write: give --out, --png or --report");
  }
  Json seconds;
  Stopwatch watch;
  const layerscope::Tensor x = layerscope::read_tensor(arguments.in);
  const layerscope::AnyView rows = as_rows(x, arguments.in);
  layerscope::Points points;
  if (!arguments.labels.empty()) points.labels = read_labels(arguments.labels, rows.extent(0));
  seconds["read"] = watch.lap();

  layerscope::PcaOptions options;
  options.components = arguments.dims;
  options.seed = arguments.seed;
  options.threads = arguments.threads;
  const layerscope::Pca pca = layerscope::pca(rows, options);
  seconds["fit"] = watch.lap();
  points.coordinates = pca.transform(rows, arguments.threads);
  seconds["transform"] = watch.lap();

  if (!arguments.out.empty()) layerscope::write_npy(arguments.out, points.coordinates);
  if (!arguments.png.empty()) {
    layerscope::ScatterOptions look;
    look.title = arguments.in;
    look.x_label = "component 1";
    look.y_label = "component 2";
    look.axes = layerscope::Axes::ticks;
    layerscope::write_png(arguments.png, layerscope::scatter(points, look));
  }
  seconds["write"] = watch.lap();

  if (arguments.report.empty()) return;
  const Json report{{"tensor", arguments.in},
                    {"method", arguments.method},
                    {"n", rows.extent(0)},
                    {"d", rows.extent(1)},
                    {"dims", points.coordinates.extent(1)},
                    {"seed", arguments.seed},
                    {"threads", layerscope::resolve_threads(arguments.threads)},
                    {"solver", layerscope::name(pca.solver)},
                    {"explained_variance", pca.explained_variance},
                    {"explained_variance_ratio", pca.explained_variance_ratio},
                    {"total_variance", pca.total_variance},
                    {"warnings", pca.warnings},
                    {"seconds", seconds},
                    {"peak_memory_bytes", peak_memory()}};
  layerscope::publish_file(arguments.report, to_text(report));
}

}  // namespace tool
