// Body of sinks/projector.hpp: the files of one embedding, and of several.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/naming.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/core/shape.hpp>
#include <layerscope/impl/byteswap_inl.hpp>
#include <layerscope/impl/projector_text_inl.hpp>
#include <layerscope/impl/run_layout_inl.hpp>
#include <layerscope/sinks/projector.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

[[noreturn]] inline void refuse_projector(ErrorCode code, const std::string& name, const std::string& problem) {
  throw Error(code, "projector: \"" + name + "\": " + problem);
}

/// `matrix` as finite float32 with at least two columns.
inline Tensor projector_matrix(const std::string& name, const std::string& what, const Tensor& matrix,
                               std::vector<std::string>& warnings) {
  if (matrix.rank() != 2) {
    refuse_projector(ErrorCode::invalid_argument, name,
                     what + " of shape " + to_text(matrix.shape()) + "; expected a matrix [rows, columns]");
  }
  if (matrix.empty()) {
    refuse_projector(ErrorCode::empty, name, what + " of shape " + to_text(matrix.shape()) + "; expected a row");
  }
  Tensor values = convert(matrix.view(), DType::f32);
  const std::int64_t columns = values.extent(1);
  const float* data = values.data<float>();
  for (std::int64_t i = 0; i < values.size(); ++i) {
    if (is_finite(data[i])) continue;
    refuse_projector(ErrorCode::non_finite, name,
                     what + " row " + to_text(i / columns) + ", column " + to_text(i % columns) + " is " +
                         to_text(data[i]) + " as float32; expected finite numbers");
  }
  if (columns > 1) return values;
  warnings.push_back(name + ": a second column of zeros was added, as the page takes no single one");
  Tensor padded(DType::f32, {values.extent(0), 2});
  float* out = padded.mutable_data<float>();
  for (std::int64_t i = 0; i < values.extent(0); ++i) out[2 * i] = data[i];
  return padded;
}

/// Throws unless following `next` from any row comes to an end.
inline void check_trajectories(const std::string& name, const std::vector<std::int64_t>& next, std::int64_t rows) {
  if (static_cast<std::int64_t>(next.size()) != rows) {
    refuse_projector(ErrorCode::invalid_argument, name,
                     to_text(next.size()) + " entries of next; expected " + to_text(rows) + ", one a row");
  }
  std::vector<std::int64_t> seen(next.size(), -1);  // from which start
  for (std::int64_t start = 0; start < rows; ++start) {
    std::int64_t row = start;
    while (row >= 0 && seen[static_cast<std::size_t>(row)] < 0) {
      seen[static_cast<std::size_t>(row)] = start;
      const std::int64_t following = next[static_cast<std::size_t>(row)];
      if (following < -1 || following >= rows) {
        refuse_projector(
            ErrorCode::invalid_argument, name,
            "next[" + to_text(row) + "] is " + to_text(following) + "; expected -1 or a row below " + to_text(rows));
      }
      row = following;
    }
    if (row >= 0 && seen[static_cast<std::size_t>(row)] == start) {
      refuse_projector(ErrorCode::invalid_argument, name,
                       "the trajectory of row " + to_text(row) + " comes back to it; expected one that ends");
    }
  }
}

/// The columns of the file: those given and the trajectories.
inline Table projector_columns(const ProjectorEmbedding& embedding, std::int64_t rows) {
  Table table = embedding.metadata;
  std::set<std::string> names;
  for (const Table::Column& column : table.columns) {
    const std::size_t cells = std::visit([](const auto& values) { return values.size(); }, column.cells);
    if (cells != static_cast<std::size_t>(rows)) {
      refuse_projector(ErrorCode::invalid_argument, embedding.name,
                       "metadata column \"" + column.name + "\" has " + to_text(cells) + " cells; expected " +
                           to_text(rows) + ", one a row");
    }
    if (is_blank(column.name) || column.name == "__next__" || column.name == "__seq_next__" ||
        !names.insert(projector_cell(column.name)).second) {
      refuse_projector(ErrorCode::invalid_argument, embedding.name,
                       "metadata column named \"" + column.name +
                           "\"; expected names that differ, are not blank and not those of trajectories");
    }
  }
  if (embedding.next.empty()) return table;
  check_trajectories(embedding.name, embedding.next, rows);
  if (table.columns.empty()) {  // one column alone would be taken for labels
    std::vector<double> numbers(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i);
    table.columns.push_back({"row", std::move(numbers)});
  }
  table.columns.push_back({"__seq_next__", std::vector<double>(embedding.next.begin(), embedding.next.end())});
  return table;
}

