// Rows of a run that is longer than what is kept of it.
#pragma once

#include <layerscope/config.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Keeps rows by increasing step and at most so many of them: when there are more, every second one is given up, again
/// and again, but for the first and the newest.
class StepThinning {
 public:
  /// Puts `row` among `rows`, in place of one of the same step. `most` is even; `step_of(row)` is its step.
  template <class Row, class StepOf>
  void insert(std::vector<Row>& rows, Row row, std::int64_t most, const StepOf& step_of) {
    const std::int64_t step = step_of(row);
    const auto at = std::lower_bound(rows.begin(), rows.end(), step,
                                     [&](const Row& other, std::int64_t sought) { return step_of(other) < sought; });
    if (at != rows.end() && step_of(*at) == step) {
      *at = std::move(row);
      return;
    }
    ++added_;
    if (at == rows.end() && since_kept_ > 0) {
      rows.back() = std::move(row);  // which was kept as the newest only
    } else {
      rows.insert(at, std::move(row));
    }
    since_kept_ = (since_kept_ + 1) % stride_;
    if (static_cast<std::int64_t>(rows.size()) <= most) return;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < rows.size(); i += 2, ++kept) {
      if (kept != i) rows[kept] = std::move(rows[i]);
    }
    rows.resize(kept);                            // their number was odd: the newest stays
    if (since_kept_ > 0) since_kept_ += stride_;  // the row before the newest was given up
    stride_ *= 2;
  }

  /// Rows that were inserted (again counts once), kept or not.
  std::int64_t added() const noexcept { return added_; }
  /// Of how many rows one is kept, beside the newest: 1, 2, 4 …
  std::int64_t stride() const noexcept { return stride_; }

 private:
  std::int64_t added_ = 0;
  std::int64_t stride_ = 1;
  std::int64_t since_kept_ = 0;  // rows since the last one that stays; above 0 the last row is only the newest
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
