// A named result at a step: what algorithms hand to sinks.
//
// The kinds of parts are closed: attention, atlas or calibration are artifacts of several parts, never new
// alternatives, so that a sink which knows the nine alternatives knows every artifact there will be.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/picture.hpp>
#include <layerscope/core/tensor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {
/// A copy of a std::variant, made outside of it and moved in. A variant of vectors or strings alone is taken by
/// libstdc++ 12 for one that always has a value, so that a copy which runs out of memory destroys what it has not made.
template <class Variant>
Variant copy_of(const Variant& from) {
  return std::visit(
      [](const auto& value) {
        auto copy = value;
        return Variant(std::move(copy));
      },
      from);
}
}  // namespace detail

/// Smallest and largest of the finite numbers.
struct Range {
  double min = 0;
  double max = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

/// Several images that belong side by side, row by row from the top left.
struct Grid {
  std::vector<Image> tiles;
  std::vector<std::string> labels;  ///< empty, or one a tile
  std::int64_t columns = 8;
};

/// Counts of numbers in [edges[i], edges[i + 1]), the last bin closed on the right.
struct Histogram {
  std::vector<double> edges;          ///< bins + 1 increasing numbers
  std::vector<std::uint64_t> counts;  ///< bins
};

/// y over x: a line of a chart.
struct Series {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;  ///< as many as x
};

/// Columns of equal length.
struct Table {
  struct Column {
    using Cells = std::variant<std::vector<double>, std::vector<std::string>>;
    std::string name;
    Cells cells;

    Column() = default;
    Column(std::string given_name, Cells given) noexcept : name(std::move(given_name)), cells(std::move(given)) {}
    Column(const Column& other) : name(other.name), cells(detail::copy_of(other.cells)) {}
    Column(Column&&) noexcept = default;
    Column& operator=(const Column& other) { return *this = Column(other); }
    Column& operator=(Column&&) noexcept = default;
  };
  std::vector<Column> columns;
};

/// Thumbnails of equal size, row by row from the top left in a square grid.
struct Sprites {
  Picture sheet;            ///< none, or the whole grid
  std::int64_t width = 0;   ///< of one thumbnail, in pixels
  std::int64_t height = 0;  ///< the same
};

/// Points in the plane or in space.
struct Points {
  Tensor coordinates;                    ///< [n, 2] or [n, 3], float32 or float64
  std::vector<std::int64_t> labels;      ///< empty, or one class a point
  std::vector<std::string> class_names;  ///< empty, or a name for each class from 0
  std::vector<std::int64_t> ids;         ///< empty, or which sample each point is, the same over steps

  // What the points stand for, only where a sink takes it (Sink::takes_inputs); run directories do not.
  Tensor rows{};      ///< empty, or [n, d], float32 or float64
  Sprites sprites{};  ///< none, or one thumbnail a point
};

/// Nodes and directed edges: the architecture of a model.
struct Graph {
  struct Node {
    std::string id;
    std::string label;
    std::string kind;  ///< operator or layer type
    std::vector<std::pair<std::string, std::string>> attributes;
  };
  struct Edge {
    std::size_t from = 0;  ///< index into nodes
    std::size_t to = 0;
    std::string label;
  };
  std::vector<Node> nodes;
  std::vector<Edge> edges;
};

struct Text {
  std::string text;  ///< UTF-8, Markdown
};

using PartValue = std::variant<Tensor, Image, Grid, Histogram, Series, Table, Points, Graph, Text>;

/// One named piece of an artifact.
struct Part {
  std::string name;
  PartValue value;
};

/// A fact about an artifact: "channels shown" = 64.
struct Attribute {
  using Value = std::variant<std::int64_t, double, std::string>;
  std::string name;
  Value value;

  Attribute() = default;
  Attribute(std::string given_name, Value given) noexcept : name(std::move(given_name)), value(std::move(given)) {}
  Attribute(const Attribute& other) : name(other.name), value(detail::copy_of(other.value)) {}
  Attribute(Attribute&&) noexcept = default;
  Attribute& operator=(const Attribute& other) { return *this = Attribute(other); }
  Attribute& operator=(Attribute&&) noexcept = default;
};

/// Which of the artifacts of one kind and name a sink keeps.
enum class Retention : std::uint8_t {
  every_step,  ///< each step on its own
  latest,      ///< the newest contains what came before and replaces it: a curve over the run
};

/// A named result at a step. It carries the numbers, their range, and a picture of them that is rendered on demand.
struct Artifact {
  std::string kind;  ///< what it is: "activations", "filters", "histogram", "embedding" …
  std::string name;  ///< whose it is: "encoder/conv1"
  std::int64_t step = 0;
  std::vector<Part> parts;
  std::optional<Range> range;  ///< of the numbers the user gave, before any normalisation
  std::vector<Attribute> attributes;
  std::vector<std::string> warnings;  ///< what was clamped, dropped or capped, in words
  Picture picture;
  Retention retention = Retention::every_step;

  /// The part of this name and type, or null.
  template <class T>
  const T* find(std::string_view part_name) const noexcept {
    for (const Part& part : parts) {
      if (part.name == part_name) return std::get_if<T>(&part.value);
    }
    return nullptr;
  }
};

namespace detail {
template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;  // which clang 14 does not find by itself
}  // namespace detail

/// Calls the handler that takes the part's alternative, else `otherwise` with the part: a default is always required,
/// so that a visitor names only what it cares about.
template <class Default, class... Handlers>
decltype(auto) visit_part(const Part& part, Default&& otherwise, Handlers&&... handlers) {
  return std::visit(
      [&](const auto& value) -> decltype(auto) {
        const detail::Overloaded<std::remove_cvref_t<Handlers>...> handle{handlers...};
        if constexpr (requires { handle(value); }) {
          return handle(value);
        } else {
          return otherwise(part);
        }
      },
      part.value);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
