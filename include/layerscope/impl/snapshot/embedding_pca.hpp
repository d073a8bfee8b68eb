// Principal components over steps: fitted anew and turned onto the layout before, or frozen.
#pragma once

#include <layerscope/algorithms/pca.hpp>
#include <layerscope/impl/snapshot/embedding_state.hpp>
#include <layerscope/impl/snapshot/procrustes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// The rotation from the layout `now` to the one before, over the samples of both.
inline std::optional<SmallMatrix> rotation_onto(const PastLayout& before, const std::vector<std::int64_t>& ids,
                                                const std::vector<Position>& now, std::size_t dimensions,
                                                std::int64_t& common) {
  SmallMatrix sum{};
  common = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto old = before.positions.find(ids[i]);
    if (old == before.positions.end()) continue;
    ++common;
    for (std::size_t a = 0; a < dimensions; ++a) {
      for (std::size_t b = 0; b < dimensions; ++b) sum[b][a] += now[i][a] * old->second[b];
    }
  }
  if (common == 0) return std::nullopt;
  return nearest_orthogonal(sum, dimensions);
}

inline EmbeddingLayout pca_layout(const PcaProjection& method, const EmbeddingPlan& plan, const EmbeddingRows& rows,
                                  EmbeddingState& state, const JobInputs& inputs) {
  EmbeddingLayout layout;
  const AnyView x = rows.x.view();
  const bool frozen = method.basis == PcaProjection::Basis::frozen;
  if (!frozen || !state.basis || state.basis->mean.size() != x.extent(1)) {
    PcaOptions options;
    options.threads = inputs.threads;
    options.stop = inputs.stop;
    // A projection of fewer columns than dimensions lies in a plane or on a line, which is no news.
    options.components = (std::min)({static_cast<std::int64_t>(plan.dimensions), x.extent(0), x.extent(1)});
    Pca fitted = pca(x, options);
    layout.warnings = fitted.warnings;
    state.basis = std::move(fitted);
    layout.continues = !frozen;
  }
  const Pca& basis = *state.basis;
  const Tensor scores = convert(basis.transform(x, inputs.threads).view(), DType::f64);
  layout.positions.resize(rows.ids.size());
  const double* score = scores.data<double>();
  for (Position& position : layout.positions) {
    for (std::int64_t c = 0; c < scores.extent(1); ++c) position[static_cast<std::size_t>(c)] = *score++;
  }
  if (!frozen && !state.past.empty()) {
    if (const auto rotation =
            rotation_onto(state.past.back(), rows.ids, layout.positions, plan.dimensions, layout.aligned)) {
      for (Position& p : layout.positions) p = {dot(p, (*rotation)[0]), dot(p, (*rotation)[1]), dot(p, (*rotation)[2])};
    } else {
      layout.warnings.push_back("no sample in common with the step before: the layout is not aligned to it");
      layout.continues = false;
    }
  }
  layout.attributes.push_back({"method", std::string("PCA")});
  layout.attributes.push_back({"basis", std::string(frozen ? "frozen" : "aligned")});
  double explained = 0;
  for (std::size_t c = 0; c < basis.explained_variance_ratio.size(); ++c) {
    explained += basis.explained_variance_ratio[c];
    layout.attributes.push_back({"explained variance " + to_text(c + 1), basis.explained_variance_ratio[c]});
  }
  layout.caption =
      "PCA; " + to_short_text(100 * explained, 3) + " % of the variance" + (frozen ? " at the first step" : "");
  return layout;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
