// The command-line tool: heatmaps, statistics and embeddings of tensors in files.
//
//   layerscope heatmap IN [--layout NCHW] --out X.png
//   layerscope stats IN
//   layerscope embed IN --method tsne|umap [--labels L] --out Y.npy --png P.png --report R.json
//   layerscope export --format projector|tensorboard IN ... --out DIR
//   layerscope knn IN -k 15 --out I.npy --report R.json
//   layerscope quality HIGH LOW [--labels L]
//   layerscope events list RUN
//   layerscope events check RUN
//
// IN and L are .npy, IDX (.gz) or "model.safetensors:tensor"; RUN is an event file of TensorBoard or a directory. Exit
// status 0, or 2 and one line on stderr; `events check` has 1 for files that are not sound.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "tool/embed.hpp"
#include "tool/events.hpp"
#include "tool/export.hpp"
#include "tool/heatmap.hpp"
#include "tool/knn.hpp"
#include "tool/quality.hpp"
#include "tool/stats.hpp"

namespace {

int run(int argc, char** argv) {
  CLI::App app("Looks into tensors of neural networks: .npy, IDX (.gz) and model.safetensors:tensor.", "layerscope");
  app.require_subcommand(1);

  tool::HeatmapArguments heatmap;
  CLI::App* const heatmap_command = app.add_subcommand("heatmap", "Draw a tensor as a picture");
  heatmap_command->add_option("IN", heatmap.in, "Tensor to read")->required();
  heatmap_command->add_option("--layout", heatmap.layout, "What each axis is, such as NCHW, OIHW; none for a matrix");
  heatmap_command
      ->add_option("--colormap", heatmap.colormap,
                   "viridis, magma, gray … (filters, with O in the layout, are blue, white, red)")
      ->capture_default_str();
  heatmap_command->add_option("--samples", heatmap.samples, "Most samples drawn")->capture_default_str();
  heatmap_command->add_option("--channels", heatmap.channels, "Most channels drawn")->capture_default_str();
  heatmap_command->add_option("--out", heatmap.out, "PNG file to write")->required();
  heatmap_command->callback([&heatmap] { tool::heatmap(heatmap); });

  tool::StatsArguments stats;
  CLI::App* const stats_command = app.add_subcommand("stats", "Print what a tensor holds, as JSON");
  stats_command->add_option("IN", stats.in, "Tensor to read")->required();
  stats_command->add_option("--layout", stats.layout, "Add each channel, of this layout, such as NCHW");
  stats_command->add_option("--threads", stats.threads, "Threads used at most; 0 is every core")->capture_default_str();
  stats_command->callback([&stats] { tool::stats(stats); });

  tool::EmbedArguments embed;
  CLI::App* const embed_command = app.add_subcommand("embed", "Lay out the rows of a tensor in 2 or 3 dimensions");
  embed_command->add_option("IN", embed.in, "Rows to embed; axes after the first are flattened")->required();
  embed_command->add_option("--method", embed.method, "pca, tsne, umap")->capture_default_str();
  embed_command->add_option("--dims", embed.dims, "Dimensions of the layout, 2 or 3 with --png")->capture_default_str();
  embed_command->add_option("--pca", embed.pca, "Reduce the rows to this many principal components first");
  embed_command->add_option("--metric", embed.metric, "euclidean, cosine, correlation, manhattan");
  embed_command->add_option("--neighbors", embed.neighbors,
                            "umap: rows in a neighbourhood, itself counted; default 15");
  embed_command->add_option("--min-dist", embed.min_dist, "umap: how close rows may come, 0 to 1; default 0.1");
  embed_command->add_option("--epochs", embed.epochs, "umap: passes; default 500, beyond 10,000 rows 200");
  embed_command->add_option("--perplexity", embed.perplexity, "tsne: effective number of neighbours; default 30");
  embed_command->add_option("--iterations", embed.iterations, "tsne: steps; default 750, beyond 10,000 rows 500");
  embed_command->add_option("--repulsion", embed.repulsion, "tsne: automatic, exact, tree, interpolation");
  embed_command->add_option("--labels", embed.labels, "Integer class of each row, a tensor as IN");
  embed_command->add_option("--threads", embed.threads, "Threads used at most; 0 is every core")->capture_default_str();
  embed_command->add_option("--seed", embed.seed, "Seed of the random numbers")->capture_default_str();
  embed_command->add_option("--out", embed.out, "Write the coordinates, .npy");
  embed_command->add_option("--png", embed.png, "Write a picture of the points");
  embed_command->add_option("--report", embed.report, "Write seconds, memory, quality and more, JSON");
  embed_command->callback([&embed] { tool::embed(embed); });

  tool::ExportArguments exported;
  CLI::App* const export_command =
      app.add_subcommand("export", "Write tensors, or a recorded run, for the Embedding Projector or TensorBoard");
  export_command->add_option("IN", exported.in, "Tensors, whose rows become points, or one run directory")->required();
  export_command
      ->add_option("--format", exported.format,
                   "projector: points for the page alone; tensorboard: a log directory, with all else a run holds")
      ->required();
  export_command->add_option("--labels", exported.labels, "Integer class of each row, a tensor as IN");
  export_command->add_option("--metadata", exported.metadata, "TSV file with a line a row; a header if it has tabs");
  export_command->add_option("--sprite", exported.sprite, "Image of each row, a tensor of axes NHW or NCHW");
  export_command->add_flag("--bytes", exported.bytes, "Tensors as float32 in place of text, for the page alone");
  export_command->add_option("--out", exported.out, "Directory to write")->required();
  export_command->callback([&exported] { tool::export_tensor(exported); });

  tool::EventsArguments events;
  bool sound = true;
  CLI::App* const events_command = app.add_subcommand("events", "Look into TensorBoard's event files");
  events_command->require_subcommand(1);
  CLI::App* const list_command =
      events_command->add_subcommand("list", "Print the tags, their kinds, values and steps");
  CLI::App* const check_command =
      events_command->add_subcommand("check", "Check checksums, versions, steps and buckets; status 1 if any is wrong");
  for (CLI::App* const command : {list_command, check_command}) {
    command->ignore_case();
    command->add_option("RUN", events.in, "Event file, or a directory with some, also deeper")->required();
    command->add_flag("--json", events.json, "Print JSON");
  }
  list_command->callback([&events] { tool::list_events(events); });
  check_command->callback([&events, &sound] { sound = tool::check_events(events); });

  tool::KnnArguments knn;
  CLI::App* const knn_command = app.add_subcommand("knn", "Find the nearest rows of each row of a tensor");
  knn_command->add_option("IN", knn.in, "Rows to search; axes after the first are flattened")->required();
  knn_command->add_option("-k", knn.k, "Neighbours of each row, itself not among them")->capture_default_str();
  knn_command->add_option("--method", knn.method, "automatic, exact, approximate")->capture_default_str();
  knn_command->add_option("--metric", knn.metric, "euclidean, cosine, correlation, manhattan")->capture_default_str();
  knn_command
      ->add_option("--recall", knn.recall_sample, "Rows on which the recall of an approximate search is measured")
      ->capture_default_str();
  knn_command->add_option("--threads", knn.threads, "Threads used at most; 0 is every core")->capture_default_str();
  knn_command->add_option("--seed", knn.seed, "Seed of the random numbers")->capture_default_str();
  knn_command->add_option("--out", knn.out, "Write the row numbers, .npy");
  knn_command->add_option("--distances", knn.distances, "Write the distances, .npy");
  knn_command->add_option("--report", knn.report, "Write seconds, memory, method and recall, JSON");
  knn_command->callback([&knn] { tool::knn(knn); });

  tool::QualityArguments quality;
  CLI::App* const quality_command =
      app.add_subcommand("quality", "Print how well a layout keeps neighbourhoods, as JSON");
  quality_command->add_option("HIGH", quality.high, "Rows that were laid out; axes after the first are flattened")
      ->required();
  quality_command->add_option("LOW", quality.low, "Their layout")->required();
  quality_command->add_option("--labels", quality.labels, "Integer class of each row, a tensor as IN");
  quality_command->add_option("--metric", quality.metric, "Of HIGH: euclidean, cosine, correlation, manhattan")
      ->capture_default_str();
  quality_command->add_option("--sample", quality.sample, "Rows looked at, at most")->capture_default_str();
  quality_command->add_option("--threads", quality.threads, "Threads used at most; 0 is every core")
      ->capture_default_str();
  quality_command->add_option("--seed", quality.seed, "Seed of the sample")->capture_default_str();
  quality_command->callback([&quality] { tool::quality(quality); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    tool::print(app.help());
  } catch (const CLI::CallForAllHelp&) {
    tool::print(app.help("", CLI::AppFormatMode::All));
  }
  return sound ? 0 : 1;
}

int fail(std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fprintf(stderr, "layerscope: %s\n", message.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    return fail("not enough memory");
  } catch (const std::exception& error) {
    return fail(error.what());
  } catch (...) {
    return fail("unknown failure");
  }
}
