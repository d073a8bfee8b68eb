// Body of algorithms/uncertainty.hpp: the pictures.
#pragma once

#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/algorithms/heatmap.hpp>
#include <layerscope/algorithms/sprite_sheet.hpp>
#include <layerscope/algorithms/text.hpp>
#include <layerscope/algorithms/uncertainty.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/prediction_rows_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline constexpr std::int64_t thumbnail_side = 56;
inline constexpr std::int64_t bars_height = 36;

inline void check_shown_samples(std::int64_t count, const char* what) {
  if (count < 1 || count > 64) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": count " + to_text(count) + "; expected 1 to 64");
  }
}

inline std::vector<std::string> uncertainty_captions(const Uncertainty& of, std::int64_t samples, std::int64_t shown,
                                                     const std::string& ranked_by) {
  std::vector<std::string> captions{to_text(of.members) + (of.members == 1 ? " member; " : " members; ") +
                                    (shown < samples ? to_text(shown) + " of " : "") + to_text(samples) +
                                    " samples, the largest " + ranked_by + " first; entropies in nats"};
  captions.insert(captions.end(), of.warnings.begin(), of.warnings.end());
  return captions;
}

/// A column of the table: its heading, and where it begins.
struct SampleColumn {
  std::string heading;
  std::int64_t width = 0;
  std::int64_t x = 0;
};

/// The mean probabilities of one sample as bars, with the spread of the members.
inline void draw_probabilities(Image& image, const Uncertainty& of, std::int64_t sample, std::int64_t label,
                               const Box& box, std::int64_t pitch) {
  const double* const mean = of.mean.data<double>() + sample * of.classes;
  const double* const variance = of.variance.data<double>() + sample * of.classes;
  const std::int64_t base = box.y + box.height;
  fill_box(image, {box.x, base, box.width, 1}, look::frame);
  if (is_nan(mean[0])) {
    draw_text(image, box.x + 4, box.y + (box.height - font_height) / 2, "NaN", HeatmapOptions{}.nan_colour);
    return;
  }
  const auto height_of = [&](double share) {
    return std::lround((std::clamp)(share, 0.0, 1.0) * static_cast<double>(box.height));
  };
  for (std::int64_t c = 0; c < of.classes; ++c) {
    const std::int64_t left = box.x + c * pitch;
    const std::int64_t bar = (std::max<std::int64_t>)(1, pitch > 3 ? pitch - 2 : pitch);
    const std::int64_t height = height_of(mean[c]);
    fill_box(image, {left, base - height, bar, height}, c == label ? okabe_ito[2] : okabe_ito[0]);
    const double spread = std::sqrt(variance[c]);
    if (bar < 4 || spread < 0.01) continue;
    const std::int64_t top = base - height_of(mean[c] + spread), bottom = base - height_of(mean[c] - spread);
    fill_box(image, {left + bar / 2, top, 1, bottom - top + 1}, look::ink);
  }
}

inline std::string class_text(std::int64_t index, const std::vector<std::string>& names) {
  if (index < 0) return "-";
  return static_cast<std::size_t>(index) < names.size() ? names[index_of(index)] : to_text(index);
}

}  // namespace detail

