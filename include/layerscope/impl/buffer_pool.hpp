// Memory for the copies that wait in a queue: within a limit, and used again, so that a copy writes into pages that
// the process has touched already.
#pragma once

#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Counts two things that together stay within the limit: bytes reserved by whoever holds buffers, and bytes of free
/// buffers kept for reuse, which give way. A buffer comes back when its last owner drops it, which may be long after
/// its reservation ended: an artifact that somebody keeps is no longer the queue's.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  explicit BufferPool(std::int64_t limit) : limit_(limit) { free_.reserve(max_free); }
  ~BufferPool() {
    for (const Block& block : free_) deallocate(block.bytes);
  }
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  std::int64_t limit() const noexcept { return limit_; }

  /// Whether `bytes` more would fit beside what is reserved, once `released` of that are given up.
  bool fits(std::int64_t bytes, std::int64_t released = 0) const {
    const std::lock_guard lock(mutex_);
    return bytes <= limit_ - (reserved_ - released);
  }

  void reserve(std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    reserved_ += bytes;
    peak_ = (std::max)(peak_, reserved_);
  }
  void release(std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    reserved_ -= bytes;
  }

  /// Buffers of at least these sizes, for which the caller has reserved the sum of the sizes; `reserved` grows by what
  /// the buffers are larger.
  void take(std::span<const std::size_t> sizes, std::int64_t& reserved, std::vector<std::shared_ptr<std::byte>>& out) {
    std::vector<Block> blocks(sizes.size());
    std::vector<Block> evicted;
    evicted.reserve(max_free);
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        const auto best = best_fit(sizes[i]);
        if (best == free_.end()) continue;
        blocks[i] = *best;
        free_bytes_ -= best->capacity;
        // The limit holds: what the reservation grows by was free and counted until now.
        reserved_ += best->capacity - static_cast<std::int64_t>(sizes[i]);
        reserved += best->capacity - static_cast<std::int64_t>(sizes[i]);
        free_.erase(best);
      }
      while (!free_.empty() && reserved_ + free_bytes_ > limit_) {
        evicted.push_back(free_.front());
        free_bytes_ -= free_.front().capacity;
        free_.erase(free_.begin());
      }
      peak_ = (std::max)(peak_, reserved_ + free_bytes_);
    }
    for (const Block& block : evicted) deallocate(block.bytes);
    std::size_t owned = 0;
    try {
      out.reserve(out.size() + sizes.size());
      for (; owned < sizes.size(); ++owned) {
        Block block = blocks[owned];
        if (block.bytes == nullptr) block = allocate(sizes[owned]);
        blocks[owned].bytes = nullptr;
        out.emplace_back(block.bytes, Return{weak_from_this(), block.capacity});  // frees it when this throws
      }
    } catch (...) {
      for (; owned < sizes.size(); ++owned) deallocate(blocks[owned].bytes);
      throw;
    }
  }

  std::int64_t peak() const {
    const std::lock_guard lock(mutex_);
    return peak_;
  }

 private:
  static constexpr std::size_t max_free = 64;

  struct Block {
    std::byte* bytes = nullptr;
    std::int64_t capacity = 0;
  };

  /// The deleter of a buffer: back to the pool if that is alive and has room.
  struct Return {
    std::weak_ptr<BufferPool> pool;
    std::int64_t capacity;
    void operator()(std::byte* bytes) const noexcept {
      const std::shared_ptr<BufferPool> alive = pool.lock();
      if (alive == nullptr || !alive->put_back({bytes, capacity})) deallocate(bytes);
    }
  };

  static Block allocate(std::size_t size) {
    const std::size_t capacity = (std::max<std::size_t>)(size, 1);
    return {static_cast<std::byte*>(::operator new (capacity, std::align_val_t{64})),
            static_cast<std::int64_t>(capacity)};
  }
  static void deallocate(std::byte* bytes) noexcept { ::operator delete (bytes, std::align_val_t{64}); }

  std::vector<Block>::iterator best_fit(std::size_t size) {
    const auto wanted = static_cast<std::int64_t>(size);
    auto best = free_.end();
    for (auto block = free_.begin(); block != free_.end(); ++block) {
      if (block->capacity < wanted || block->capacity / 2 > wanted) continue;
      if (best == free_.end() || block->capacity < best->capacity) best = block;
    }
    return best;
  }

  bool put_back(Block block) noexcept {
    const std::lock_guard lock(mutex_);
    if (free_.size() == max_free || reserved_ + free_bytes_ + block.capacity > limit_) return false;
    free_.push_back(block);  // within the capacity reserved
    free_bytes_ += block.capacity;
    peak_ = (std::max)(peak_, reserved_ + free_bytes_);
    return true;
  }

  const std::int64_t limit_;
  mutable std::mutex mutex_;
  std::vector<Block> free_;
  std::int64_t free_bytes_ = 0;
  std::int64_t reserved_ = 0;
  std::int64_t peak_ = 0;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
