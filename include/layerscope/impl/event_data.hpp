// What event files hold of tensors: histograms as TensorFlow counts them, pictures, tables as Markdown.
#pragma once

#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/event_record.hpp>
#include <layerscope/sinks/tensorboard.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Rows of left edge, right edge and count.
struct EventHistogram {
  std::vector<double> rows;      // [bins, 3]
  std::uint64_t non_finite = 0;  // in no bin
};

/// See TensorBoard::histogram.
EventHistogram event_histogram(const AnyView& values, int bins);
EventHistogram event_histogram(const Histogram& counted);

/// Throws Error(invalid_argument) unless `shape` is [h, w], [c, h, w] or, for `batch`, [n, c, h, w] with c of 1, 3 or 4
/// and elements, and Error(unsupported) for elements that are neither floats nor uint8 nor bool.
enum class PictureAxes : std::uint8_t { one, batch };
void check_event_images(const Shape& shape, DType dtype, PictureAxes axes);

/// The pictures of a tensor that check_event_images() lets pass.
std::vector<Image> event_images(const AnyView& pixels);

/// The table as Markdown, its first 200 rows.
std::string markdown_table(const Table& table);

void append_histogram(std::string& out, const EventStamp& stamp, std::string_view tag, const EventHistogram& histogram);
/// PNG files of pictures whose first has these sides, into an empty `out`; a single one is not copied.
void append_images(EventBytes& out, const EventStamp& stamp, std::string_view tag, std::int64_t width,
                   std::int64_t height, std::span<std::vector<std::uint8_t>> files);
void append_text(std::string& out, const EventStamp& stamp, std::string_view tag, std::string_view text);
/// HParamsPluginData for the beginning and the end of a session, and the value that carries either.
std::string hparams_start(std::span<const HParam> hparams, double wall_time);
std::string hparams_end(double wall_time);
void append_hparams(std::string& out, const EventStamp& stamp, std::string_view tag, std::string_view content);
void append_graph(std::string& out, double wall_time, const Graph& graph);

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
