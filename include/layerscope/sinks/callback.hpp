// A sink that hands each artifact to a function of yours.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/sinks/sink.hpp>

#include <functional>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Calls a function with every artifact, or with those of one kind, one at a time, on the thread that writes: with a
/// Recorder that is its worker. What the function throws counts as a failure of this sink.
class CallbackSink final : public Sink {
 public:
  using Callback = std::function<void(const Artifact&)>;

  /// Every artifact. Throws Error(invalid_argument) for an empty function.
  explicit CallbackSink(Callback callback);
  /// Only artifacts of this kind; the others are taken and ignored. Throws as above.
  CallbackSink(std::string kind, Callback callback);

 private:
  void do_write(const Artifact& artifact) override;

  std::string kind_;
  bool every_kind_;
  Callback callback_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/callback_sink_inl.hpp>
#endif
