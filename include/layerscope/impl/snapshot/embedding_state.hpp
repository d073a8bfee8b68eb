// What the parts of Snapshot::embedding share: the rows of a step, a layout of them, and what a name keeps from step to
// step.
#pragma once

#include <layerscope/algorithms/knn.hpp>
#include <layerscope/algorithms/pca.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/layout.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/snapshot/options.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// How an embedding is to be made, with everything but the numbers.
struct EmbeddingPlan {
  std::string title;
  std::int64_t step = 0;
  std::vector<std::string> class_names;
  EmbeddingMethod method;
  std::size_t dimensions = 2;
  Cap rows;
  std::vector<std::int64_t> drawn;  // empty: every row
  std::uint64_t seed = 0;
  std::optional<double> time_budget;
  std::int64_t quality_rows = 0;
  EmbeddingTrajectories trajectories;
  bool labelled = false;
  bool identified = false;
  bool takes_inputs = false;  // a sink does
  bool pictured = false;
  std::optional<Layout> images_layout;
};

/// The finite rows of a step.
struct EmbeddingRows {
  Tensor x;                          // [n, d], float32 or float64
  std::vector<std::int64_t> kept;    // row of the input that each is
  std::vector<std::int64_t> ids;     // [n]
  std::vector<std::int64_t> labels;  // empty or [n]
};

using Position = std::array<double, 3>;

/// A layout as a method made it.
struct EmbeddingLayout {
  std::vector<Position> positions;  // [n]
  std::int64_t aligned = 0;         // rows that were placed by where they had been
  bool continues = true;            // in the coordinates of the step before
  std::string caption;
  std::vector<Attribute> attributes;
  std::vector<std::string> warnings;
};

/// A layout of an earlier step, by sample.
struct PastLayout {
  std::int64_t step = 0;
  std::unordered_map<std::int64_t, Position> positions;
};

/// What an iterative method keeps.
struct EmbeddingIterations {
  Neighbors neighbors;            // rows of the step before
  std::vector<std::int64_t> ids;  // of those rows
  std::int64_t owed = 0;          // iterations that a time budget cut off
  std::int64_t scratch = 0;       // iterations of a layout from scratch
};

/// What a name keeps from step to step.
struct EmbeddingState {
  std::size_t method = 0;  // index of EmbeddingMethod
  std::size_t dimensions = 0;
  std::optional<Pca> basis;
  EmbeddingIterations iterations;
  std::deque<PastLayout> past;  // oldest first
  // Of the step before, to tell what changed.
  Tensor x;
  Tensor coordinates;
  std::vector<std::int64_t> ids;
  // Of the first step: a sample of its rows.
  std::int64_t first_step = 0;
  Tensor first_x;
  std::vector<std::int64_t> first_ids;
};

/// Positions as a tensor [n, dimensions] of float32.
inline Tensor position_tensor(const std::vector<Position>& positions, std::size_t dimensions) {
  Tensor tensor(DType::f32, {static_cast<std::int64_t>(positions.size()), static_cast<std::int64_t>(dimensions)});
  float* out = tensor.mutable_data<float>();
  for (const Position& position : positions) {
    for (std::size_t c = 0; c < dimensions; ++c) *out++ = static_cast<float>(position[c]);
  }
  return tensor;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
