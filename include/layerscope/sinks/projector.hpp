// Files of the Embedding Projector (github.com/tensorflow/tensorboard, plugins/projector): points in many dimensions
// with labels and thumbnails, which a browser turns, searches and colours.
//
//   log directory: projector_config.pbtxt, beside or above an event file, for the tab of TensorBoard
//   standalone:    projector_config.json, for the page alone, whose paths are resolved against the page
//   NAME-tensor.tsv (.bytes), NAME-metadata.tsv, NAME-sprite.png, NAME-bookmarks.json
//
// The page takes at most 100,000 rows of what it is given, and shows layouts that were computed elsewhere only as
// bookmarks: each epoch becomes one, and going through them shows a layout move. TensorBoard and the page fail on much
// that looks like data (all-zero binary tensors, empty cells, names with "&" or "+"), so that what is written here is
// what both take.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/sinks/sink.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// The page shows this many rows of a tensor and leaves out those after them.
inline constexpr std::int64_t projector_max_rows = 100'000;
/// The page refuses sprite sheets of more pixels a side.
inline constexpr std::int64_t projector_max_sprite_side = 8192;

/// A layout that was computed elsewhere: a bookmark of the page.
struct ProjectorEpoch {
  std::string label;                 ///< shown in the list of bookmarks: "step 12"
  Tensor coordinates;                ///< [m, 2] or [m, 3], finite
  std::vector<std::int64_t> rows{};  ///< empty: one point a row of the tensor, m = n; else the m rows that there were
};

/// One tensor of the page's list.
struct ProjectorEmbedding {
  /// Shown in the list. A trailing ":0", which TensorBoard drops, is left out; "&", "#", "%" and "+", which the page
  /// does not encode, become their full-width forms; what is no UTF-8 becomes U+FFFD. Names that are the same then get
  /// a number.
  std::string name;
  Tensor rows;                       ///< [n, d], any real type, finite as float32; a column of zeros is added to d = 1
  Table metadata{};                  ///< columns of n cells, their names different and not blank; may have none
  Sprites sprites{};                 ///< none, or one thumbnail a row; see sprite_sheet()
  std::vector<std::int64_t> next{};  ///< empty, or the row that follows each in its trajectory, −1 after the last
  std::vector<ProjectorEpoch> epochs{};  ///< the timeline
};

enum class ProjectorForm : std::uint8_t {
  log_directory,  ///< projector_config.pbtxt, for TensorBoard
  standalone,     ///< projector_config.json, for the page alone
};

struct ProjectorOptions {
  /// Who reads it. Default: TensorBoard.
  ProjectorForm form = ProjectorForm::log_directory;
  /// Tensors as text, or as float32 (.bytes), a third of the size, which only the page alone reads. Default: text.
  enum class Tensors : std::uint8_t { text, bytes } tensors = Tensors::text;
  /// How files are written; `publish.operations` must outlive the call.
  PublishOptions publish{};
};

/// Writes the files of all `embeddings` into `directory`, the config last, and returns what had to be changed, in
/// words. Numbers are the shortest text that reads back as the same float32. In cells, tab, newline, carriage return
/// and backslash become "\t", "\n", "\r" and "\\", other control characters "\x1b", and blank cells, which the page
/// would skip with their line, "(empty)". Trajectories become the column __seq_next__. Throws Error(empty) without
/// rows, Error(non_finite) naming the first row with NaN, infinity or a number beyond float32, Error(invalid_argument)
/// for shapes, columns and rows that do not fit each other, for trajectories that run in circles, over which the page
/// hangs, and for Tensors::bytes in a log directory; Error(io) for what cannot be written.
std::vector<std::string> write_projector(const std::string& directory, std::span<const ProjectorEmbedding> embeddings,
                                         const ProjectorOptions& options = {});

/// The columns of points: "class" (its name, else its number, else "(none)") where they are labelled, and "id" where
/// they have ids.
Table projector_metadata(const Points& points);

struct ProjectorSinkOptions {
  /// Form, encoding and file operations, as for write_projector().
  ProjectorOptions projector{};
  /// Most epochs that the timeline of one embedding keeps, at least 2; beyond it, every second of the older ones goes.
  /// Default 64.
  std::int64_t max_epochs = 64;
};

/// The embeddings of a run: each artifact with a part of Points is an epoch of the embedding of its name, and its files
/// are written anew. The tensor holds the rows that the latest epoch was made of (Points::rows), or its coordinates
/// where there are none. Other artifacts are ignored. A sample keeps its thumbnail: sheets are written when the samples
/// change.
class ProjectorSink final : public Sink {
 public:
  /// Makes the directory. Throws Error(io) when it cannot be made, Error(invalid_argument) for options out of range.
  explicit ProjectorSink(const std::string& directory, const ProjectorSinkOptions& options = {});
  ~ProjectorSink() override;

  bool takes_inputs() const noexcept override { return true; }

 private:
  void do_write(const Artifact& artifact) override;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/projector_inl.hpp>
#include <layerscope/impl/projector_sink_inl.hpp>
#endif
