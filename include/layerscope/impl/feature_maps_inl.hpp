// Body of algorithms/feature_maps.hpp.
#pragma once

#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/tiles.hpp>
#include <layerscope/algorithms/feature_maps.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// What the pictures of all layouts are made of.
struct FeaturePicture {
  const FeatureMapsOptions& options;
  GridOptions look_of;
  Grid grid;
  std::int64_t samples_known, channels_known;  // how many there are, as far as the options say

  explicit FeaturePicture(const FeatureMapsOptions& given)
      : options(given),
        samples_known(given.samples_total.value_or(0)),
        channels_known(given.channels_total.value_or(0)) {
    look_of.title = given.title;
  }

  std::int64_t samples(std::int64_t extent) const { return (std::min)(extent, options.max_samples); }
  std::int64_t channels(std::int64_t extent) const { return (std::min)(extent, options.max_channels); }
  std::int64_t samples_total(std::int64_t extent) const { return (std::max)(samples_known, extent); }
  std::int64_t channels_total(std::int64_t extent) const { return (std::max)(channels_known, extent); }

  void caption(std::string text) {
    if (!text.empty()) look_of.captions.push_back(std::move(text));
  }

  /// Adds what the colours mean: a bar, or the range of the numbers.
  MapTiles draw(const std::vector<AnyView>& maps, Scaling scaling) {
    MapTiles tiles = map_tiles(maps, {options.colormap, Normalization::min_max, scaling});
    if (scaling == Scaling::global) {
      look_of.colour_bar = ColourBar{options.colormap, tiles.range, "", {}};
    } else {
      caption("Each map on its own scale; the numbers go from " + number_text(tiles.range.min, 3) + " to " +
              number_text(tiles.range.max, 3));
    }
    tiles.describe(look_of.captions);
    return tiles;
  }
};

/// [n, c, h, w]: a row of tiles per sample, or several rows of 16 where there are more channels.
inline Image spatial_maps(FeaturePicture picture, const AnyView& x) {
  const std::int64_t samples = picture.samples(x.extent(0));
  const std::int64_t channels = picture.channels(x.extent(1));
  picture.caption(shown_caption(samples, picture.samples_total(x.extent(0)), "samples", channels,
                                picture.channels_total(x.extent(1)), "channels"));
  const Scaling scaling = picture.options.scaling;
  const std::int64_t most = samples == 1 ? 8 : 16;
  // One channel: samples side by side. Else a block of rows per sample.
  const bool by_sample = channels > 1;
  const std::int64_t columns = (std::min)(by_sample ? channels : samples, most);
  const std::int64_t blank = by_sample ? (columns - channels % columns) % columns : 0;
  const std::int64_t rows_each = by_sample ? (channels - 1) / columns + 1 : 1;
  std::vector<AnyView> maps;
  for (std::int64_t n = 0; n < samples; ++n) {
    for (std::int64_t c = 0; c < channels; ++c) maps.push_back(x.select(0, n).select(0, c));
  }
  MapTiles tiles = picture.draw(maps, scaling);

  GridOptions& look_of = picture.look_of;
  const std::int64_t count = by_sample ? samples * (channels + blank) : samples;
  const std::int64_t longest = (std::max)(x.extent(2), x.extent(3));
  look_of.zoom = picture.options.zoom.value_or(derived_zoom(longest, count, columns, look_of.padding));
  const bool labelled = scaling == Scaling::each && *look_of.zoom * x.extent(3) >= 56;
  picture.grid.columns = columns;
  std::size_t next = 0;
  for (std::int64_t n = 0; n < samples; ++n) {
    for (std::int64_t c = 0; c < channels; ++c, ++next) {
      picture.grid.tiles.push_back(std::move(tiles.images[next]));
      if (labelled) picture.grid.labels.push_back(std::move(tiles.ranges[next]));
    }
    // The last row of a sample's block is filled up with white, so that the next sample starts a row.
    for (std::int64_t i = 0; by_sample && n + 1 < samples && i < blank; ++i) {
      picture.grid.tiles.push_back(make_image(1, 1, look_of.background));
      if (labelled) picture.grid.labels.emplace_back();
    }
  }
  if (by_sample) {
    for (std::int64_t n = 0; n < samples; ++n) {
      for (std::int64_t row = 0; row < rows_each; ++row) {
        std::string name = samples > 1 && row == 0 ? "sample " + to_text(n) : "";
        if (rows_each > 1 || samples == 1) {
          const std::int64_t first = row * columns;
          const std::int64_t last = (std::min)(first + columns, channels) - 1;
          name += (name.empty() ? "ch " : ", ch ") + to_text(first);
          if (last > first) name += "–" + to_text(last);
        }
        look_of.row_labels.push_back(std::move(name));
      }
    }
    if (rows_each == 1 && samples > 1) {
      for (std::int64_t c = 0; c < columns; ++c) look_of.column_labels.push_back("ch " + to_text(c));
    }
  }
  return render_grid(picture.grid, look_of);
}

