// A run as a directory of files: one PNG and one JSON for each artifact, and a manifest of them all.
//
//   runs/mnist/manifest.json                        what there is, rewritten as the run goes
//   runs/mnist/conv1/activations-000012.png         <name>/<kind>-<step>, each through encode_component()
//   runs/mnist/conv1/activations-000012.json        the numbers, up to inline_limit of them in one array
//   runs/mnist/conv1/activations-000012.0.npy       larger arrays, named in the JSON
//
// Steps have at least six digits, negative ones an "n" before them. docs/formats/run_directory.md describes the JSON.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/sinks/sink.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Whether a kind of file is written.
enum class Output : std::uint8_t { write, skip };

/// What to do with a run that a directory already holds, that is, with its manifest.json.
enum class ExistingRun : std::uint8_t {
  resume,   ///< go on with it: the same name, kind and step is replaced, the rest stays
  replace,  ///< remove the files that its manifest lists, and nothing else, then start anew
  refuse,   ///< throw Error(invalid_argument)
};

struct DirectoryOptions {
  /// Pictures. Default: written for every artifact that has one.
  Output png = Output::write;
  /// Numbers. Default: written. Without them, or after a picture alone, a killed run loses what its last manifest
  /// does not list yet; with them it is found again.
  Output json = Output::write;
  /// What a directory that holds a run means. Default: it is continued.
  ExistingRun existing = ExistingRun::resume;
  /// Most numbers that one array has in the JSON itself; longer ones go to a .npy file beside it. Default 1024.
  std::int64_t inline_limit = 1024;
  /// Most bytes of all files of artifacts together; the oldest steps are removed first, never the newest of a name and
  /// kind. Default: no limit.
  std::optional<std::int64_t> byte_limit = std::nullopt;
  /// Once a newer step of the same name and kind is written, only steps divisible by this stay. At least 1. Default:
  /// all stay.
  std::optional<std::int64_t> keep_every = std::nullopt;
  /// Most seconds that a written artifact stays out of the manifest while others arrive, unless writing it cost more
  /// than a twentieth of them. Default 2.
  double manifest_seconds = 2;
  /// What each file waits for; see Durability. Default: nothing.
  Durability durability = Durability::none;
  /// The table of file operations, which must outlive the sink. Default: POSIX.
  const FileOperations* operations = nullptr;
};

/// Writes each artifact as PNG and JSON under one directory. A directory belongs to one such sink at a time. Every file
/// is whole at any moment: it is published as publish_file() does. Artifacts of one name, kind and step replace each
/// other; others never do, whatever their names.
///
/// write() throws Error(io) for what cannot be written. A picture that fails leaves the numbers written, with the
/// reason in the JSON and the manifest, and is then thrown. flush() writes the manifest when anything changed since.
class DirectorySink : public Sink {
 public:
  /// Makes the directory, reads the manifest of the run it may hold and removes what killed processes left half
  /// written. A manifest that cannot be read is renamed to manifest.json.broken-<n>, and a warning in the new one says
  /// so. Throws Error(io) when the directory cannot be made or written, Error(invalid_argument) for options out of
  /// range and for a run that `existing` refuses.
  explicit DirectorySink(const std::string& directory, const DirectoryOptions& options = {});
  /// Writes the manifest when anything changed; an error then is lost, unlike with flush().
  ~DirectorySink() override;

  /// Bytes of the files that the run holds, without the manifest.
  std::int64_t bytes() const noexcept;

 private:
  void do_write(const Artifact& artifact) override;
  void do_flush() override;
  void do_report(const RunCounts& counts) override;

  struct Run;
  std::unique_ptr<Run> run_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/directory_sink_inl.hpp>
#endif
