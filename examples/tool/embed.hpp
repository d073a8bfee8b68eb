// layerscope embed: the rows of a tensor as points, with a picture and a report of what it cost and how good it is.
//
// A method is one header embed_<method>.hpp with one function, and one line of embed_methods.
#pragma once

#include <layerscope/algorithms/embedding_quality.hpp>
#include <layerscope/algorithms/pca.hpp>
#include <layerscope/algorithms/scatter.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/core/npy.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/readers/tensor_file.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "embed_layout.hpp"
#include "embed_pca.hpp"
#include "embed_tsne.hpp"
#include "embed_umap.hpp"
#include "quality.hpp"

namespace tool {

struct EmbedMethod {
  std::string_view name;
  EmbedLayout (*lay_out)(const EmbedArguments& arguments, const layerscope::AnyView& rows);
  /// Those of special_options() that it takes, with a blank after each.
  std::string_view options;
};

inline constexpr EmbedMethod embed_methods[] = {
    {"pca", embed_pca, ""},
    {"tsne", embed_tsne, "--pca --metric --perplexity --iterations --repulsion "},
    {"umap", embed_umap, "--pca --metric --neighbors --min-dist --epochs "},
};

inline const EmbedMethod& embed_method(const EmbedArguments& arguments) {
  std::string names;
  for (const EmbedMethod& method : embed_methods) {
    if (method.name == arguments.method) {
      for (const std::string& option : special_options(arguments)) {
        if (method.options.find(option + ' ') == std::string_view::npos) {
          refuse(option + " is given; --method " + arguments.method + " takes no such option");
        }
      }
      return method;
    }
    names += (names.empty() ? "" : ", ") + std::string(method.name);
  }
  refuse("--method is " + arguments.method + "; expected one of: " + names);
}

inline void write_picture(const EmbedArguments& arguments, const layerscope::Points& points, const std::string& axis) {
  layerscope::ScatterOptions look;
  look.title = arguments.in;
  if (!axis.empty()) {
    look.x_label = axis + "1";
    look.y_label = axis + "2";
    look.axes = layerscope::Axes::ticks;
  }
  layerscope::write_png(arguments.png, layerscope::scatter(points, look));
}

/// How well the layout keeps the neighbourhoods of the rows as they were read; null for fewer than 3.
inline Json layout_quality(const EmbedArguments& arguments, const layerscope::AnyView& rows,
                           const layerscope::Points& points) {
  if (rows.extent(0) < 3) return {};
  layerscope::EmbeddingQualityOptions options;
  if (arguments.metric) options.metric = layerscope::metric_from_name(*arguments.metric);
  options.seed = arguments.seed;
  options.threads = arguments.threads;
  return quality_json(layerscope::embedding_quality(rows, points.coordinates, points.labels, options));
}

inline void embed(const EmbedArguments& arguments) {
  const EmbedMethod& method = embed_method(arguments);
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

  layerscope::Tensor reduced;
  std::vector<std::string> warnings;
  if (arguments.pca) {
    layerscope::PcaOptions options;
    options.components = *arguments.pca;
    options.seed = arguments.seed;
    options.threads = arguments.threads;
    const layerscope::Pca pca = layerscope::pca(rows, options);
    reduced = pca.transform(rows, arguments.threads);
    warnings = pca.warnings;
    seconds["pca"] = watch.lap();
  }
  EmbedLayout layout = method.lay_out(arguments, arguments.pca ? reduced.view() : rows);
  seconds.update(layout.seconds);
  warnings.insert(warnings.end(), layout.warnings.begin(), layout.warnings.end());
  points.coordinates = std::move(layout.coordinates);
  seconds["total"] = watch.lap() + (arguments.pca ? seconds["pca"].get<double>() : 0);

  if (!arguments.out.empty()) layerscope::write_npy(arguments.out, points.coordinates);
  if (!arguments.png.empty()) write_picture(arguments, points, layout.axis);
  seconds["write"] = watch.lap();

  if (arguments.report.empty()) return;
  const Json quality = layout_quality(arguments, rows, points);
  seconds["quality"] = watch.lap();
  Json report{{"tensor", arguments.in},
              {"method", arguments.method},
              {"n", rows.extent(0)},
              {"d", rows.extent(1)},
              {"dims", points.coordinates.extent(1)},
              {"pca", arguments.pca ? Json(reduced.extent(1)) : Json()},
              {"seed", arguments.seed},
              {"threads", layerscope::resolve_threads(arguments.threads)}};
  report.update(layout.fields);
  report.update(
      {{"quality", quality}, {"warnings", warnings}, {"seconds", seconds}, {"peak_memory_bytes", peak_memory()}});
  layerscope::publish_file(arguments.report, to_text(report));
}

}  // namespace tool
