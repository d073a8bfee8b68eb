// A sink that takes everything and keeps nothing: to measure, or to switch recording off without touching the code.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/sinks/sink.hpp>

namespace layerscope::inline LAYERSCOPE_ABI {

class NullSink final : public Sink {
 private:
  void do_write(const Artifact& /*artifact*/) override {}
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