/// The bookmarks of the epochs.
inline std::string bookmarks_text(const ProjectorEmbedding& embedding, const BookmarkLook& look,
                                  std::vector<std::string>& warnings) {
  std::string text = "[";
  for (const ProjectorEpoch& epoch : embedding.epochs) {
    const std::string what = "epoch \"" + epoch.label + "\"";
    const Tensor points = projector_matrix(embedding.name, what, epoch.coordinates, warnings);
    const std::int64_t count = epoch.rows.empty() ? look.rows : static_cast<std::int64_t>(epoch.rows.size());
    if (points.extent(0) != count || points.extent(1) > 3) {
      refuse_projector(ErrorCode::invalid_argument, embedding.name,
                       what + " has coordinates of shape " + to_text(epoch.coordinates.shape()) + "; expected [" +
                           to_text(count) + ", 2 or 3]");
    }
    std::int64_t last = -1;
    for (const std::int64_t row : epoch.rows) {
      if (row <= last || row >= look.rows) {
        refuse_projector(ErrorCode::invalid_argument, embedding.name,
                         what + " names row " + to_text(row) + " after " + to_text(last) +
                             "; expected increasing rows below " + to_text(look.rows));
      }
      last = row;
    }
    text += text.size() > 1 ? ",\n" : "\n";
    append_bookmark(text, epoch.label, points.data<float>(), points.extent(1), epoch.rows, look);
  }
  return text + "\n]\n";
}

/// What the page colours by at first: the first column of at most 50 different cells.
inline std::string color_column(const Table& table) {
  for (const Table::Column& column : table.columns) {
    const auto* texts = std::get_if<std::vector<std::string>>(&column.cells);
    if (texts == nullptr) continue;
    std::set<std::string_view> different;
    for (const std::string& cell : *texts) {
      different.insert(cell);
      if (different.size() > 50) break;
    }
    if (different.size() <= 50) return table.columns.size() == 1 ? "label" : projector_cell(column.name);
  }
  return {};
}

inline void check_sprites(const ProjectorEmbedding& embedding, const Image& sheet, std::int64_t rows) {
  auto side = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(rows))));
  const std::int64_t width = side * embedding.sprites.width;
  const std::int64_t height = side * embedding.sprites.height;
  if (embedding.sprites.width < 1 || embedding.sprites.height < 1 || sheet.width != width || sheet.height != height ||
      width > projector_max_sprite_side || height > projector_max_sprite_side) {
    refuse_projector(ErrorCode::invalid_argument, embedding.name,
                     "sprites of " + to_text(sheet.width) + " x " + to_text(sheet.height) + " pixels, one of " +
                         to_text(embedding.sprites.width) + " x " + to_text(embedding.sprites.height) +
                         "; expected a square grid of " + to_text(side) + " x " + to_text(side) + ", at most " +
                         to_text(projector_max_sprite_side) + " pixels a side");
  }
}

/// Names of an embedding's files and in the list, unlike those before.
class ProjectorNames {
 public:
  std::string claim(std::string_view name) {
    const std::string plain = projector_name(name);
    for (int number = 1;; ++number) {
      std::string candidate = number == 1 ? plain : plain + " (" + to_text(number) + ")";
      if (taken_.insert(candidate).second) return candidate;
    }
  }

 private:
  std::set<std::string> taken_;
};

