// Body of sinks/tensorboard.hpp: the public functions. None of them lets an exception out.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/event_data.hpp>
#include <layerscope/impl/event_log.hpp>

#include <exception>
#include <memory>
#include <new>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// Runs `body`; what it throws is counted and reported as a refused value.
template <class Body>
bool try_event(EventLog* log, std::string_view tag, std::int64_t step, Body&& body) noexcept {
  if (log == nullptr || log->forked()) return false;
  try {
    return body(*log);
  } catch (const std::exception& error) {
    try {
      log->refuse(("\"" + clean_tag(tag) + "\" at step " + to_text(step) + ": " + error.what()).c_str());
    } catch (...) {
      log->refuse("a value refused; there is no memory to say which");
    }
  } catch (...) {
    log->refuse("a value refused for something that is not a std::exception");
  }
  return false;
}

inline std::int64_t event_bytes(const Image& image) {
  return static_cast<std::int64_t>(image.pixels.size() + 3 * image.palette.size()) + 256;
}

/// Compresses pictures and appends them as one value. `images` has one at least.
inline void append_pictures(EventBytes& out, const EventStamp& stamp, std::string_view tag,
                            std::span<const Image> images, const PngOptions& png) {
  std::vector<std::vector<std::uint8_t>> files;
  for (const Image& image : images) files.push_back(encode_png(image, png));
  append_images(out, stamp, tag, images.front().width, images.front().height, files);
}

inline bool defer_images(EventLog& log, std::string_view tag, std::vector<Image> images, std::int64_t step) {
  if (images.empty()) throw Error(ErrorCode::empty, "images: none; expected at least one");
  std::int64_t bytes = 0;
  for (const Image& image : images) {
    if (image.empty()) throw Error(ErrorCode::empty, "image: no pixels; expected at least one");
    check_image(image, "image");
    bytes += event_bytes(image);
  }
  auto held = std::make_shared<const std::vector<Image>>(std::move(images));
  return log.defer(
      EventSort::image, tag, step, bytes,
      [held = std::move(held), png = log.png()](EventBytes& out, const EventStamp& stamp, std::string_view shown) {
        append_pictures(out, stamp, shown, *held, png);
      });
}

inline bool defer_pixels(EventLog& log, std::string_view tag, const TensorRef& pixels, std::int64_t step,
                         PictureAxes axes) {
  const Shape shape = pixels.shape();
  check_event_images(shape, DType::u8, axes);  // before anything is copied from a device
  const AnyView read = pixels.read();
  check_event_images(shape, read.dtype(), axes);
  const auto bytes = static_cast<std::int64_t>(byte_count(read.dtype(), shape)) + 256;
  if (log.turns_away(tag, bytes)) return false;
  Tensor held = log.hold(read);
  return log.defer(
      EventSort::image, tag, step, bytes,
      [held = std::move(held), png = log.png()](EventBytes& out, const EventStamp& stamp, std::string_view shown) {
        append_pictures(out, stamp, shown, event_images(held.view()), png);
      });
}

}  // namespace detail

LAYERSCOPE_INLINE TensorBoard::TensorBoard(const std::string& directory, TensorBoardOptions options) noexcept {
  try {
    log_ = std::make_shared<detail::EventLog>(std::move(options));
  } catch (...) {
    detail::say("layerscope: tensorboard: no memory; nothing is written");
    return;
  }
  try {
    log_->open(directory);
  } catch (const std::exception& error) {
    log_->report(detail::EventLog::Trouble::closed, error.what());
  } catch (...) {
    log_->report(detail::EventLog::Trouble::closed, "no file; nothing is written");
  }
}

LAYERSCOPE_INLINE TensorBoard::TensorBoard(TensorBoard&&) noexcept = default;

LAYERSCOPE_INLINE TensorBoard::~TensorBoard() {
  if (log_ == nullptr) return;
  if (log_->forked()) {
    // Nothing of it may be destroyed here: its thread is gone, its locks may be held, its file is the parent's.
    new (std::nothrow) std::shared_ptr<detail::EventLog>(log_);
    return;
  }
  close(log_->close_seconds());
}

LAYERSCOPE_INLINE bool TensorBoard::scalar(std::string_view tag, double value, std::int64_t step) noexcept {
  return detail::try_event(log_.get(), tag, step, [&](detail::EventLog& log) { return log.scalar(tag, value, step); });
}

LAYERSCOPE_INLINE bool TensorBoard::image(std::string_view tag, Image image, std::int64_t step) noexcept {
  return detail::try_event(log_.get(), tag, step, [&](detail::EventLog& log) {
    std::vector<Image> images;
    images.push_back(std::move(image));
    return detail::defer_images(log, tag, std::move(images), step);
  });
}

LAYERSCOPE_INLINE bool TensorBoard::image(std::string_view tag, const TensorRef& pixels, std::int64_t step) noexcept {
  return detail::try_event(log_.get(), tag, step, [&](detail::EventLog& log) {
    return detail::defer_pixels(log, tag, pixels, step, detail::PictureAxes::one);
  });
}

LAYERSCOPE_INLINE bool TensorBoard::images(std::string_view tag, const TensorRef& batch, std::int64_t step) noexcept {
  return detail::try_event(log_.get(), tag, step, [&](detail::EventLog& log) {
    return detail::defer_pixels(log, tag, batch, step, detail::PictureAxes::batch);
  });
}

