// Artifacts read back from a run directory; docs/formats/run_directory.md describes it. What is read is not trusted.
#pragma once

#include <layerscope/core/artifact.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/readers/npy.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common.hpp"
#include "png_file.hpp"

namespace tool {

class RunDirectory {
 public:
  explicit RunDirectory(std::string directory) : directory_(std::move(directory)) {
    const Json manifest = parse("manifest.json");
    if (manifest.value("format", "") != "layerscope-run") {
      bad("manifest.json", "the format is not layerscope-run");
    }
    try {
      for (const Json& entry : manifest.at("artifacts")) {
        for (const Json& file : entry.at("files")) {
          const std::string name = file.get<std::string>();
          if (name.ends_with(".json")) files_.emplace_back(entry.at("step").get<std::int64_t>(), checked(name));
        }
      }
    } catch (const Json::exception& error) {
      bad("manifest.json", error.what());
    }
    std::stable_sort(files_.begin(), files_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  }

  /// Hands over one artifact after the other, by step.
  template <class Take>
  void each(Take take) {
    for (const auto& [step, file] : files_) take(read(file));
  }

 private:
  [[noreturn]] void bad(const std::string& file, const std::string& problem) const {
    throw layerscope::Error(layerscope::ErrorCode::format, directory_ + "/" + file + ": " + problem);
  }

  /// A path below the run that a run may have written.
  std::string checked(const std::string& path) const {
    if (path.empty() || path.front() == '/' || path.find("..") != std::string::npos) {
      bad("manifest.json", "\"" + path + "\" is no file of the run");
    }
    return path;
  }

  Json parse(const std::string& file) const {
    const std::string text = layerscope::read_file(directory_ + "/" + file, std::uint64_t{256} << 20);
    try {
      return Json::parse(text, [&](int depth, Json::parse_event_t, Json&) {
        if (depth > 64) bad(file, "nested deeper than 64 levels");
        return true;
      });
    } catch (const Json::exception& error) {
      bad(file, error.what());
    }
  }

  layerscope::Artifact read(const std::string& file) {
    file_ = file;
    folder_ = file.substr(0, file.find_last_of('/') + 1);
    const Json json = parse(file);
    try {
      layerscope::Artifact artifact;
      artifact.kind = json.at("kind").get<std::string>();
      artifact.name = json.at("name").get<std::string>();
      artifact.step = json.at("step").get<std::int64_t>();
      for (const Json& attribute : json.at("attributes")) {
        const Json& value = attribute.at("value");
        layerscope::Attribute one{attribute.at("name").get<std::string>(), std::string()};
        if (value.is_number_integer()) {
          one.value = value.get<std::int64_t>();
        } else if (value.is_number() || is_special(value)) {
          one.value = number(value);
        } else {
          one.value = value.get<std::string>();
        }
        artifact.attributes.push_back(std::move(one));
      }
      for (const Json& part : json.at("parts")) add(artifact, part);
      if (json.at("picture").is_string()) {
        const std::string path = directory_ + "/" + checked(folder_ + json.at("picture").get<std::string>());
        artifact.picture = layerscope::Picture([path] { return read_png(path); });
      }
      return artifact;
    } catch (const Json::exception& error) {
      bad(file, error.what());
    }
  }

  void add(layerscope::Artifact& artifact, const Json& part) const {
    const std::string type = part.at("type").get<std::string>();
    const std::string name = part.at("name").get<std::string>();
    if (type == "histogram") {
      layerscope::Histogram histogram;
      histogram.edges = list<double>(part.at("edges"));
      histogram.counts = list<std::uint64_t>(part.at("counts"));
      artifact.parts.push_back({name, std::move(histogram)});
    } else if (type == "series") {
      artifact.parts.push_back({name, layerscope::Series{part.at("series").get<std::string>(),
                                                         list<double>(part.at("x")), list<double>(part.at("y"))}});
    } else if (type == "text") {
      artifact.parts.push_back({name, layerscope::Text{part.at("text").get<std::string>()}});
    } else if (type == "table") {
      layerscope::Table table;
      for (const Json& column : part.at("columns")) {
        layerscope::Table::Column one{column.at("name").get<std::string>(), std::vector<double>()};
        if (column.contains("texts")) {
          one.cells = column.at("texts").get<std::vector<std::string>>();
        } else {
          one.cells = list<double>(column.at("numbers"));
        }
        table.columns.push_back(std::move(one));
      }
      artifact.parts.push_back({name, std::move(table)});
    } else if (type == "points") {
      layerscope::Points points;
      points.coordinates = array(part.at("coordinates"));
      points.labels = list<std::int64_t>(part.at("labels"));
      points.class_names = part.at("class_names").get<std::vector<std::string>>();
      points.ids = list<std::int64_t>(part.at("ids"));
      artifact.parts.push_back({name, std::move(points)});
    } else if (type == "image" && part.at("file").is_string()) {
      const std::string path = directory_ + "/" + checked(folder_ + part.at("file").get<std::string>());
      artifact.parts.push_back({name, read_png(path)});
    }  // tensors are in the picture, tiles of a grid too
  }

  static bool is_special(const Json& value) { return value == "NaN" || value == "Infinity" || value == "-Infinity"; }

  static double number(const Json& value) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (value == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (value == "Infinity") return infinity;
    if (value == "-Infinity") return -infinity;
    return value.get<double>();
  }

  layerscope::Tensor array(const Json& value) const {
    if (value.contains("file")) {
      return layerscope::read_npy(directory_ + "/" + checked(folder_ + value.at("file").get<std::string>()));
    }
    const auto extents = value.at("shape").get<std::vector<std::int64_t>>();
    const Json& data = value.at("data");
    std::int64_t count = 1;
    for (const std::int64_t extent : extents) {
      if (extent < 0 || extent > static_cast<std::int64_t>(data.size()))
        bad(file_, "a shape that its data do not fill");
      count *= extent;
      if (count > static_cast<std::int64_t>(data.size())) bad(file_, "a shape that its data do not fill");
    }
    if (extents.size() > layerscope::max_rank || count != static_cast<std::int64_t>(data.size())) {
      bad(file_, "a shape that its data do not fill");
    }
    const std::string dtype = value.at("dtype").get<std::string>();
    const layerscope::Shape shape(std::span<const std::int64_t>{extents});
    if (dtype.starts_with("int") || dtype.starts_with("uint") || dtype == "bool") {
      layerscope::Tensor tensor(layerscope::DType::i64, shape);
      auto* out = tensor.mutable_data<std::int64_t>();
      for (const Json& each : data) *out++ = each.get<std::int64_t>();
      return tensor;
    }
    layerscope::Tensor tensor(dtype == "float64" ? layerscope::DType::f64 : layerscope::DType::f32, shape);
    for (std::int64_t i = 0; i < count; ++i) {
      const double each = number(data[static_cast<std::size_t>(i)]);
      if (tensor.dtype() == layerscope::DType::f64) {
        tensor.mutable_data<double>()[i] = each;
      } else {
        tensor.mutable_data<float>()[i] = static_cast<float>(each);
      }
    }
    return tensor;
  }

  template <class T>
  std::vector<T> list(const Json& value) const {
    const bool whole = std::is_integral_v<T>;
    const layerscope::Tensor numbers =
        layerscope::convert(array(value).view(), whole ? layerscope::DType::i64 : layerscope::DType::f64);
    std::vector<T> result(static_cast<std::size_t>(numbers.size()));
    for (std::size_t i = 0; i < result.size(); ++i) {
      if constexpr (std::is_integral_v<T>) {
        result[i] = static_cast<T>(numbers.data<std::int64_t>()[i]);
      } else {
        result[i] = numbers.data<double>()[i];
      }
    }
    return result;
  }

  std::string directory_;
  std::vector<std::pair<std::int64_t, std::string>> files_;
  std::string file_;    // being read
  std::string folder_;  // of it, with a slash
};

}  // namespace tool
