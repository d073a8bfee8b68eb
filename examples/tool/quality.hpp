// layerscope quality: how well a layout keeps the neighbourhoods of the rows it was made of, as JSON.
#pragma once

#include <layerscope/algorithms/embedding_quality.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/readers/tensor_file.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "common.hpp"
#include "rows.hpp"

namespace tool {

struct QualityArguments {
  std::string high;
  std::string low;
  std::string labels;  ///< empty: none
  std::string metric = "euclidean";
  std::int64_t sample = 2000;
  int threads = 0;
  std::uint64_t seed = 0;
};

inline Json score_json(const layerscope::QualityScore& score) {
  return {{"value", score.value}, {"standard_error", score.standard_error}};
}

inline Json quality_json(const layerscope::EmbeddingQuality& found) {
  return {{"sampled_rows", found.sampled_rows},
          {"trustworthiness_neighbors", found.trustworthiness_neighbors},
          {"preservation_neighbors", found.preservation_neighbors},
          {"label_neighbors", found.label_neighbors},
          {"trustworthiness", score_json(found.trustworthiness)},
          {"continuity", score_json(found.continuity)},
          {"neighbor_preservation", score_json(found.neighbor_preservation)},
          {"label_accuracy", found.label_accuracy ? score_json(*found.label_accuracy) : Json()},
          {"warnings", found.warnings}};
}

inline void quality(const QualityArguments& arguments) {
  layerscope::EmbeddingQualityOptions options;
  options.metric = layerscope::metric_from_name(arguments.metric);
  options.sample = arguments.sample;
  options.seed = arguments.seed;
  options.threads = arguments.threads;
  Json seconds;
  Stopwatch watch;
  const layerscope::Tensor x = layerscope::read_tensor(arguments.high);
  const layerscope::Tensor y = layerscope::read_tensor(arguments.low);
  const layerscope::AnyView high = as_rows(x, arguments.high);
  const layerscope::AnyView low = as_rows(y, arguments.low);
  std::vector<std::int64_t> labels;
  if (!arguments.labels.empty()) labels = read_labels(arguments.labels, high.extent(0));
  seconds["read"] = watch.lap();
  const layerscope::EmbeddingQuality found = layerscope::embedding_quality(high, low, labels, options);
  seconds["quality"] = watch.lap();
  Json json{{"high", arguments.high},
            {"low", arguments.low},
            {"n", found.rows},
            {"metric", layerscope::name(options.metric)}};
  json.update(quality_json(found));
  json.update({{"seed", arguments.seed},
               {"threads", layerscope::resolve_threads(arguments.threads)},
               {"seconds", seconds},
               {"peak_memory_bytes", peak_memory()}});
  print(to_text(json));
}

}  // namespace tool
