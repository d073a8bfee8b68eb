// Body of the class of algorithms/attention_timeline.hpp.
#pragma once

#include <layerscope/algorithms/attention_timeline.hpp>
#include <layerscope/algorithms/detail/attention_panel.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE AttentionTimeline::AttentionTimeline(AttentionTimelineOptions options) : options_(options) {
  const auto refuse = [](const char* option, std::int64_t value, const char* expected) {
    throw Error(ErrorCode::invalid_argument,
                std::string("attention_timeline: ") + option + ' ' + to_text(value) + "; expected " + expected);
  };
  const std::int64_t steps = options_.max_steps;
  if (steps < 0 || steps > 65536 || steps % 2 != 0) refuse("max_steps", steps, "an even number from 0 to 65536");
  if (options_.max_side < 1) refuse("max_side", options_.max_side, "1 or more");
  if (options_.max_row < 1) refuse("max_row", options_.max_row, "1 or more");
}

LAYERSCOPE_INLINE void AttentionTimeline::add(std::int64_t step, const AttentionSummary& summary) {
  const bool row = summary.queries == 1;
  Step kept;
  kept.step = step;
  if (!summary.query_tokens.empty()) kept.token = summary.query_tokens.back();
  kept.queries = summary.queries;
  kept.keys = summary.keys;
  kept.entropy = summary.entropy;
  kept.distance = summary.distance;
  for (std::int64_t head = 0; head < summary.heads; ++head) {
    const std::int64_t most_columns = row ? options_.max_row : options_.max_side;
    const detail::AttentionPanel panel(summary, head, options_.max_side, most_columns);
    if (head == 0) {
      kept.pooled = Tensor(DType::f32, {summary.heads, panel.rows, panel.columns});
      kept.query_pool = panel.query_pool;
      kept.key_pool = panel.key_pool;
    }
    std::copy(panel.cells.begin(), panel.cells.end(),
              kept.pooled.mutable_data<float>() + head * panel.rows * panel.columns);
  }
  if (options_.max_steps == 0) {
    // A row grows with the run; twice the first one is a guess.
    const auto bytes = static_cast<std::int64_t>(kept.pooled.bytes()) * (row ? 2 : 1) + 256;
    options_.max_steps = (std::clamp<std::int64_t>)((std::int64_t{4} << 20) / bytes, 16, 512) / 2 * 2;
  }
  const bool longest = std::none_of(steps_.begin(), steps_.end(),
                                    [&](const Step& other) { return other.step != step && other.keys > summary.keys; });
  if (longest) key_tokens_ = summary.key_tokens;
  thinning_.insert(steps_, std::move(kept), options_.max_steps, [](const Step& one) { return one.step; });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
