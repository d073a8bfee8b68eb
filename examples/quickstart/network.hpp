// A convolutional network of 54,000 parameters with its backward pass, on Eigen:
// conv 5×5 (8) – ReLU – pool – conv 5×5 (16) – ReLU – pool – fully connected (64) – ReLU – fully connected (10).
#pragma once

#include <layerscope/core/random.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "maps.hpp"

/// Numbers that are learned, by Adam (Kingma and Ba 2015).
struct Parameter {
  Parameter(Eigen::Index rows, Eigen::Index columns, double spread, std::uint64_t stream)
      : value(rows, columns), gradient(Matrix::Zero(rows, columns)), mean(gradient), square(gradient) {
    const layerscope::Random random(1, stream);
    for (Eigen::Index i = 0; i < value.size(); ++i) {
      value.data()[i] = static_cast<float>(spread * random.normal(static_cast<std::uint64_t>(i)));
    }
  }

  void step(int t, float rate = 1e-3f) {
    mean = 0.9f * mean + 0.1f * gradient;
    square = 0.999f * square + 0.001f * gradient.cwiseAbs2();
    const float correction =
        std::sqrt(1 - std::pow(0.999f, static_cast<float>(t))) / (1 - std::pow(0.9f, static_cast<float>(t)));
    value.array() -= rate * correction * mean.array() / (square.array().sqrt() + 1e-8f);
  }

  Matrix value, gradient, mean, square;
};

/// 5×5 convolution that keeps the side length, as a matrix product with the image's patches.
class Convolution {
 public:
  Convolution(int in, int out, std::uint64_t stream)
      : weight(out, in * 25, std::sqrt(2.0 / (in * 25)), stream), bias(out, 1, 0, stream), in_channels(in) {}

  Maps forward(const Maps& x) const {
    Maps y(x.values.rows(), static_cast<int>(weight.value.rows()), x.side);
    Matrix patches(in_channels * 25, x.side * x.side);
    for (Eigen::Index i = 0; i < x.values.rows(); ++i) {
      for_patches(x.side, [&](int row, int column, int at) { patches(row, column) = at < 0 ? 0 : x.values(i, at); });
      y.sample(i).noalias() = weight.value * patches;
      y.sample(i).colwise() += bias.value.col(0);
    }
    return y;
  }

  /// Adds to the gradients; returns the gradient by x.
  Maps backward(const Maps& x, const Maps& dy) {
    Maps dx(x.values.rows(), in_channels, x.side);
    Matrix patches(in_channels * 25, x.side * x.side);
    for (Eigen::Index i = 0; i < x.values.rows(); ++i) {
      for_patches(x.side, [&](int row, int column, int at) { patches(row, column) = at < 0 ? 0 : x.values(i, at); });
      weight.gradient.noalias() += dy.sample(i) * patches.transpose();
      bias.gradient += dy.sample(i).rowwise().sum();
      patches.noalias() = weight.value.transpose() * dy.sample(i);
      for_patches(x.side, [&](int row, int column, int at) {
        if (at >= 0) dx.values(i, at) += patches(row, column);
      });
    }
    return dx;
  }

  Parameter weight, bias;
  int in_channels;

 private:
  /// Calls visit(patch element, pixel, index in the image or −1 outside of it).
  template <class Visit>
  void for_patches(int side, Visit visit) const {
    for (int row = 0; row < in_channels * 25; ++row) {
      const int channel = row / 25, dy = row % 25 / 5 - 2, dx = row % 5 - 2;
      for (int y = 0; y < side; ++y) {
        for (int x = 0; x < side; ++x) {
          const bool inside = y + dy >= 0 && y + dy < side && x + dx >= 0 && x + dx < side;
          visit(row, y * side + x, inside ? (channel * side + y + dy) * side + x + dx : -1);
        }
      }
    }
  }
};

