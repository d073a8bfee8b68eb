// layerscope knn: the nearest rows of each row of a tensor, with a report of what the search cost.
#pragma once

#include <layerscope/algorithms/knn.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/core/npy.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/readers/tensor_file.hpp>

#include <cstdint>
#include <string>

#include "common.hpp"
#include "rows.hpp"

namespace tool {

struct KnnArguments {
  std::string in;
  std::int64_t k = 15;
  std::string method = "automatic";
  std::string metric = "euclidean";
  std::int64_t recall_sample = 0;
  int threads = 0;
  std::uint64_t seed = 0;
  std::string out;  ///< empty: not written; so for the two below
  std::string distances;
  std::string report;
};

inline layerscope::KnnMethod knn_method(const std::string& text) {
  using layerscope::KnnMethod;
  for (const KnnMethod method : {KnnMethod::automatic, KnnMethod::exact, KnnMethod::approximate}) {
    if (text == layerscope::name(method)) return method;
  }
  refuse("--method is " + text + "; expected automatic, exact or approximate");
}

inline void knn(const KnnArguments& arguments) {
  layerscope::KnnOptions options;
  options.k = arguments.k;
  options.method = knn_method(arguments.method);
  options.metric = layerscope::metric_from_name(arguments.metric);
  options.recall_sample = arguments.recall_sample;
  options.seed = arguments.seed;
  options.threads = arguments.threads;
  if (arguments.out.empty() && arguments.distances.empty() && arguments.report.empty()) {
    refuse("nothing to write: give --out, --distances or --report");
  }
  Json seconds;
  Stopwatch watch;
  const layerscope::Tensor x = layerscope::read_tensor(arguments.in);
  const layerscope::AnyView rows = as_rows(x, arguments.in);
  seconds["read"] = watch.lap();
  const layerscope::Neighbors found = layerscope::knn(rows, options);
  seconds["neighbors"] = watch.lap();
  if (!arguments.out.empty()) layerscope::write_npy(arguments.out, found.indices);
  if (!arguments.distances.empty()) layerscope::write_npy(arguments.distances, found.distances);
  seconds["write"] = watch.lap();

  if (arguments.report.empty()) return;
  const Json report{{"tensor", arguments.in},
                    {"n", rows.extent(0)},
                    {"d", rows.extent(1)},
                    {"k", found.indices.extent(1)},
                    {"metric", layerscope::name(options.metric)},
                    {"method", layerscope::name(found.method)},
                    {"reason", found.reason},
                    {"clusters_searched", found.clusters_searched},
                    {"iterations", found.iterations},
                    {"rechecked_rows", found.rechecked_rows},
                    {"recall", found.recall ? Json(*found.recall) : Json()},
                    {"seed", arguments.seed},
                    {"threads", layerscope::resolve_threads(arguments.threads)},
                    {"warnings", found.warnings},
                    {"seconds", seconds},
                    {"peak_memory_bytes", peak_memory()}};
  layerscope::publish_file(arguments.report, to_text(report));
}

}  // namespace tool
