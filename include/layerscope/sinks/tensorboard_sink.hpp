// A recorder's artifacts as a TensorBoard run:
//
//   recorder.add(std::make_shared<ls::TensorBoardSink>("runs/x"));
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/sinks/sink.hpp>
#include <layerscope/sinks/tensorboard.hpp>

#include <memory>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Writes an event file into a directory, which may be the run directory of a DirectorySink too. What becomes of an
/// artifact `kind`, `name`:
///   the series of Snapshot::scalar   its new points as scalars "<name>"; a point before the last one written is left
///                                    out, a new value of the last one is written again
///   a Histogram part                 a histogram "<kind>/<name>", instead of its picture
///   a picture, or Image or Grid part an image "<kind>/<name>"
///   a Text part                      text "<kind>/<name>"
///   a Table part                     text, as a Markdown table of at most 200 rows
///   a Graph part                     the graph of the run
///   none of these but attributes     numbers as scalars "<kind>/<name>/<attribute>" (Snapshot::statistics)
///   a histogram_timeline             nothing, as the histograms become one on TensorBoard's page
///   a Points part                    beside its picture, an epoch of the embedding "<name>" of the PROJECTOR page
/// Each embedding is a run of its own, <directory>/embeddings/<name>, as TensorBoard looks for embeddings only when a
/// run appears; see ProjectorSink for what its files hold. Names get "-" where they have other than letters, digits and
/// "._-". A run that goes on in another process starts its timelines anew.
/// Several parts that become one tag have the part's name appended, the picture's is as it stands. Tags, steps, the one
/// writer of a directory and what happens when the disk is full or stuck are those of TensorBoard.
///
/// When the directory has event files already, the first artifact's step is where this run takes over: TensorBoard
/// then forgets what they had from that step on.
class TensorBoardSink final : public Sink {
 public:
  /// Throws Error(io) when the directory or the file cannot be made, and when another writer has the directory.
  explicit TensorBoardSink(const std::string& directory, TensorBoardOptions options = {});
  /// Waits for what is not written yet, at most options.close_seconds.
  ~TensorBoardSink() override;

  bool takes_inputs() const noexcept override { return true; }

  /// The event file.
  const std::string& path() const noexcept;
  /// How its values stand.
  RunCounts counts() const;

 private:
  /// Throws what drawing the picture throws, and Error(io) for values that found no room or steps that decrease.
  void do_write(const Artifact& artifact) override;
  /// Throws Error(io) when something could not be handed to the operating system within options.close_seconds.
  void do_flush() override;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/tensorboard_sink_inl.hpp>
#endif