LAYERSCOPE_INLINE bool TensorBoard::images(std::string_view tag, const Grid& grid, std::int64_t step) noexcept {
  return detail::try_event(log_.get(), tag, step,
                           [&](detail::EventLog& log) { return detail::defer_images(log, tag, grid.tiles, step); });
}

LAYERSCOPE_INLINE bool TensorBoard::figure(std::string_view tag, Picture picture, std::int64_t step) noexcept {
  return detail::try_event(log_.get(), tag, step, [&](detail::EventLog& log) {
    if (!picture) throw Error(ErrorCode::empty, "figure: no picture; expected one");
    constexpr std::int64_t guess = std::int64_t{1} << 20;  // what it holds is not known
    return log.defer(detail::EventSort::image, tag, step, guess,
                     [picture = std::move(picture), png = log.png()](
                         detail::EventBytes& out, const detail::EventStamp& stamp, std::string_view shown) {
                       detail::append_pictures(out, stamp, shown, {&picture.get(), 1}, png);
                     });
  });
}

LAYERSCOPE_INLINE bool TensorBoard::histogram(std::string_view tag, const TensorRef& values, std::int64_t step,
                                              int bins) noexcept {
  return detail::try_event(log_.get(), tag, step, [&](detail::EventLog& log) {
    if (bins < 1 || bins > 65536) {
      throw Error(ErrorCode::invalid_argument, "histogram: bins " + to_text(bins) + "; expected 1 to 65536");
    }
    const AnyView read = values.read();
    const auto bytes = static_cast<std::int64_t>(byte_count(read.dtype(), read.shape())) + 256;
    if (log.turns_away(tag, bytes)) return false;
    Tensor held = log.hold(read);
    return log.defer(detail::EventSort::histogram, tag, step, bytes,
                     [held = std::move(held), bins, non_finite = std::string(tag) + "/non_finite"](
                         detail::EventBytes& out, const detail::EventStamp& stamp, std::string_view shown) {
                       const detail::EventHistogram counted = detail::event_histogram(held.view(), bins);
                       detail::append_histogram(out.head, stamp, shown, counted);
                       if (counted.non_finite == 0) return;
                       detail::append_scalar(out.head, stamp, detail::clean_tag(non_finite),
                                             static_cast<float>(counted.non_finite));
                     });
  });
}

LAYERSCOPE_INLINE bool TensorBoard::histogram(std::string_view tag, const Histogram& counted,
                                              std::int64_t step) noexcept {
  return detail::try_event(log_.get(), tag, step, [&](detail::EventLog& log) {
    const detail::EventHistogram rows = detail::event_histogram(counted);
    return log.add(detail::EventSort::histogram, tag, step,
                   [&](std::string& out, const detail::EventStamp& stamp, std::string_view shown) {
                     detail::append_histogram(out, stamp, shown, rows);
                   });
  });
}

LAYERSCOPE_INLINE bool TensorBoard::text(std::string_view tag, std::string_view markdown, std::int64_t step) noexcept {
  return detail::try_event(log_.get(), tag, step, [&](detail::EventLog& log) {
    return log.add(detail::EventSort::text, tag, step,
                   [&](std::string& out, const detail::EventStamp& stamp, std::string_view shown) {
                     detail::append_text(out, stamp, shown, markdown);
                   });
  });
}

LAYERSCOPE_INLINE bool TensorBoard::hparams(const std::vector<HParam>& hparams, const HParamMetrics& metrics) noexcept {
  const bool taken = detail::try_event(log_.get(), "hparams", 0, [&](detail::EventLog& log) {
    log.at_end([](std::string& out) {
      const double now = detail::wall_time_now();
      detail::append_hparams(out, {now, 0}, "_hparams_/session_end_info", detail::hparams_end(now));
    });
    const std::string content = detail::hparams_start(hparams, detail::wall_time_now());
    return log.add(detail::EventSort::other, "_hparams_/session_start_info", 0,
                   [&](std::string& out, const detail::EventStamp& stamp, std::string_view shown) {
                     detail::append_hparams(out, stamp, shown, content);
                   });
  });
  bool all = taken;
  for (const auto& [name, value] : metrics) all = scalar(name, value, 0) && all;
  return all;
}

LAYERSCOPE_INLINE bool TensorBoard::graph(const Graph& graph) noexcept {
  return detail::try_event(log_.get(), "graph", 0, [&](detail::EventLog& log) {
    std::string record;
    detail::append_graph(record, detail::wall_time_now(), graph);
    return log.add(detail::EventSort::other, "_graph_", 0,
                   [&](std::string& out, const detail::EventStamp&, std::string_view) { out += record; });
  });
}

LAYERSCOPE_INLINE bool TensorBoard::flush(std::optional<double> seconds) noexcept {
  return detail::try_event(log_.get(), "flush", 0, [&](detail::EventLog& log) { return log.flush(seconds); });
}

LAYERSCOPE_INLINE RunCounts TensorBoard::close(std::optional<double> seconds) noexcept {
  RunCounts counts;
  detail::try_event(log_.get(), "close", 0, [&](detail::EventLog& log) {
    counts = log.close(seconds);
    return true;
  });
  return counts;
}

LAYERSCOPE_INLINE RunCounts TensorBoard::counts() const noexcept {
  return log_ == nullptr || log_->forked() ? RunCounts() : log_->counts();
}

LAYERSCOPE_INLINE std::string TensorBoard::path() const {
  return log_ == nullptr ? std::string() : log_->path();
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
