// A picture that is rendered when somebody first asks for it, once, whoever asks.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>

#include <functional>
#include <memory>

namespace layerscope::inline LAYERSCOPE_ABI {

/// A handle to one rendering, shared by its copies. PNG, HTML and TensorBoard sinks of one artifact render it once
/// between them; a JSON-only run never pays for it.
class Picture {
 public:
  /// No picture.
  Picture() = default;
  /// A picture that exists already.
  explicit Picture(Image image);
  /// A picture that `render` makes on the first get(); it must own what it captures.
  explicit Picture(std::function<Image()> render);

  /// Whether there is a picture to get.
  explicit operator bool() const noexcept { return state_ != nullptr; }

  /// The image, rendered on the first call; safe from several threads at once. Rethrows what the rendering threw, on
  /// every call. Throws Error(empty) when there is no picture.
  const Image& get() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/picture_inl.hpp>
#endif
