// Body of core/picture.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/picture.hpp>

#include <exception>
#include <mutex>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

struct Picture::State {
  std::mutex mutex;
  std::function<Image()> render;
  Image image;
  std::exception_ptr failure;
};

LAYERSCOPE_INLINE Picture::Picture(Image image) : state_(std::make_shared<State>()) {
  state_->image = std::move(image);
}

LAYERSCOPE_INLINE Picture::Picture(std::function<Image()> render) : state_(std::make_shared<State>()) {
  state_->render = std::move(render);
}

LAYERSCOPE_INLINE const Image& Picture::get() const {
  if (state_ == nullptr) throw Error(ErrorCode::empty, "picture: this artifact has none");
  const std::lock_guard lock(state_->mutex);
  if (state_->render) {
    // Taken out first, so that what it captured is freed and it never runs twice, whether it throws or not.
    const std::function<Image()> render = std::exchange(state_->render, nullptr);
    try {
      state_->image = render();
    } catch (...) {
      state_->failure = std::current_exception();
    }
  }
  if (state_->failure) std::rethrow_exception(state_->failure);
  return state_->image;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