/// The largest of 2×2 pixels and zero: ReLU and max-pooling in one.
struct ReluPool {
  Maps forward(const Maps& x) {
    Maps y(x.values.rows(), x.channels, x.side / 2);
    chosen.assign(static_cast<std::size_t>(y.values.size()), -1);
    for (Eigen::Index out = 0; out < y.values.size(); ++out) {
      const Eigen::Index column = out % y.side, row = out / y.side;  // rows counted through all maps
      for (const Eigen::Index in : {0, 1, x.side, x.side + 1}) {
        const Eigen::Index at = 2 * row * x.side + 2 * column + in;
        if (x.values.data()[at] <= y.values.data()[out]) continue;
        y.values.data()[out] = x.values.data()[at];
        chosen[static_cast<std::size_t>(out)] = at;
      }
    }
    return y;
  }

  Maps backward(const Maps& x, const Matrix& dy) const {
    Maps dx(x.values.rows(), x.channels, x.side);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      if (chosen[i] >= 0) dx.values.data()[chosen[i]] = dy.data()[i];
    }
    return dx;
  }

  std::vector<Eigen::Index> chosen;
};

struct Dense {
  Dense(int in, int out, std::uint64_t stream)
      : weight(out, in, std::sqrt(2.0 / in), stream), bias(1, out, 0, stream) {}

  Matrix forward(const Matrix& x) const {
    Matrix y = x * weight.value.transpose();
    y.rowwise() += bias.value.row(0);
    return y;
  }
  Matrix backward(const Matrix& x, const Matrix& dy) {
    weight.gradient.noalias() += dy.transpose() * x;
    bias.gradient += dy.colwise().sum();
    return dy * weight.value;
  }

  Parameter weight, bias;
};

class Network {
 public:
  /// What each layer puts out for a batch.
  struct Outputs {
    Maps conv1, pool1, conv2, pool2;
    Matrix fc1, logits;
  };

  Outputs forward(const Maps& images) {
    Maps a = conv1.forward(images);
    Maps b = pool1_.forward(a);
    Maps c = conv2.forward(b);
    Maps d = pool2_.forward(c);
    Matrix e = fc1.forward(d.values).cwiseMax(0);
    Matrix f = fc2.forward(e);
    return {std::move(a), std::move(b), std::move(c), std::move(d), std::move(e), std::move(f)};
  }

  /// One step of Adam on a batch, down the gradient of its mean cross-entropy.
  void train(const Maps& images, std::span<const std::int64_t> labels) {
    const std::array parameters{&conv1.weight, &conv1.bias, &conv2.weight, &conv2.bias,
                                &fc1.weight,   &fc1.bias,   &fc2.weight,   &fc2.bias};
    for (Parameter* p : parameters) p->gradient.setZero();
    const Outputs y = forward(images);
    Matrix d = probabilities(y.logits);
    for (std::size_t i = 0; i < labels.size(); ++i) d(static_cast<Eigen::Index>(i), labels[i]) -= 1;
    d /= static_cast<float>(labels.size());

    d = fc2.backward(y.fc1, d).cwiseProduct(y.fc1.cwiseSign());  // the ReLU lets through what was above 0
    d = fc1.backward(y.pool2.values, d);
    d = conv2.backward(y.pool1, pool2_.backward(y.conv2, d)).values;
    conv1.backward(images, pool1_.backward(y.conv1, d));
    ++steps_;
    for (Parameter* p : parameters) p->step(steps_);
  }

  static Matrix probabilities(const Matrix& logits) {
    Matrix p = (logits.colwise() - logits.rowwise().maxCoeff()).array().exp();
    p.array().colwise() /= p.rowwise().sum().array();
    return p;
  }

  static float cross_entropy(const Matrix& p, std::span<const std::int64_t> labels) {
    float sum = 0;
    for (std::size_t i = 0; i < labels.size(); ++i)
      sum -= std::log(p(static_cast<Eigen::Index>(i), labels[i]) + 1e-12f);
    return sum / static_cast<float>(labels.size());
  }

  Convolution conv1{1, 8, 1}, conv2{8, 16, 2};
  Dense fc1{16 * 7 * 7, 64, 3}, fc2{64, 10, 4};

 private:
  ReluPool pool1_, pool2_;
  int steps_ = 0;
};
