// The ways to lay the test digits out that torch_mnist knows by name, and a report of how they fare over the epochs.
#pragma once

#include <layerscope/core/artifact.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/sinks/sink.hpp>
#include <layerscope/snapshot/options.hpp>

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// "pca", "pca-frozen", "umap", "umap-separate", "tsne", "tsne-separate": separate ones start from scratch each time.
inline layerscope::EmbeddingMethod embedding_method(const std::string& name) {
  namespace ls = layerscope;
  if (name == "pca") return ls::PcaProjection{};
  if (name == "pca-frozen") return ls::PcaProjection{.basis = ls::PcaProjection::Basis::frozen};
  if (name == "umap") return ls::UmapProjection{};
  if (name == "umap-separate") return ls::UmapProjection{.timeline = ls::EmbeddingTimeline::separate};
  if (name == "tsne") return ls::TsneProjection{};
  if (name == "tsne-separate") return ls::TsneProjection{.timeline = ls::EmbeddingTimeline::separate};
  throw std::invalid_argument("--embedding: " + name +
                              " given; expected pca, pca-frozen, umap, umap-separate, tsne or tsne-separate");
}

/// Keeps the numbers of all embeddings, and writes them as JSON: for each name a list with an object for each step.
class EmbeddingReport final : public layerscope::Sink {
 public:
  void write_json(const std::string& path) const {
    std::string text = "{";
    for (const auto& [name, steps] : steps_) {
      text += (text.size() > 1 ? ",\n" : "\n") + ("\"" + name + "\": [\n");
      for (std::size_t i = 0; i < steps.size(); ++i) text += "  " + steps[i] + (i + 1 < steps.size() ? ",\n" : "\n]");
    }
    layerscope::publish_file(path, text + "\n}\n");
  }

 private:
  void do_write(const layerscope::Artifact& artifact) override {
    if (artifact.kind != "embedding") return;
    std::string object = "{\"step\": " + layerscope::to_text(artifact.step);
    for (const layerscope::Attribute& attribute : artifact.attributes) {
      object += ", \"" + attribute.name + "\": ";
      if (const auto* text = std::get_if<std::string>(&attribute.value))
        object += "\"" + *text + "\"";
      else if (const auto* count = std::get_if<std::int64_t>(&attribute.value))
        object += layerscope::to_text(*count);
      else
        object += layerscope::to_text(std::get<double>(attribute.value));
    }
    steps_[artifact.name].push_back(object + "}");
  }

  std::map<std::string, std::vector<std::string>> steps_;
};