LAYERSCOPE_INLINE Image uncertain_samples_chart(const Uncertainty& of, const UncertainSamplesOptions& options) {
  const auto refuse = [](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, "uncertain_samples_chart: " + problem);
  };
  if (of.predicted.rank() != 1 || of.predicted.empty()) {
    refuse("predictions of rows " + to_text(of.predicted.shape()) + "; expected one row a sample, [n]");
  }
  detail::check_shown_samples(options.count, "uncertain_samples_chart");
  const std::int64_t n = of.predicted.extent(0);
  if (!options.labels.empty() && static_cast<std::int64_t>(options.labels.size()) != n) {
    refuse(to_text(options.labels.size()) + " labels for " + to_text(n) + " samples; expected none or as many");
  }
  if (options.images && (options.images->rank() < 3 || options.images->extent(0) != n)) {
    refuse("images of shape " + to_text(options.images->shape()) + "; expected one of " + to_text(n) +
           " samples each, N first");
  }
  const std::vector<std::int64_t> shown = most_uncertain(of, options.count, options.ranked_by);
  std::vector<Image> thumbnails;
  if (options.images) {
    for (const std::int64_t sample : shown) {
      const SpriteSheet sheet = sprite_sheet(options.images->narrow(0, sample, 1), options.images_layout,
                                             {.max_thumbnail = detail::thumbnail_side});
      thumbnails.push_back(sheet.sprites.sheet.get());
    }
  }
  const bool labelled = !options.labels.empty();
  std::int64_t widest_class = 54;
  for (std::int64_t c = 0; c < of.classes; ++c) {
    widest_class = (std::max)(widest_class, text_extent(detail::class_text(c, options.class_names)).width);
  }
  widest_class = (std::min<std::int64_t>)(widest_class, 120);
  const std::int64_t pitch = (std::clamp<std::int64_t>)(160 / of.classes, 1, 14);
  const bool with_bars = of.classes <= 160;

  std::vector<detail::SampleColumn> columns;
  const auto add = [&](const char* heading, std::int64_t width) {
    columns.push_back({heading, (std::max)(width, text_extent(heading, detail::look::title).width)});
    return columns.size() - 1;
  };
  if (options.images) add("", detail::thumbnail_side);
  const std::size_t number_column = add("sample", 48);
  const std::size_t true_column = labelled ? add("true", widest_class) : 0;
  const std::size_t predicted_column = add("predicted", widest_class);
  const std::size_t confidence_column = add("confidence", 0);
  const std::size_t predictive_column = add("predictive H", 0);
  const std::size_t expected_column = add("expected H", 0);
  const std::size_t information_column = add("mutual inf.", 0);
  const std::size_t bars_column = with_bars ? add("mean probability of each class", of.classes * pitch) : 0;
  std::int64_t x = detail::look::margin;
  for (detail::SampleColumn& column : columns) {
    column.x = x;
    x += column.width + 18;
  }
  const std::int64_t width = x - 18 + detail::look::margin;
  const std::int64_t row_height = options.images ? detail::thumbnail_side + 8 : detail::bars_height + 16;

  std::vector<std::string> captions =
      options.captions
          ? *options.captions
          : detail::uncertainty_captions(of, n, static_cast<std::int64_t>(shown.size()), name(options.ranked_by));
  if (with_bars) {
    captions.push_back(std::string("Bars from 0 to 1, lines: standard deviation over the members") +
                       (labelled ? "; green: the true class." : "."));
  }
  const detail::TextBlocks texts(options.title, captions, width - 2 * detail::look::margin);
  const std::int64_t top = detail::look::margin + texts.above();
  const auto rows = static_cast<std::int64_t>(shown.size());
  Image image =
      make_image(width, top + detail::look::line + 6 + rows * row_height + texts.below() + detail::look::margin,
                 detail::look::paper);
  texts.draw(image);
  for (const detail::SampleColumn& column : columns) {
    draw_text(image, column.x, top, column.heading, detail::look::ink, detail::look::title);
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t sample = shown[detail::index_of(row)];
    const std::int64_t y = top + detail::look::line + 6 + row * row_height;
    const std::int64_t text_y = y + (row_height - detail::font_height) / 2;
    detail::fill_box(image, {detail::look::margin, y - 3, width - 2 * detail::look::margin, 1},
                     detail::look::grid_line);
    if (options.images) {
      const Image& picture = thumbnails[detail::index_of(row)];
      const std::int64_t zoom =
          (std::max<std::int64_t>)(1, detail::thumbnail_side / (std::max)(picture.width, picture.height));
      detail::paste(image, to_rgb(picture), columns[0].x, y, zoom, zoom);
    }
    const std::int64_t label = labelled ? options.labels[detail::index_of(sample)] : -1;
    const std::int64_t predicted = of.predicted.data<std::int64_t>()[sample];
    const auto write = [&](std::size_t column, const std::string& text, Rgb ink) {
      draw_text(image, columns[column].x, text_y, elide(text, columns[column].width), ink);
    };
    const auto number = [&](std::size_t column, double value) {
      write(column, is_nan(value) ? "NaN" : detail::number_text(value, 3),
            is_nan(value) ? HeatmapOptions{}.nan_colour : detail::look::ink);
    };
    write(number_column, to_text(sample), detail::look::ink);
    if (labelled) write(true_column, detail::class_text(label, options.class_names), detail::look::ink);
    const bool wrong = label >= 0 && predicted >= 0 && predicted != label;
    write(predicted_column, detail::class_text(predicted, options.class_names),
          wrong ? okabe_ito[1] : detail::look::ink);
    number(confidence_column, of.mean.data<double>()[sample * of.classes + (std::max)(predicted, std::int64_t{0})]);
    number(predictive_column, of.predictive_entropy.data<double>()[sample]);
    number(expected_column, of.expected_entropy.data<double>()[sample]);
    number(information_column, of.mutual_information.data<double>()[sample]);
    if (!with_bars) continue;
    const bool indexed = pitch >= 10;
    const detail::Box box{columns[bars_column].x, y + (row_height - detail::bars_height) / 2 - (indexed ? 9 : 4),
                          of.classes * pitch, detail::bars_height};
    detail::draw_probabilities(image, of, sample, label, box, pitch);
    for (std::int64_t c = 0; indexed && c < of.classes; ++c) {
      detail::draw_text_centred(image, box.x + c * pitch + (pitch - 2) / 2, box.y + box.height + 2, to_text(c),
                                detail::look::soft_ink);
    }
  }
  return image;
}

LAYERSCOPE_INLINE Image uncertainty_maps(const Uncertainty& of, const UncertaintyMapsOptions& options) {
  detail::check_shown_samples(options.count, "uncertainty_maps");
  if (of.predicted.rank() < 2 || of.predicted.rank() > 3 || of.predicted.empty()) {
    throw Error(ErrorCode::invalid_argument, "uncertainty_maps: predictions of rows " + to_text(of.predicted.shape()) +
                                                 "; expected [n, l] or [n, h, w]");
  }
  const std::vector<std::int64_t> shown = most_uncertain(of, options.count);
  HeatmapOptions look;
  look.colormap = Colormap::magma;
  look.normalization = Normalization::fixed;
  look.range = Range{0, std::log(static_cast<double>(of.classes))};
  look.scale = 1;
  Grid grid;
  grid.columns = 3;
  GridOptions placing;
  for (const std::int64_t sample : shown) {
    for (const Tensor* map : {&of.predictive_entropy, &of.expected_entropy, &of.mutual_information}) {
      grid.tiles.push_back(to_rgb(heatmap(map->view().select(0, sample), look)));
    }
    placing.row_labels.push_back("sample " + to_text(sample));
  }
  placing.title = options.title;
  placing.column_labels = {"predictive", "expected", "mutual inf."};
  ColourBar bar;
  bar.colormap = look.colormap;
  bar.range = *look.range;
  bar.label = "nats";
  placing.colour_bar = bar;
  placing.captions = options.captions ? *options.captions
                                      : detail::uncertainty_captions(of, of.predicted.extent(0),
                                                                     static_cast<std::int64_t>(shown.size()),
                                                                     "mean predictive entropy");
  return render_grid(grid, placing);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
