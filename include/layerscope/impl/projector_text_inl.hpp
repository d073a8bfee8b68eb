// The text of the Embedding Projector's files.
#pragma once

#include <layerscope/core/artifact.hpp>
#include <layerscope/core/detail/utf8.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/json_writer_inl.hpp>
#include <layerscope/sinks/projector.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Whether JavaScript's trim() leaves nothing of `text`.
inline bool is_blank(std::string_view text) noexcept {
  constexpr std::string_view wide[] = {"\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9",
                                       "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80", "\xEF\xBB\xBF"};
  while (!text.empty()) {
    std::size_t length = 0;
    if (text.front() == ' ') length = 1;
    for (const std::string_view space : wide) {
      if (text.starts_with(space)) length = space.size();
    }
    // U+2000 to U+200A
    if (text.starts_with("\xE2\x80") && text.size() > 2 && static_cast<unsigned char>(text[2]) <= 0x8A) length = 3;
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// One cell of a metadata file: one line, never blank, always UTF-8.
inline std::string projector_cell(std::string_view text) {
  std::string cell;
  while (!text.empty()) {
    std::size_t length = 1;
    const auto lead = static_cast<unsigned char>(text.front());
    if (lead == '\\' || lead == '\t' || lead == '\n' || lead == '\r') {
      cell += '\\';
      cell += lead == '\t' ? 't' : lead == '\n' ? 'n' : lead == '\r' ? 'r' : '\\';
    } else if (lead < 0x20 || lead == 0x7F) {
      constexpr std::string_view digits = "0123456789abcdef";
      cell += "\\x";
      cell += digits[lead >> 4];
      cell += digits[lead & 15u];
    } else {
      const Utf8Sequence sequence = read_utf8(text);
      length = sequence.bytes;
      cell += sequence.valid ? text.substr(0, length) : std::string_view("\xEF\xBF\xBD");
    }
    text.remove_prefix(length);
  }
  return is_blank(cell) ? "(empty)" : cell;
}

/// The name of a tensor, as TensorBoard keeps it and as the page can ask for it.
inline std::string projector_name(std::string_view text) {
  std::string name = projector_cell(text);
  while (name.ends_with(":0")) name.resize(name.size() - 2);
  std::string safe;
  for (const char c : name) {
    switch (c) {
      case '&': safe += "\xEF\xBC\x86"; break;
      case '#': safe += "\xEF\xBC\x83"; break;
      case '%': safe += "\xEF\xBC\x85"; break;
      case '+': safe += "\xEF\xBC\x8B"; break;
      default: safe += c;
    }
  }
  return is_blank(safe) ? "(empty)" : safe;
}

/// A matrix as text: a line a row, tabs between the shortest numbers that read back the same.
inline std::string tsv_text(const float* values, std::int64_t rows, std::int64_t columns) {
  std::string text;
  constexpr std::size_t longest = 16;  // "-1.17549435e-38" and a separator
  std::size_t used = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::size_t room = static_cast<std::size_t>(columns) * longest;
    if (text.size() < used + room) text.resize((std::max)(2 * text.size(), used + room));
    char* out = text.data() + used;
    for (std::int64_t j = 0; j < columns; ++j) {
      out = std::to_chars(out, out + longest, *values++).ptr;
      *out++ = j + 1 < columns ? '\t' : '\n';
    }
    used = static_cast<std::size_t>(out - text.data());
  }
  text.resize(used);
  return text;
}

/// Columns as text; a header if there are two or more.
inline std::string metadata_text(const Table& table, std::int64_t rows) {
  std::string text;
  if (table.columns.size() > 1) {
    for (const Table::Column& column : table.columns) {
      if (!text.empty()) text += '\t';
      text += projector_cell(column.name);
    }
    text += '\n';
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(rows); ++i) {
    bool first = true;
    for (const Table::Column& column : table.columns) {
      if (!first) text += '\t';
      first = false;
      if (const auto* texts = std::get_if<std::vector<std::string>>(&column.cells)) {
        text += projector_cell((*texts)[i]);
      } else {
        text += to_text(std::get<std::vector<double>>(column.cells)[i]);
      }
    }
    text += '\n';
  }
  return text;
}

inline std::string json_string(std::string_view text) {
  JsonWriter json;
  json.value(text);
  return json.text();
}

/// What one state of the page shows, beside its points.
struct BookmarkLook {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::string label_column;
  std::string color_column;  ///< empty: none
};

/// One state of the page, on one line. `rows` are increasing and say which row each point is; empty: one a row. Rows
/// without a point get no coordinates, and the page draws none. (Its own way of leaving points out, filteredPoints,
/// makes it fail when another tensor is chosen afterwards.)
inline void append_bookmark(std::string& text, std::string_view label, const float* points, std::int64_t dimensions,
                            std::span<const std::int64_t> rows, const BookmarkLook& look) {
  const std::string column = json_string(look.label_column);
  text += "{\"label\":" + json_string(label) +
          ",\"isSelected\":false,\"selectedProjection\":\"umap\",\"umapIs3d\":" + (dimensions == 3 ? "true" : "false") +
          ",\"umapNeighbors\":15,\"umapMinDist\":0.1," + "\"dataSetDimensions\":[" + to_text(look.rows) + "," +
          to_text(look.columns) + "]," +
          "\"tSNEIteration\":0,\"tSNEPerplexity\":30,\"tSNELearningRate\":1,\"tSNEis3d\":true," +
          "\"pcaComponentDimensions\":[0,1,2],\"selectedPoints\":[],\"filteredPoints\":null,\"cameraDef\":null," +
          "\"selectedColorOptionName\":" + (look.color_column.empty() ? "null" : json_string(look.color_column)) +
          ",\"forceCategoricalColoring\":false,\"selectedLabelOption\":" + column +
          ",\"customSelectedSearchByMetadataOption\":" + column;
  for (const char* side : {"XLeft", "XRight", "YUp", "YDown"}) {
    text += ",\"custom" + std::string(side) + "Text\":\"\",\"custom" + side + "Regex\":false";
  }
  text += ",\"projections\":[";
  char number[24];
  std::size_t next = 0;
  const std::int64_t count = (std::min)(look.rows, projector_max_rows);
  for (std::int64_t row = 0; row < count; ++row) {
    text += row == 0 ? "{" : ",{";
    if (rows.empty() || (next < rows.size() && rows[next] == row)) {
      text += "\"umap-0\":";
      for (std::int64_t c = 0; c < dimensions; ++c) {
        if (c > 0) text += c == 1 ? ",\"umap-1\":" : ",\"umap-2\":";
        text.append(number, std::to_chars(number, number + sizeof number, *points++).ptr);
      }
      ++next;
    }
    text += '}';
  }
  text += "]}";
}

/// What a config says about one embedding. Paths are file names in its directory.
struct ProjectorEntry {
  std::string name;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::string tensor;
  std::string metadata;  ///< empty: none, as the two below
  std::string sprite;
  std::string bookmarks;
  std::int64_t sprite_width = 0;
  std::int64_t sprite_height = 0;
};

/// A string of protocol buffers' text format.
inline std::string pbtxt_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;  // projector_name() leaves no control characters
  }
  return quoted + '"';
}

