// A sink that passes everything on to several others.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/sinks/sink.hpp>

#include <memory>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Each sink gets every artifact, even when another throws. Afterwards one Error says how many of how many failed and
/// what the first said; its code is the first one's, or io where that was no Error. flush() and report() likewise.
class FanOut final : public Sink {
 public:
  /// Throws Error(invalid_argument) for a null sink.
  explicit FanOut(std::vector<std::shared_ptr<Sink>> sinks);

  bool takes_inputs() const noexcept override;

 private:
  void do_write(const Artifact& artifact) override;
  void do_flush() override;
  void do_report(const RunCounts& counts) override;

  std::vector<std::shared_ptr<Sink>> sinks_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/fan_out_inl.hpp>
#endif
