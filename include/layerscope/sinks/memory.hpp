// A sink that keeps its artifacts in memory: for tests, notebooks and programs that show results themselves.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/sinks/sink.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Keeps every artifact until it is taken; the memory is the caller's to watch. The accessors may be called from any
/// thread while the sink is written to.
class MemorySink final : public Sink {
 public:
  MemorySink();
  ~MemorySink() override;

  /// Copies of the artifacts held, in the order written; tensors and pictures are shared, not copied. An
  /// artifact of Retention::latest has replaced the earlier ones of its name and kind.
  std::vector<Artifact> artifacts() const;
  /// The artifacts held, which are then forgotten.
  std::vector<Artifact> take();
  /// How many are held.
  std::size_t size() const;

 private:
  void do_write(const Artifact& artifact) override;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/memory_sink_inl.hpp>
#endif
