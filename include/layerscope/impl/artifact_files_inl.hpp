// One artifact as files: pictures as PNG, long arrays as .npy, and last the JSON that names them.
#pragma once

#include <layerscope/core/artifact.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/npy.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/impl/exception_text_inl.hpp>
#include <layerscope/impl/json_writer_inl.hpp>
#include <layerscope/impl/run_layout_inl.hpp>
#include <layerscope/sinks/directory.hpp>

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline constexpr std::string_view artifact_format = "layerscope-artifact";
inline constexpr int artifact_version = 1;

/// The bytes of a name that is no UTF-8, for it cannot stand in JSON: two hexadecimal digits each.
inline std::string to_hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    text += "0123456789abcdef"[static_cast<unsigned char>(c) & 15u];
  }
  return text;
}

/// A name, and beside it its bytes when the text had to be mended.
inline void write_name(JsonWriter& json, const std::string& key, const std::string& name) {
  json.member(key, name);
  if (!is_utf8(name)) json.member(key + "_hex", to_hex(name));
}

inline void write_range(JsonWriter& json, const std::optional<Range>& range) {
  json.key("range");
  if (range) {
    json.begin_object().member("min", range->min).member("max", range->max).end_object();
  } else {
    json.value(nullptr);
  }
}

constexpr const char* format_name(PixelFormat format) noexcept {
  switch (format) {
    case PixelFormat::gray: return "gray";
    case PixelFormat::rgb: return "rgb";
    case PixelFormat::rgba: return "rgba";
    case PixelFormat::indexed: return "indexed";
  }
  return "unknown";
}

/// Writes the files of one artifact into a folder that exists.
class ArtifactFiles {
 public:
  /// `make_room` is told, before each file, how many bytes the artifact will have with it; it is borrowed.
  ArtifactFiles(const Artifact& artifact, const ArtifactPlace& place, const std::string& folder,
                const DirectoryOptions& options, FunctionRef<void(std::int64_t)> make_room)
      : artifact_(artifact),
        stem_(place.stem),
        folder_(folder),
        options_(options),
        publish_{options.durability, options.operations},
        make_room_(make_room) {}

  /// Throws what the numbers fail with; a picture that fails is only noted.
  void write() {
    if (options_.png == Output::write && artifact_.picture) {
      picture_ = write_picture("", [&]() -> const Image& { return artifact_.picture.get(); });
    }
    if (options_.json == Output::write) write_json();
  }

  /// A file that may be there, whole, even though writing it or the artifact failed.
  struct Begun {
    std::string name;
    std::string path;
  };

  /// What was written, as file names in the folder.
  const std::vector<std::string>& names() const noexcept { return names_; }
  /// What was begun, even when write() threw; the failed fsync of a directory leaves a file in place.
  const std::vector<Begun>& begun() const noexcept { return begun_; }
  std::int64_t bytes() const noexcept { return bytes_; }
  /// Why a picture could not be made or written.
  const std::optional<Error>& picture_error() const noexcept { return picture_error_; }

 private:
  template <class Write>
  std::string write_file(const std::string& extension, std::int64_t size, Write write) {
    std::string name = stem_ + extension;
    make_room_(bytes_ + size);
    names_.push_back(name);
    begun_.push_back({name, joined(folder_, name)});
    write(begun_.back().path);
    bytes_ += size;
    return name;
  }

  /// The name of the file; std::nullopt after an error, which is kept.
  template <class Get>
  std::optional<std::string> write_picture(const std::string& suffix, Get get) {
    const std::size_t files = names_.size();
    try {
      const std::vector<std::uint8_t> png = encode_png(get());
      return write_file(suffix + ".png", static_cast<std::int64_t>(png.size()),
                        [&](const std::string& path) { publish_file(path, std::as_bytes(std::span(png)), publish_); });
    } catch (...) {
      const Error error = current_error();
      if (!picture_error_) picture_error_ = error;
      if (names_.size() > files) names_.pop_back();
      return std::nullopt;
    }
  }

  void write_json() {
    json_.begin_object().member("format", artifact_format).member("version", artifact_version);
    write_name(json_, "kind", artifact_.kind);
    write_name(json_, "name", artifact_.name);
    json_.member("step", artifact_.step);
    write_range(json_, artifact_.range);
    json_.key("attributes").begin_array();
    for (const Attribute& attribute : artifact_.attributes) {
      json_.begin_object().member("name", attribute.name).key("value");
      std::visit([&](const auto& value) { json_.value(value); }, attribute.value);
      json_.end_object();
    }
    json_.end_array();
    strings("warnings", artifact_.warnings);
    file_or_null("picture", picture_);
    json_.key("parts").begin_array();
    for (std::size_t i = 0; i < artifact_.parts.size(); ++i) {
      json_.begin_object().member("name", artifact_.parts[i].name);
      part_suffix_ = "." + to_text(i);
      arrays_of_part_ = 0;
      std::visit([&](const auto& value) { part(value); }, artifact_.parts[i].value);
      json_.end_object();
    }
    json_.end_array();
    json_.key("picture_error");
    if (picture_error_) {
      json_.value(picture_error_->what());
    } else {
      json_.value(nullptr);
    }
    json_.key("files").begin_array();
    for (const std::string& name : names_) json_.value(name);
    json_.value(stem_ + ".json").end_array();
    json_.member("invalid_utf8", json_.replaced_utf8()).end_object();
    const std::string& text = json_.text();
    write_file(".json", static_cast<std::int64_t>(text.size()),
               [&](const std::string& path) { publish_file(path, std::string_view(text), publish_); });
  }