inline std::string config_pbtxt(std::span<const ProjectorEntry> entries) {
  std::string text;
  for (const ProjectorEntry& entry : entries) {
    text += "embeddings {\n  tensor_name: " + pbtxt_string(entry.name) + "\n  tensor_shape: " + to_text(entry.rows) +
            "\n  tensor_shape: " + to_text(entry.columns) + "\n  tensor_path: " + pbtxt_string(entry.tensor) + "\n";
    if (!entry.metadata.empty()) text += "  metadata_path: " + pbtxt_string(entry.metadata) + "\n";
    if (!entry.bookmarks.empty()) text += "  bookmarks_path: " + pbtxt_string(entry.bookmarks) + "\n";
    if (!entry.sprite.empty()) {
      text += "  sprite {\n    image_path: " + pbtxt_string(entry.sprite) +
              "\n    single_image_dim: " + to_text(entry.sprite_width) +
              "\n    single_image_dim: " + to_text(entry.sprite_height) + "\n  }\n";
    }
    text += "}\n";
  }
  return text;
}

/// A file name as a URL relative to the page.
inline std::string url_of(std::string_view file) {
  std::string url;
  for (const char c : file) {
    url += c;
    if (c == '%') url += "25";
  }
  return url;
}

inline std::string config_json(std::span<const ProjectorEntry> entries) {
  JsonWriter json;
  json.begin_object().key("embeddings").begin_array();
  for (const ProjectorEntry& entry : entries) {
    json.begin_object().member("tensorName", entry.name).key("tensorShape").begin_array();
    json.value(entry.rows).value(entry.columns).end_array().member("tensorPath", url_of(entry.tensor));
    if (!entry.metadata.empty()) json.member("metadataPath", url_of(entry.metadata));
    if (!entry.bookmarks.empty()) json.member("bookmarksPath", url_of(entry.bookmarks));
    if (!entry.sprite.empty()) {
      json.key("sprite").begin_object().member("imagePath", url_of(entry.sprite)).key("singleImageDim").begin_array();
      json.value(entry.sprite_width).value(entry.sprite_height).end_array().end_object();
    }
    json.end_object();
  }
  json.end_array().end_object();
  return json.text();
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
