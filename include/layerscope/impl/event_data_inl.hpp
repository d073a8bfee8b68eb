// Body of impl/event_data.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/event_data.hpp>
#include <layerscope/impl/event_log.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <variant>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// `bins` + 1 edges from `min` to `max`; spans beyond the largest double are halved on the way.
inline std::vector<double> event_edges(double min, double max, int bins) {
  const double half = is_finite(max - min) ? 1 : 0.5;
  const double low = min * half;
  const double span = max * half - low;
  std::vector<double> edges(static_cast<std::size_t>(bins) + 1);
  for (int i = 0; i <= bins; ++i) {
    const double edge = (low + span * (i / static_cast<double>(bins))) / half;
    edges[static_cast<std::size_t>(i)] = (std::clamp)(edge, min, max);
  }
  edges.back() = max;
  return edges;
}

template <class Number>
EventHistogram count_event_histogram(const Number* values, std::int64_t size, int bins) {
  EventHistogram histogram;
  histogram.rows.resize(static_cast<std::size_t>(bins) * 3);
  bool any = false;
  double min = 0;
  double max = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    if (!is_finite(values[i])) {
      ++histogram.non_finite;
      continue;
    }
    const auto value = static_cast<double>(values[i]);
    min = any ? (std::min)(min, value) : value;
    max = any ? (std::max)(max, value) : value;
    any = true;
  }
  if (!any) return histogram;  // TensorFlow's answer to no data: zeros
  const std::vector<double> edges = event_edges(min, max, bins);
  for (std::size_t bin = 0; bin + 1 < edges.size(); ++bin) {
    histogram.rows[3 * bin] = edges[bin];
    histogram.rows[3 * bin + 1] = edges[bin + 1];
  }
  std::vector<std::uint64_t> counts(static_cast<std::size_t>(bins));
  const std::size_t last = counts.size() - 1;
  if (min == max) {
    counts[last] = static_cast<std::uint64_t>(size) - histogram.non_finite;
  } else {
    const double half = is_finite(max - min) ? 1 : 0.5;
    const double low = min * half;
    const double span = max * half - low;
    for (std::int64_t i = 0; i < size; ++i) {
      if (!is_finite(values[i])) continue;
      const auto value = static_cast<double>(values[i]);
      // The quotient is a guess, the edges decide.
      auto bin = (std::min)(static_cast<std::size_t>((value * half - low) / span * bins), last);
      while (bin > 0 && value < edges[bin]) --bin;
      while (bin < last && value >= edges[bin + 1]) ++bin;
      ++counts[bin];
    }
  }
  for (std::size_t bin = 0; bin <= last; ++bin) histogram.rows[3 * bin + 2] = static_cast<double>(counts[bin]);
  return histogram;
}

LAYERSCOPE_INLINE EventHistogram event_histogram(const AnyView& values, int bins) {
  if (values.dtype() == DType::f32) {
    const AnyView flat = contiguous(values, DType::f32);
    return count_event_histogram(static_cast<const float*>(flat.data()), flat.size(), bins);
  }
  const AnyView flat = contiguous(values, DType::f64);
  return count_event_histogram(static_cast<const double*>(flat.data()), flat.size(), bins);
}

LAYERSCOPE_INLINE EventHistogram event_histogram(const Histogram& counted) {
  if (counted.counts.empty() || counted.edges.size() != counted.counts.size() + 1) {
    throw Error(ErrorCode::invalid_argument, "histogram: " + to_text(counted.edges.size()) + " edges of " +
                                                 to_text(counted.counts.size()) +
                                                 " bins; expected one more than bins, and a bin");
  }
  EventHistogram histogram;
  for (std::size_t bin = 0; bin < counted.counts.size(); ++bin) {
    const double left = counted.edges[bin];
    const double right = counted.edges[bin + 1];
    if (!is_finite(left) || !is_finite(right) || left > right) {
      throw Error(ErrorCode::invalid_argument, "histogram: a bin from " + to_text(left) + " to " + to_text(right) +
                                                   "; expected finite edges in order");
    }
    histogram.rows.insert(histogram.rows.end(), {left, right, static_cast<double>(counted.counts[bin])});
  }
  return histogram;
}

LAYERSCOPE_INLINE void check_event_images(const Shape& shape, DType dtype, PictureAxes axes) {
  const int rank = shape.rank();
  const bool batch = axes == PictureAxes::batch;
  const bool ranked = batch ? rank == 4 : rank == 2 || rank == 3;
  const std::int64_t channels = ranked && rank > 2 ? shape[rank - 3] : 1;
  if (!ranked || element_count(shape) == 0 || (channels != 1 && channels != 3 && channels != 4)) {
    throw Error(ErrorCode::invalid_argument, std::string(batch ? "images" : "image") + ": shape " + to_text(shape) +
                                                 "; expected " + (batch ? "[n, c, h, w]" : "[h, w] or [c, h, w]") +
                                                 " with c of 1, 3 or 4, and elements");
  }
  for (const DType known : {DType::f16, DType::bf16, DType::f32, DType::f64, DType::u8, DType::boolean}) {
    if (dtype == known) return;
  }
  throw Error(ErrorCode::unsupported,
              std::string("image: elements of ") + layerscope::name(dtype) + "; expected floats from 0 to 1, or uint8");
}