/// [n, h, w] that is no image: one stretched heatmap per sample. Rows that are no channels
/// count as 0 of 0.
inline Image matrix_maps(FeaturePicture picture, const AnyView& x, const char* axes, std::int64_t channels,
                         std::int64_t channels_total) {
  const std::int64_t samples = picture.samples(x.extent(0));
  picture.caption(axes);
  picture.caption(
      shown_caption(samples, picture.samples_total(x.extent(0)), "samples", channels, channels_total, "channels"));
  std::vector<AnyView> maps;
  std::vector<std::string> reduced;
  for (std::int64_t n = 0; n < samples; ++n) maps.push_back(bounded_matrix(x.select(0, n), reduced));
  if (!reduced.empty()) picture.caption(reduced[0]);
  const Scaling scaling = samples == 1 ? Scaling::global : picture.options.scaling;
  MapTiles tiles = picture.draw(maps, scaling);
  const MatrixZoom zoom(maps[0].extent(0), maps[0].extent(1), samples == 1 ? 480 : 280, picture.options.zoom);
  for (std::int64_t n = 0; n < samples; ++n) {
    const auto at = static_cast<std::size_t>(n);
    picture.grid.tiles.push_back(stretched(tiles.images[at], zoom.x, zoom.y));
    if (samples == 1) continue;
    picture.grid.labels.push_back("sample " + to_text(n) +
                                  (scaling == Scaling::each ? ": " + tiles.ranges[at] : std::string()));
  }
  const std::int64_t width = picture.grid.tiles[0].width;
  picture.grid.columns = (std::clamp<std::int64_t>)(1280 / (width + 8), 1, 4);
  picture.look_of.padding = 8;
  picture.look_of.zoom = 1;
  return render_grid(picture.grid, picture.look_of);
}

/// [n, c]: one heatmap, samples downwards.
inline Image unit_map(FeaturePicture picture, const AnyView& x) {
  picture.caption(to_text(x.extent(0)) + " samples downwards, " + to_text(x.extent(1)) + " channels across");
  picture.caption(shown_caption(x.extent(0), picture.samples_total(x.extent(0)), "samples", x.extent(1),
                                picture.channels_total(x.extent(1)), "channels"));
  const AnyView matrix = bounded_matrix(x, picture.look_of.captions);
  const MapTiles tiles = picture.draw({matrix}, Scaling::global);
  const MatrixZoom zoom(matrix.extent(0), matrix.extent(1), 480, picture.options.zoom);
  picture.grid.tiles.push_back(stretched(tiles.images[0], zoom.x, zoom.y));
  picture.look_of.zoom = 1;
  return render_grid(picture.grid, picture.look_of);
}

/// The largest number along axis 2 of [n, c, d, h, w]: NaN where there is one.
inline Tensor max_projection(const AnyView& x) {
  const Tensor numbers = convert(x, DType::f64);
  const std::int64_t depth = x.extent(2);
  const std::int64_t pixels = x.extent(3) * x.extent(4);
  Tensor result(DType::f64, {x.extent(0), x.extent(1), x.extent(3), x.extent(4)});
  const double* in = numbers.data<double>();
  double* out = result.mutable_data<double>();
  for (std::int64_t map = 0; map < x.extent(0) * x.extent(1); ++map, out += pixels) {
    std::copy_n(in, pixels, out);
    in += pixels;
    for (std::int64_t d = 1; d < depth; ++d, in += pixels) {
      for (std::int64_t i = 0; i < pixels; ++i) {
        if (!is_nan(out[i]) && (is_nan(in[i]) || in[i] > out[i])) out[i] = in[i];
      }
    }
  }
  return result;
}

}  // namespace detail

LAYERSCOPE_INLINE Image feature_maps(const AnyView& x, const Layout& layout, const FeatureMapsOptions& options) {
  detail::check_at_least_one("feature_maps", "max_samples", options.max_samples);
  detail::check_at_least_one("feature_maps", "max_channels", options.max_channels);
  if (options.zoom) detail::check_at_least_one("feature_maps", "zoom", *options.zoom);
  const auto has = [&layout](char axis) { return layout.find(axis) >= 0; };
  const bool spatial = has('H') && has('W') && !has('T') && !has('L');
  detail::FeaturePicture picture(options);
  if (spatial) {
    const AnyView all = detail::arranged(x, layout, "NCDHW", "feature_maps");
    if (!has('D')) return detail::spatial_maps(std::move(picture), all.select(2, 0));
    const std::int64_t depth = all.extent(2);
    if (options.depth == DepthView::middle_slice) {
      picture.caption("Depth slice " + to_text(depth / 2) + " of 0 to " + to_text(depth - 1));
      return detail::spatial_maps(std::move(picture), all.select(2, depth / 2));
    }
    picture.caption("Largest number over " + to_text(depth) + " depth slices");
    const AnyView shown =
        all.narrow(0, 0, picture.samples(all.extent(0))).narrow(1, 0, picture.channels(all.extent(1)));
    picture.samples_known = picture.samples_total(all.extent(0));
    picture.channels_known = picture.channels_total(all.extent(1));
    return detail::spatial_maps(std::move(picture), detail::max_projection(shown).view());
  }
  if (has('T') && has('D') && !has('C') && !has('L')) {
    return detail::matrix_maps(std::move(picture), detail::arranged(x, layout, "NTD", "feature_maps"),
                               "Tokens downwards, features across", 0, 0);
  }
  if (has('C') && has('L')) {
    const AnyView all = detail::arranged(x, layout, "NCL", "feature_maps");
    const std::int64_t channels = picture.channels(all.extent(1));
    const std::int64_t channels_total = picture.channels_total(all.extent(1));
    return detail::matrix_maps(std::move(picture), all.narrow(1, 0, channels), "Channels downwards, positions across",
                               channels, channels_total);
  }
  if (has('N') && has('C') && layout.rank() == 2) {
    return detail::unit_map(std::move(picture), detail::arranged(x, layout, "NC", "feature_maps"));
  }
  // Rank 0 and zero extents are named first, as everywhere.
  detail::arranged(x, layout, layout.axes(), "feature_maps");
  throw Error(ErrorCode::invalid_argument,
              "feature_maps: layout " + std::string(layout.axes()) +
                  "; expected NCHW, NCDHW, CHW, NHW, HW, NCL, NTD or NC with their axes in any order");
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
