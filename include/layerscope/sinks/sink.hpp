// Where artifacts go. Derive from Sink and implement one private function:
//
//   class Printer : public layerscope::Sink {
//     void do_write(const layerscope::Artifact& artifact) override { std::puts(artifact.name.c_str()); }
//   };
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>

#include <cstdint>
#include <memory>

namespace layerscope::inline LAYERSCOPE_ABI {

/// What became of everything a run submitted: submitted = written + dropped + failed + in_flight.
struct RunCounts {
  std::uint64_t submitted = 0;
  std::uint64_t written = 0;
  std::uint64_t dropped = 0;  ///< left out because the queue was full, closed, or a newer one replaced it
  std::uint64_t failed = 0;   ///< an algorithm or a sink threw
  std::uint64_t in_flight = 0;
  friend bool operator==(const RunCounts&, const RunCounts&) = default;
};

/// Base of every sink. The public functions lock, so that a subclass never runs on two threads at once, and count.
class Sink {
 public:
  Sink();
  virtual ~Sink();
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  /// Takes one artifact. Throws what the subclass throws, after counting it as failed.
  void write(const Artifact& artifact);

  /// Makes everything taken so far visible to readers: files renamed into place, buffers handed on.
  void flush();

  /// Tells how the run stands; the recorder calls it before flush().
  void report(const RunCounts& counts);

  /// Whether it takes what embeddings were made of (Points::rows and Points::sprites), which costs copies that nobody
  /// else needs. Default: no.
  virtual bool takes_inputs() const noexcept { return false; }

  /// Artifacts taken and refused so far.
  std::uint64_t written() const noexcept;
  std::uint64_t failed() const noexcept;

 private:
  virtual void do_write(const Artifact& artifact) = 0;
  virtual void do_flush() {}
  virtual void do_report(const RunCounts& /*counts*/) {}

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/sink_inl.hpp>
#endif
