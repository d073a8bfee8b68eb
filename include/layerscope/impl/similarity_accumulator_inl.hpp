// Body of algorithms/similarity.hpp: minibatches.
#pragma once

#include <layerscope/algorithms/similarity.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/impl/similarity_inl.hpp>
#include <layerscope/impl/similarity_sums_inl.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE void SimilarityAccumulator::add(std::span<const Representation> batch) {
  const detail::JointRows rows(batch, options_.non_finite);
  detail::check_same_layers(batch, names_);
  const std::size_t layers = rows.layers();
  const std::int64_t d = rows.features();
  if (names_.empty()) {
    if (d > 32768) {
      throw Error(ErrorCode::too_large, "similarity: " + to_text(d) + " features in all layers together; at most " +
                                            "32768 are expected, or MinibatchCka");
    }
  } else {
    detail::check_same_features(batch, begins_);
  }
  // 1 MiB of rows at a time, but enough of them for the product to be efficient.
  const std::int64_t step = (std::clamp<std::int64_t>)((std::int64_t{1} << 17) / d, 256, 4096);
  std::vector<double> z(static_cast<std::size_t>((std::min)(step, rows.samples()) * d));
  std::vector<double> norms(layers * static_cast<std::size_t>((std::min)(step, rows.samples())));
  if (names_.empty()) {
    std::vector<double> origin(static_cast<std::size_t>(d)), sums(origin.size()), squared_norms(layers),
        squares(layers * layers), cubes(layers * origin.size());
    std::vector<double> scatter(static_cast<std::size_t>(d * d));
    std::vector<std::string> names = detail::names_of(batch);
    begins_ = rows.begins();
    origin_ = std::move(origin);
    sums_ = std::move(sums);
    norms_ = std::move(squared_norms);
    squares_ = std::move(squares);
    cubes_ = std::move(cubes);
    scatter_ = std::move(scatter);
    names_ = std::move(names);
  }
  for (std::int64_t first = 0; first < rows.samples(); first += step) {
    const std::int64_t count = (std::min)(step, rows.samples() - first);
    for (std::size_t layer = 0; layer < layers; ++layer) {
      rows.read(layer, first, count, z.data() + begins_[layer], d);
    }
    if (samples_ == 0) {
      detail::take_means_off(count, d, d, z.data(), origin_.data());
    } else {
      for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t c = 0; c < d; ++c)
          z[static_cast<std::size_t>(r * d + c)] -= origin_[static_cast<std::size_t>(c)];
      }
    }
    add_symmetric_product(count, d, StridedMatrix<double>{z.data(), d}, scatter_.data(), options_.threads);
    for (std::int64_t r = 0; r < count; ++r) {
      const double* row = z.data() + r * d;
      double* const norm = norms.data() + static_cast<std::size_t>(r) * layers;
      for (std::size_t layer = 0; layer < layers; ++layer) {
        double sum = 0;
        for (std::int64_t c = begins_[layer]; c < begins_[layer + 1]; ++c) sum += row[c] * row[c];
        norm[layer] = sum;
        norms_[layer] += sum;
      }
      for (std::int64_t c = 0; c < d; ++c) sums_[static_cast<std::size_t>(c)] += row[c];
      for (std::size_t i = 0; i < layers; ++i) {
        for (std::size_t j = 0; j < layers; ++j) squares_[i * layers + j] += norm[i] * norm[j];
      }
    }
    parallel_for(static_cast<std::int64_t>(layers), options_.threads, [&](std::int64_t layer) {
      double* const cube = cubes_.data() + layer * d;
      for (std::int64_t r = 0; r < count; ++r) {
        const double norm = norms[static_cast<std::size_t>(r) * layers + static_cast<std::size_t>(layer)];
        const double* row = z.data() + r * d;
        for (std::int64_t c = 0; c < d; ++c) cube[c] += norm * row[c];
      }
    });
    samples_ += count;
  }
  dropped_ += rows.dropped();
}

LAYERSCOPE_INLINE SimilarityMatrix SimilarityAccumulator::result(SimilarityMeasure measure) const {
  if (samples_ == 0) {
    throw Error(ErrorCode::empty,
                "similarity: an accumulator of 0 samples (" + to_text(dropped_) + " left out); expected at least one");
  }
  return detail::measure_all(detail::SimilarityAccess::sums(*this), measure, names_, names_.size(), 0, dropped_,
                             options_.stop);
}

LAYERSCOPE_INLINE void MinibatchCka::add(std::span<const Representation> batch) {
  const detail::JointRows rows(batch, options_.non_finite);
  detail::check_same_layers(batch, names_);
  detail::check_samples(rows.samples(), SimilarityMeasure::debiased_cka);
  const detail::SampleSums sums(rows, SimilarityMeasure::debiased_cka, options_);
  const std::size_t layers = rows.layers();
  if (names_.empty()) {
    std::vector<std::string> names = detail::names_of(batch);
    hsic_.assign(layers * layers, 0.0);
    names_ = std::move(names);
  }
  const auto n = static_cast<double>(rows.samples());
  for (std::size_t i = 0; i < layers; ++i) {
    for (std::size_t j = i; j < layers; ++j) {
      hsic_[i * layers + j] += sums.product(SimilarityMeasure::debiased_cka, i, j) / (n * (n - 3));
      hsic_[j * layers + i] = hsic_[i * layers + j];
    }
  }
  ++batches_;
  samples_ += rows.samples();
  dropped_ += rows.dropped();
}

LAYERSCOPE_INLINE SimilarityMatrix MinibatchCka::result() const {
  if (batches_ == 0) throw Error(ErrorCode::empty, "debiased CKA: 0 batches were added; expected at least one");
  const std::size_t layers = names_.size();
  SimilarityMatrix matrix;
  matrix.measure = SimilarityMeasure::debiased_cka;
  matrix.row_names = names_;
  matrix.column_names = names_;
  matrix.samples = samples_;
  matrix.dropped_samples = dropped_;
  detail::SelfSimilarity self;
  for (std::size_t i = 0; i < layers; ++i) self.add(hsic_[i * layers + i], matrix.measure, names_[i]);
  for (const std::string& problem : self.problems) {
    if (!problem.empty()) matrix.warnings.push_back(problem);
  }
  if (dropped_ > 0) matrix.warnings.push_back(to_text(dropped_) + " samples left out for NaN or infinity");
  for (std::size_t i = 0; i < layers; ++i) {
    for (std::size_t j = 0; j < layers; ++j) {
      const bool defined = self.problems[i].empty() && self.problems[j].empty();
      matrix.values.push_back(!defined ? std::numeric_limits<double>::quiet_NaN()
                              : i == j ? 1
                                       : detail::ratio(hsic_[(std::min)(i, j) * layers + (std::max)(i, j)],
                                                       self.value[(std::min)(i, j)], self.value[(std::max)(i, j)]));
    }
  }
  return matrix;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