LAYERSCOPE_INLINE std::vector<Image> event_images(const AnyView& pixels) {
  const int rank = pixels.rank();
  const std::int64_t height = pixels.extent(rank - 2);
  const std::int64_t width = pixels.extent(rank - 1);
  const std::int64_t channels = rank > 2 ? pixels.extent(rank - 3) : 1;
  const PixelFormat format = channels == 4 ? PixelFormat::rgba : channels == 3 ? PixelFormat::rgb : PixelFormat::gray;
  const float scale = pixels.dtype() == DType::u8 ? 1 : 255;
  std::vector<Image> images;
  for (std::int64_t n = 0; n < (rank == 4 ? pixels.extent(0) : 1); ++n) {
    AnyView one = rank == 4 ? pixels.select(0, n) : pixels;
    if (rank > 2) one = one.permute({1, 2, 0});
    const AnyView flat = contiguous(one, DType::f32);
    const auto* const in = static_cast<const float*>(flat.data());
    Image image = make_image(width, height, format);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
      const float level = is_nan(in[i]) ? 0 : (std::clamp)(in[i] * scale, 0.0f, 255.0f);
      image.pixels[i] = static_cast<std::uint8_t>(level + 0.5f);
    }
    images.push_back(std::move(image));
  }
  return images;
}

LAYERSCOPE_INLINE std::string markdown_table(const Table& table) {
  constexpr std::size_t most = 200;
  const auto cell = [](const Table::Column& column, std::size_t row) {
    const auto* const numbers = std::get_if<std::vector<double>>(&column.cells);
    if (numbers != nullptr) return row < numbers->size() ? to_short_text((*numbers)[row]) : std::string();
    const auto& words = std::get<std::vector<std::string>>(column.cells);
    std::string text;
    for (const char c : row < words.size() ? words[row] : std::string()) {
      if (c == '|' || c == '\\') text += '\\';
      text += c == '\n' || c == '\r' ? ' ' : c;
    }
    return text;
  };
  std::size_t rows = 0;
  std::string text = "|";
  for (const Table::Column& column : table.columns) {
    rows = (std::max)(rows, std::visit([](const auto& cells) { return cells.size(); }, column.cells));
    text += " " + column.name + " |";
  }
  text += "\n|";
  for (std::size_t i = 0; i < table.columns.size(); ++i) text += "---|";
  for (std::size_t row = 0; row < (std::min)(rows, most); ++row) {
    text += "\n|";
    for (const Table::Column& column : table.columns) text += " " + cell(column, row) + " |";
  }
  if (rows > most) text += "\n\nThe first " + to_text(most) + " of " + to_text(rows) + " rows.";
  return text;
}

LAYERSCOPE_INLINE void append_histogram(std::string& out, const EventStamp& stamp, std::string_view tag,
                                        const EventHistogram& histogram) {
  std::string content(histogram.rows.size() * sizeof(double), '\0');
  for (std::size_t i = 0; i < histogram.rows.size(); ++i) {
    store_little_endian(content.data() + i * sizeof(double), std::bit_cast<std::uint64_t>(histogram.rows[i]));
  }
  const std::array<std::int64_t, 2> shape{static_cast<std::int64_t>(histogram.rows.size() / 3), 3};
  append_tensor(out, stamp, tag, "histograms", DataClass::tensor, {}, [&](auto& tensor) {
    write_tensor_head(tensor, TensorType::f64, shape);
    tensor.bytes(4, content);
  });
}

LAYERSCOPE_INLINE void append_images(EventBytes& out, const EventStamp& stamp, std::string_view tag, std::int64_t width,
                                     std::int64_t height, std::span<std::vector<std::uint8_t>> files) {
  const std::array<std::int64_t, 1> shape{static_cast<std::int64_t>(files.size()) + 2};
  const auto text_of = [](const std::vector<std::uint8_t>& file) {
    return std::string_view(reinterpret_cast<const char*>(file.data()), file.size());
  };
  const auto append = [&](auto& into, std::span<const std::vector<std::uint8_t>> strings) {
    append_tensor(into, stamp, tag, "images", DataClass::blobs, {}, [&](auto& tensor) {
      write_tensor_head(tensor, TensorType::string, shape);
      tensor.bytes(8, to_text(width));
      tensor.bytes(8, to_text(height));
      for (const std::vector<std::uint8_t>& file : strings) tensor.bytes(8, text_of(file));
    });
  };
  if (files.size() != 1) return append(out.head, files);
  out.blob = std::move(files[0]);
  append(out, {&out.blob, 1});
}