/// Writes the files of one embedding but the config, in which it is to be listed as `name`. Sprites are left as they
/// are when `sprites` says so.
enum class SpriteFile : std::uint8_t { write, keep };
inline ProjectorEntry write_embedding(const std::string& directory, const ProjectorEmbedding& embedding,
                                      const std::string& name, const ProjectorOptions& options, SpriteFile sprites,
                                      std::vector<std::string>& warnings) {
  const Tensor matrix = projector_matrix(embedding.name, "tensor", embedding.rows, warnings);
  ProjectorEntry entry;
  entry.name = name;
  entry.rows = matrix.extent(0);
  entry.columns = matrix.extent(1);
  const Table columns = projector_columns(embedding, entry.rows);
  BookmarkLook look;
  look.rows = entry.rows;
  look.columns = entry.columns;
  look.label_column = columns.columns.empty()       ? "__index__"
                      : columns.columns.size() == 1 ? "label"
                                                    : projector_cell(columns.columns.front().name);
  look.color_column = color_column(columns);
  const std::string bookmarks = embedding.epochs.empty() ? std::string() : bookmarks_text(embedding, look, warnings);
  if (entry.rows > projector_max_rows) {
    warnings.push_back(embedding.name + ": the page shows the first " + to_text(projector_max_rows) + " of " +
                       to_text(entry.rows) + " rows");
  }

  const std::string stem = encode_component(name);
  const auto path = [&](std::string& file, const char* suffix) {
    file = stem + suffix;
    return joined(directory, file);
  };
  if (embedding.sprites.sheet) {
    entry.sprite_width = embedding.sprites.width;
    entry.sprite_height = embedding.sprites.height;
    const std::string file = path(entry.sprite, "-sprite.png");
    if (sprites == SpriteFile::write) {
      check_sprites(embedding, embedding.sprites.sheet.get(), entry.rows);
      write_png(file, embedding.sprites.sheet.get(), {}, options.publish);
    }
  }
  if (!columns.columns.empty()) {
    publish_file(path(entry.metadata, "-metadata.tsv"), std::string_view(metadata_text(columns, entry.rows)),
                 options.publish);
  }
  if (!bookmarks.empty()) {
    publish_file(path(entry.bookmarks, "-bookmarks.json"), std::string_view(bookmarks), options.publish);
  }
  if (options.tensors == ProjectorOptions::Tensors::bytes) {
    Tensor stored = matrix;
    if constexpr (std::endian::native != std::endian::little) {
      swap_bytes(stored.mutable_raw(), stored.bytes(), sizeof(float));
    }
    publish_file(path(entry.tensor, "-tensor.bytes"),
                 std::span(static_cast<const std::byte*>(stored.raw()), stored.bytes()), options.publish);
  } else {
    publish_file(path(entry.tensor, "-tensor.tsv"),
                 std::string_view(tsv_text(matrix.data<float>(), entry.rows, entry.columns)), options.publish);
  }
  return entry;
}

inline void write_config(const std::string& directory, std::span<const ProjectorEntry> entries,
                         const ProjectorOptions& options) {
  if (options.form == ProjectorForm::standalone) {
    publish_file(joined(directory, "projector_config.json"), std::string_view(config_json(entries)), options.publish);
  } else {
    publish_file(joined(directory, "projector_config.pbtxt"), std::string_view(config_pbtxt(entries)), options.publish);
  }
}

inline void check_options(const ProjectorOptions& options) {
  if (options.form == ProjectorForm::log_directory && options.tensors == ProjectorOptions::Tensors::bytes) {
    throw Error(ErrorCode::invalid_argument,
                "projector: binary tensors in a log directory, where TensorBoard tries to read them as text; expected "
                "text, or the standalone form");
  }
}

}  // namespace detail

LAYERSCOPE_INLINE std::vector<std::string> write_projector(const std::string& directory,
                                                           std::span<const ProjectorEmbedding> embeddings,
                                                           const ProjectorOptions& options) {
  detail::check_options(options);
  if (embeddings.empty()) throw Error(ErrorCode::empty, "projector: no embeddings; expected at least one");
  create_directories(directory, {}, options.publish.operations);
  detail::ProjectorNames names;
  std::vector<std::string> warnings;
  std::vector<detail::ProjectorEntry> entries;
  for (const ProjectorEmbedding& embedding : embeddings) {
    const std::string name = names.claim(embedding.name);
    if (name != embedding.name) warnings.push_back("\"" + embedding.name + "\" is listed as \"" + name + "\"");
    entries.push_back(
        detail::write_embedding(directory, embedding, name, options, detail::SpriteFile::write, warnings));
  }
  detail::write_config(directory, entries, options);
  return warnings;
}

LAYERSCOPE_INLINE Table projector_metadata(const Points& points) {
  Table table;
  if (!points.labels.empty()) {
    std::vector<std::string> classes;
    classes.reserve(points.labels.size());
    for (const std::int64_t label : points.labels) {
      const auto index = static_cast<std::size_t>(label);
      if (label < 0) {
        classes.emplace_back("(none)");
      } else {
        classes.push_back(index < points.class_names.size() ? points.class_names[index] : to_text(label));
      }
    }
    table.columns.push_back({"class", std::move(classes)});
  }
  if (!points.ids.empty()) {
    std::vector<std::string> ids;
    ids.reserve(points.ids.size());
    for (const std::int64_t id : points.ids) ids.push_back(to_text(id));
    table.columns.push_back({"id", std::move(ids)});
  }
  return table;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
