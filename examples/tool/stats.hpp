// layerscope stats: what a tensor of a file holds, as JSON.
#pragma once

#include <layerscope/algorithms/statistics.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/readers/tensor_file.hpp>

#include <string>
#include <vector>

#include "common.hpp"

namespace tool {

struct StatsArguments {
  std::string in;
  std::string layout;  ///< empty: no statistics of channels
  int threads = 0;
};

inline Json moments_json(const layerscope::Moments& moments) {
  Json json{{"count", moments.count()},
            {"nan", moments.nan_count()},
            {"positive_infinity", moments.positive_infinity_count()},
            {"negative_infinity", moments.negative_infinity_count()},
            {"zeros", moments.zero_count()}};
  const bool some = moments.count() > 0;  // what does not exist is null
  json["mean"] = some ? Json(moments.mean()) : Json();
  json["standard_deviation"] = some ? Json(moments.standard_deviation()) : Json();
  json["min"] = some ? Json(moments.min()) : Json();
  json["max"] = some ? Json(moments.max()) : Json();
  return json;
}

inline void stats(const StatsArguments& arguments) {
  const layerscope::Tensor x = layerscope::read_tensor(arguments.in);
  const layerscope::Statistics statistics = layerscope::statistics(x, {.threads = arguments.threads});
  Json json{{"tensor", arguments.in},
            {"dtype", layerscope::name(x.dtype())},
            {"shape", std::vector<std::int64_t>(x.shape().begin(), x.shape().end())}};
  json.update(moments_json(statistics.moments()));
  for (const double q : {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99}) {
    json["quantiles"][layerscope::to_text(q)] = statistics.count() > 0 ? Json(statistics.quantile(q)) : Json();
  }
  if (!arguments.layout.empty()) {
    const auto channels =
        layerscope::channel_statistics(x, layerscope::Layout(arguments.layout), {.threads = arguments.threads});
    json["dead_channels"] = channels.dead();
    json["channels"] = Json::array();
    for (std::int64_t c = 0; c < channels.channels(); ++c) json["channels"].push_back(moments_json(channels[c]));
  }
  print(to_text(json));
}

}  // namespace tool