LAYERSCOPE_INLINE void append_text(std::string& out, const EventStamp& stamp, std::string_view tag,
                                   std::string_view text) {
  const std::string clean = clean_text(text);
  append_tensor(out, stamp, tag, "text", DataClass::tensor, {}, [&](auto& tensor) {
    write_tensor_head(tensor, TensorType::string, std::initializer_list<std::int64_t>{});
    tensor.bytes(8, clean);
  });
}

LAYERSCOPE_INLINE std::string hparams_start(std::span<const HParam> hparams, double wall_time) {
  std::map<std::string, const HParam*> by_name;  // a map in the message too; the last of a name counts
  for (const HParam& hparam : hparams) by_name[clean_text(hparam.name)] = &hparam;
  std::string content;
  ProtoText text{content};
  ProtoWriter<ProtoText>(text).message(3, [&](auto& start) {
    for (const auto& named : by_name) {
      const auto& its = named.second->value;
      start.message(1, [&](auto& entry) {
        entry.bytes(1, named.first);
        entry.message(2, [&](auto& value) {
          if (const auto* const flag = std::get_if<bool>(&its)) {
            value.integer(4, *flag ? 1 : 0);
          } else if (const auto* const number = std::get_if<double>(&its)) {
            value.real(2, *number);
          } else {
            value.bytes(3, clean_text(std::get<std::string>(its)));
          }
        });
      });
    }
    start.real(5, wall_time);
  });
  return content;
}

LAYERSCOPE_INLINE std::string hparams_end(double wall_time) {
  std::string content;
  ProtoText text{content};
  ProtoWriter<ProtoText>(text).message(4, [&](auto& end) {
    end.integer(1, 1);  // STATUS_SUCCESS
    end.real(2, wall_time);
  });
  return content;
}

LAYERSCOPE_INLINE void append_hparams(std::string& out, const EventStamp& stamp, std::string_view tag,
                                      std::string_view content) {
  append_tensor(out, stamp, tag, "hparams", DataClass::tensor, content, [](auto& tensor) {
    write_tensor_head(tensor, TensorType::f32, std::initializer_list<std::int64_t>{0});
  });
}

/// A node's name as TensorFlow allows it: [A-Za-z0-9.][A-Za-z0-9_.\/>-]*, and no other node's.
inline std::string graph_name(std::string_view id, std::set<std::string>& used) {
  std::string clean;
  for (const char c : id) {
    const bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.';
    clean += letter || (!clean.empty() && (c == '_' || c == '/' || c == '-')) ? c : clean.empty() ? '.' : '_';
  }
  if (clean.empty()) clean = "node";
  std::string name = clean;
  for (int suffix = 2; !used.insert(name).second; ++suffix) name = clean + "_" + to_text(suffix);
  return name;
}

LAYERSCOPE_INLINE void append_graph(std::string& out, double wall_time, const Graph& graph) {
  std::set<std::string> used;
  std::vector<std::string> names;
  for (const Graph::Node& node : graph.nodes) names.push_back(graph_name(node.id.empty() ? node.label : node.id, used));
  std::vector<std::vector<std::size_t>> inputs(names.size());
  for (const Graph::Edge& edge : graph.edges) {
    if (edge.from >= names.size() || edge.to >= names.size()) {
      throw Error(ErrorCode::invalid_argument, "graph: an edge from " + to_text(edge.from) + " to " + to_text(edge.to) +
                                                   "; expected indices below " + to_text(names.size()));
    }
    inputs[edge.to].push_back(edge.from);
  }
  std::string definition;
  ProtoText text{definition};
  ProtoWriter<ProtoText> writer(text);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Graph::Node& source = graph.nodes[i];
    std::map<std::string, std::string> attributes;  // a map in the message too
    if (!source.label.empty() && source.label != source.id) attributes["label"] = source.label;
    for (const auto& [key, value] : source.attributes) attributes[clean_text(key)] = value;
    writer.message(1, [&](auto& node) {
      node.bytes(1, names[i]);
      node.bytes(2, clean_text(source.kind));
      for (const std::size_t input : inputs[i]) node.bytes(3, names[input]);
      for (const auto& named : attributes) {
        node.message(5, [&](auto& attribute) {
          attribute.bytes(1, named.first);
          attribute.message(2, [&](auto& its) { its.bytes(2, clean_text(named.second)); });
        });
      }
    });
  }
  writer.message(4, [](auto& versions) { versions.integer(1, 22); });
  append_event(out, {wall_time, 0}, [&](auto& event) { event.bytes(4, definition); });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
