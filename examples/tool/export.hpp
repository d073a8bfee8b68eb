// layerscope export: tensors and recorded runs for TensorBoard and for the Embedding Projector.
#pragma once

#include <layerscope/algorithms/sprite_sheet.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/readers/tensor_file.hpp>
#include <layerscope/sinks/projector.hpp>
#include <layerscope/sinks/tensorboard.hpp>
#include <layerscope/sinks/tensorboard_sink.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include "common.hpp"
#include "rows.hpp"
#include "run_directory.hpp"

namespace tool {

struct ExportArguments {
  std::vector<std::string> in;  ///< tensors, or one run directory
  std::string format;           ///< "projector": the page alone; "tensorboard": a log directory
  std::string out;
  std::string labels;    ///< empty: none; so for the two below
  std::string metadata;  ///< a TSV file
  std::string sprite;    ///< images, a tensor
  bool bytes = false;
};

/// A TSV file as columns: with a header if and only if its first line has a tab, as the projector reads it.
inline layerscope::Table read_table(const std::string& path) {
  std::vector<std::vector<std::string>> lines;
  const std::string text = layerscope::read_file(path, std::uint64_t{1} << 30);
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.pop_back();
    std::vector<std::string> cells;
    for (std::size_t from = 0;;) {
      const std::size_t tab = line.find('\t', from);
      cells.push_back(line.substr(from, tab == std::string::npos ? tab : tab - from));
      if (tab == std::string::npos) break;
      from = tab + 1;
    }
    lines.push_back(std::move(cells));
  }
  if (lines.empty()) refuse(path + ": no lines; expected one a row");
  std::vector<std::string> names{"label"};
  if (lines.front().size() > 1) {
    names = lines.front();
    lines.erase(lines.begin());
  }
  layerscope::Table table;
  for (std::size_t column = 0; column < names.size(); ++column) {
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].size() != names.size()) {
        refuse(path + ": row " + layerscope::to_text(i + 1) + " has " + layerscope::to_text(lines[i].size()) +
               " cells; expected " + layerscope::to_text(names.size()));
      }
      cells.push_back(lines[i][column]);
    }
    table.columns.push_back({names[column], std::move(cells)});
  }
  return table;
}

inline void export_tensors(const ExportArguments& arguments, const layerscope::ProjectorOptions& options) {
  const bool described = !arguments.labels.empty() || !arguments.metadata.empty() || !arguments.sprite.empty();
  if (described && arguments.in.size() > 1) {
    refuse("--labels, --metadata and --sprite describe the rows of one tensor; " +
           layerscope::to_text(arguments.in.size()) + " given");
  }
  std::vector<layerscope::ProjectorEmbedding> embeddings;
  std::vector<std::string> warnings;
  for (const std::string& name : arguments.in) {
    const layerscope::Tensor x = layerscope::read_tensor(name);
    layerscope::ProjectorEmbedding embedding;
    const std::size_t slash = name.find_last_of('/');
    embedding.name = slash == std::string::npos ? name : name.substr(slash + 1);
    embedding.rows = layerscope::copy(as_rows(x, name));
    if (!arguments.metadata.empty()) embedding.metadata = read_table(arguments.metadata);
    if (!arguments.labels.empty()) {
      std::vector<std::string> labels;
      for (const std::int64_t label : read_labels(arguments.labels, embedding.rows.extent(0))) {
        labels.push_back(layerscope::to_text(label));
      }
      embedding.metadata.columns.insert(embedding.metadata.columns.begin(), {"class", std::move(labels)});
    }
    if (!arguments.sprite.empty()) {
      const layerscope::Tensor images = layerscope::read_tensor(arguments.sprite);
      if (images.rank() == 0 || images.extent(0) != embedding.rows.extent(0)) {
        refuse(arguments.sprite + ": shape " + layerscope::to_text(images.shape()) +
               "; expected one image for each of " + layerscope::to_text(embedding.rows.extent(0)) + " rows");
      }
      layerscope::SpriteSheet sheet = layerscope::sprite_sheet(images.view());
      embedding.sprites = std::move(sheet.sprites);
      warnings = std::move(sheet.warnings);
    }
    embeddings.push_back(std::move(embedding));
  }
  const std::vector<std::string> more = layerscope::write_projector(arguments.out, embeddings, options);
  warnings.insert(warnings.end(), more.begin(), more.end());
  for (const std::string& warning : warnings) print(warning + "\n");
}

inline void export_tensor(const ExportArguments& arguments) {
  namespace fs = std::filesystem;
  const bool alone = arguments.format == "projector";
  if (!alone && arguments.format != "tensorboard") {
    refuse("--format is " + arguments.format + "; expected projector or tensorboard");
  }
  if (arguments.bytes && !alone) refuse("--bytes needs --format projector: TensorBoard reads tensors as text");
  layerscope::ProjectorOptions options;
  options.form = alone ? layerscope::ProjectorForm::standalone : layerscope::ProjectorForm::log_directory;
  if (arguments.bytes) options.tensors = layerscope::ProjectorOptions::Tensors::bytes;

  std::error_code ignored;
  if (!fs::is_directory(arguments.in.front(), ignored)) {
    export_tensors(arguments, options);
    // A directory without an event file is no run to TensorBoard.
    if (!alone) layerscope::TensorBoard(arguments.out).close();
    return;
  }
  if (arguments.in.size() > 1) refuse("IN: one run directory, or tensors; several given, one of them a directory");
  if (!arguments.labels.empty() || !arguments.metadata.empty() || !arguments.sprite.empty()) {
    refuse("--labels, --metadata and --sprite belong to a tensor; IN is a directory");
  }
  RunDirectory run(arguments.in.front());
  if (alone) {
    layerscope::ProjectorSink sink(arguments.out, {.projector = options});
    std::size_t epochs = 0;
    run.each([&](const layerscope::Artifact& artifact) {
      if (artifact.kind != "embedding") return;
      sink.write(artifact);
      ++epochs;
    });
    if (epochs == 0) refuse(arguments.in.front() + ": no embeddings; expected at least one");
    return;
  }
  layerscope::TensorBoardSink sink(arguments.out);
  run.each([&](const layerscope::Artifact& artifact) { sink.write(artifact); });
  sink.flush();
}

}  // namespace tool
