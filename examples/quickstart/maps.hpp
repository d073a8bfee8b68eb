// The tensor of the quickstart's network, and how layerscope sees it: the adapter is all that your own type needs.
#pragma once

#include <layerscope/core/adapter.hpp>

#include <Eigen/Core>

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A batch of square feature maps [n, channels, side, side], a sample per row.
struct Maps {
  Maps(Eigen::Index n, int channel_count, int side_length)
      : values(Matrix::Zero(n, channel_count * side_length * side_length)),
        channels(channel_count),
        side(side_length) {}

  /// Sample i as [channels, side · side].
  Eigen::Map<Matrix> sample(Eigen::Index i) { return {values.row(i).data(), channels, side * side}; }
  Eigen::Map<const Matrix> sample(Eigen::Index i) const { return {values.row(i).data(), channels, side * side}; }

  Matrix values;
  int channels;
  int side;
};

template <>
struct layerscope::adapter<Maps> {
  static layerscope::TensorView<float> view(const Maps& x) {
    return {x.values.data(), {x.values.rows(), x.channels, x.side, x.side}};
  }
};
