// One layer's attention over the steps of a run: over epochs, as small pictures of each head with their entropy and
// distance as lines; over the steps of a decoder, as the row of each generated token.
#pragma once

#include <layerscope/algorithms/attention.hpp>
#include <layerscope/algorithms/attention_chart.hpp>
#include <layerscope/algorithms/detail/step_thinning.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/tensor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

struct AttentionTimelineOptions {
  /// Steps kept, an even number from 2 to 65,536; 0 for as many as take 4 MiB by the first step, 16 to 512. When there
  /// are more, every second one is given up, again and again; the first and the newest stay. Default 0.
  std::int64_t max_steps = 0;
  /// Cells a side kept of each head of several queries, 1 or more. Default 24.
  std::int64_t max_side = 24;
  /// Cells kept of the row of a single query, 1 or more. Default 512.
  std::int64_t max_row = 512;
};

/// What is kept of a layer's attention in the run so far: a value.
class AttentionTimeline {
 public:
  struct Step {
    std::int64_t step = 0;
    std::string token;  ///< of the newest query, as the tokenizer writes it; may be empty
    std::int64_t queries = 0, keys = 0;
    Tensor pooled;  ///< float32 [heads, rows, columns], the largest weights of blocks
    std::int64_t query_pool = 1, key_pool = 1;
    std::vector<double> entropy, distance;  ///< as in AttentionSummary
  };

  /// Throws Error(invalid_argument) for options out of range.
  explicit AttentionTimeline(AttentionTimelineOptions options = {});

  /// A step given again replaces what is kept of it; steps may come in any order.
  void add(std::int64_t step, const AttentionSummary& summary);

  /// The steps kept, in increasing order.
  const std::vector<Step>& steps() const noexcept { return steps_; }
  /// Steps that were added (again counts once), kept or not.
  std::int64_t steps_added() const noexcept { return thinning_.added(); }
  /// The keys' tokens of the step that has most keys.
  const std::vector<std::string>& key_tokens() const noexcept { return key_tokens_; }

 private:
  AttentionTimelineOptions options_;
  std::vector<Step> steps_;
  std::vector<std::string> key_tokens_;
  detail::StepThinning thinning_;
};

struct AttentionTimelineChartOptions {
  /// First line. Default none.
  std::string title{};
  /// The one head shown. Default: of decoding steps the mean of all, of epochs each of the first 8.
  std::optional<std::int64_t> head{};
  /// Default viridis.
  Colormap colormap = Colormap::viridis;
  /// As in AttentionChartOptions; for decoding steps.
  std::optional<ColourBar::Scale> scale{};
  /// Small lines below the picture, before those that it adds itself.
  std::vector<std::string> captions{};
};

/// A row a step of one query, from the first to the newest: what the token of that step looked at. Keys that were not
/// there yet are grey. Throws Error(empty) when no step of one query is kept, Error(invalid_argument) for a head that
/// there is none of.
Image attention_decoding(const AttentionTimeline& timeline, const AttentionTimelineChartOptions& options = {});

/// A row a head, a column for each of up to 10 steps of several queries, evenly spaced, each head on one scale; below
/// it entropy and mean distance of the heads over all steps. Throws Error(empty) when no step of several queries is
/// kept, Error(invalid_argument) for a head that there is none of.
Image attention_epochs(const AttentionTimeline& timeline, const AttentionTimelineChartOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/attention_decoding_inl.hpp>
#include <layerscope/impl/attention_epochs_inl.hpp>
#include <layerscope/impl/attention_timeline_inl.hpp>
#endif