  void file_or_null(std::string_view key, const std::optional<std::string>& file) {
    json_.key(key);
    if (file) {
      json_.value(*file);
    } else {
      json_.value(nullptr);
    }
  }

  void strings(std::string_view key, const std::vector<std::string>& values) {
    json_.key(key).begin_array();
    for (const std::string& value : values) json_.value(value);
    json_.end_array();
  }

  /// {"dtype", "shape", "data"}, or "file" in place of "data" when it is long.
  void numbers(std::string_view key, const AnyView& view) {
    json_.key(key).begin_object();
    number_members(view);
    json_.end_object();
  }

  void number_members(const AnyView& view) {
    json_.member("dtype", name(view.dtype())).key("shape").begin_array();
    for (const std::int64_t extent : view.shape()) json_.value(extent);
    json_.end_array();
    if (view.size() > options_.inline_limit) {
      // bfloat16 has no name in NumPy: its file holds float32.
      const DType stored = view.dtype() == DType::bf16 ? DType::f32 : view.dtype();
      const auto size =
          npy_header(view.dtype(), view.shape()).size() + static_cast<std::size_t>(view.size()) * size_of(stored);
      const std::string extension =
          part_suffix_ + (arrays_of_part_ == 0 ? "" : "." + to_text(arrays_of_part_)) + ".npy";
      ++arrays_of_part_;
      json_.member("file", write_file(extension, static_cast<std::int64_t>(size),
                                      [&](const std::string& path) { write_npy(path, view, publish_); }));
      return;
    }
    json_.key("data").begin_array();
    if (!view.empty()) {
      visit_dtype(view.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const T* data = static_cast<const T*>(view.data());
        for (std::int64_t i = 0; i < view.size(); ++i) number(data[i]);
      });
    }
    json_.end_array();
  }

  template <class T>
  void number(T value) {
    if constexpr (std::is_same_v<T, bool>) {
      json_.value(int{value});
    } else if constexpr (std::is_arithmetic_v<T>) {
      json_.value(value);
    } else {
      json_.value(static_cast<float>(value));
    }
  }

  template <class T>
  void numbers(std::string_view key, const std::vector<T>& values) {
    numbers(key, AnyView(values.data(), dtype_of<T>, Shape{static_cast<std::int64_t>(values.size())}));
  }

  void part(const Tensor& tensor) {
    json_.member("type", "tensor");
    number_members(tensor.view());
  }

  /// Pixels are never repeated as numbers. The artifact's picture shows them; where there is none they get a PNG.
  void image_members(const Image& image, const std::string& suffix) {
    json_.member("width", image.width).member("height", image.height).member("format", format_name(image.format));
    std::optional<std::string> file;
    if (options_.png == Output::write && !artifact_.picture) {
      file = write_picture(suffix, [&]() -> const Image& { return image; });
    }
    file_or_null("file", file);
  }

  void part(const Image& image) {
    json_.member("type", "image");
    image_members(image, part_suffix_);
  }

  void part(const Grid& grid) {
    json_.member("type", "grid").member("columns", grid.columns);
    strings("labels", grid.labels);
    json_.key("tiles").begin_array();
    for (std::size_t i = 0; i < grid.tiles.size(); ++i) {
      json_.begin_object();
      image_members(grid.tiles[i], part_suffix_ + "." + to_text(i));
      json_.end_object();
    }
    json_.end_array();
  }

  void part(const Histogram& histogram) {
    json_.member("type", "histogram");
    numbers("edges", histogram.edges);
    numbers("counts", histogram.counts);
  }

  void part(const Series& series) {
    json_.member("type", "series").member("series", series.name);
    numbers("x", series.x);
    numbers("y", series.y);
  }

  void part(const Table& table) {
    json_.member("type", "table").key("columns").begin_array();
    for (const Table::Column& column : table.columns) {
      json_.begin_object().member("name", column.name);
      if (const auto* texts = std::get_if<std::vector<std::string>>(&column.cells)) {
        strings("texts", *texts);
      } else {
        numbers("numbers", std::get<std::vector<double>>(column.cells));
      }
      json_.end_object();
    }
    json_.end_array();
  }

  void part(const Points& points) {
    json_.member("type", "points");
    numbers("coordinates", points.coordinates.view());
    numbers("labels", points.labels);
    strings("class_names", points.class_names);
    numbers("ids", points.ids);
  }

  void part(const Graph& graph) {
    json_.member("type", "graph").key("nodes").begin_array();
    for (const Graph::Node& node : graph.nodes) {
      json_.begin_object().member("id", node.id).member("label", node.label).member("kind", node.kind);
      json_.key("attributes").begin_array();
      for (const auto& [key, value] : node.attributes) {
        json_.begin_object().member("name", key).member("value", value).end_object();
      }
      json_.end_array().end_object();
    }
    json_.end_array().key("edges").begin_array();
    for (const Graph::Edge& edge : graph.edges) {
      json_.begin_object().member("from", edge.from).member("to", edge.to).member("label", edge.label).end_object();
    }
    json_.end_array();
  }

  void part(const Text& text) { json_.member("type", "text").member("text", text.text); }

  const Artifact& artifact_;
  const std::string stem_;
  const std::string folder_;
  const DirectoryOptions& options_;
  const PublishOptions publish_;
  FunctionRef<void(std::int64_t)> make_room_;
  JsonWriter json_;
  std::optional<std::string> picture_;
  std::optional<Error> picture_error_;
  std::string part_suffix_;
  int arrays_of_part_ = 0;
  std::vector<std::string> names_;
  std::vector<Begun> begun_;
  std::int64_t bytes_ = 0;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
