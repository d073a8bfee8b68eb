// Body of impl/event_log.hpp: the callers' side, which touches nothing but memory.
#pragma once

#include <layerscope/core/detail/utf8.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/event_log.hpp>

#include <algorithm>
#include <new>
#include <utility>

#if __has_include(<pthread.h>)
#include <pthread.h>
#endif

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline constexpr const char* no_memory = "dropped: no memory";

LAYERSCOPE_INLINE double wall_time_now() noexcept {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

LAYERSCOPE_INLINE int fork_generation() noexcept {
  static std::atomic<int> generation{0};
#if __has_include(<pthread.h>)
  static const int registered = pthread_atfork(nullptr, nullptr, [] { ++generation; });
  static_cast<void>(registered);
#endif
  return generation.load(std::memory_order_relaxed);
}

LAYERSCOPE_INLINE std::string clean_tag(std::string_view tag) {
  tag.remove_prefix((std::min)(tag.find_first_not_of('/'), tag.size()));
  std::string clean;
  const auto escape = [&](char byte) {
    constexpr char digits[] = "0123456789ABCDEF";
    const auto value = static_cast<unsigned char>(byte);
    clean += {'%', digits[value >> 4], digits[value & 15u]};
  };
  while (!tag.empty()) {
    const Utf8Sequence sequence = read_utf8(tag);
    if (sequence.valid && sequence.code_point >= 0x20 && sequence.code_point != 0x7F) {
      clean += tag.substr(0, sequence.bytes);
    } else {
      for (const char byte : tag.substr(0, sequence.bytes)) escape(byte);
    }
    tag.remove_prefix(sequence.bytes);
  }
  return clean.empty() ? "_" : clean;
}

LAYERSCOPE_INLINE std::string clean_text(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    std::size_t valid = 0;  // as far as it is, in one piece
    Utf8Sequence sequence;
    while (valid < text.size()) {
      sequence = read_utf8(text.substr(valid));
      if (!sequence.valid) break;
      valid += sequence.bytes;
    }
    clean += text.substr(0, valid);
    text.remove_prefix(valid);
    if (text.empty()) break;
    clean += "\xEF\xBF\xBD";
    text.remove_prefix(sequence.bytes);
  }
  return clean;
}

LAYERSCOPE_INLINE EventLog::EventLog(TensorBoardOptions options)
    : options_(std::move(options)),
      operations_(options_.operations != nullptr ? *options_.operations : posix_file_operations()),
      pool_(std::make_shared<BufferPool>(options_.queue_bytes)),
      generation_(fork_generation()) {}

LAYERSCOPE_INLINE EventLog::~EventLog() {
  close_files();  // of one that was never opened whole; else the thread has done it
}

LAYERSCOPE_INLINE bool EventLog::forked() noexcept {
  if (fork_generation() == generation_) return false;
  if (!fork_told_.exchange(true)) {
    say("layerscope: tensorboard: this process is a fork of the one that writes; nothing is written here");
  }
  return true;
}

LAYERSCOPE_INLINE void EventLog::report(Trouble trouble, const std::string& message) noexcept {
  const unsigned bit = 1u << static_cast<unsigned>(trouble);
  if ((told_.fetch_or(bit) & bit) != 0) return;
  try {
    if (options_.on_error) return options_.on_error(message);
    say("layerscope: tensorboard: " + message);
  } catch (...) {
    // A handler that fails has nobody left to tell.
  }
}

LAYERSCOPE_INLINE void EventLog::settle(std::uint64_t records, std::uint64_t RunCounts::*count) noexcept {
  if (abandoned_) return;  // counted as failed already
  counts_.in_flight -= records;
  counts_.*count += records;
}

LAYERSCOPE_INLINE void EventLog::refuse(const char* message) noexcept {
  {
    const Lock lock(mutex_);
    ++counts_.submitted;
    ++counts_.failed;
  }
  try {
    report(Trouble::refused, message);
  } catch (...) {
    // No memory for the words; the counts have it.
  }
}

/// Finds or makes what is known of a tag. Throws std::bad_alloc, leaving no half of an entry.
LAYERSCOPE_INLINE EventLog::TagState& EventLog::state_of(EventSort sort, std::string_view tag, std::int64_t step) {
  Tags& tags = tags_[static_cast<std::size_t>(sort)];
  const auto found = tags.find(tag);
  if (found != tags.end()) return found->second;
  std::string shown = clean_tag(tag);
  for (;;) {  // until no other sort has it
    const auto [place, added] = shown_.try_emplace(shown, sort);
    if (place->second == sort) break;
    shown += '/';
    shown += name(sort);
  }
  return tags.emplace(std::string(tag), TagState{std::move(shown), step}).first->second;
}

/// Counts a value in; null, without the lock and with a count to match, when it is not taken.
LAYERSCOPE_INLINE EventLog::TagState* EventLog::admit(Lock& lock, EventSort sort, std::string_view tag,
                                                      std::int64_t step) {
  ++counts_.submitted;
  if (closed_ || ended_) {
    ++counts_.dropped;
    lock.unlock();
    report(Trouble::closed, "\"" + clean_tag(tag) + "\" at step " + to_text(step) + " dropped: the file is closed");
    return nullptr;
  }
  TagState* state = nullptr;
  try {
    state = &state_of(sort, tag, step);
  } catch (const std::bad_alloc&) {
    ++counts_.dropped;
    lock.unlock();
    report(Trouble::full, no_memory);
    return nullptr;
  }
  if (step < state->last_step) {
    const std::int64_t last = state->last_step;
    ++counts_.failed;
    lock.unlock();
    report(Trouble::refused, "\"" + clean_tag(tag) + "\" at step " + to_text(step) + " refused: step " + to_text(last) +
                                 " is written; expected steps that do not decrease");
    return nullptr;
  }
  state->last_step = step;
  ++counts_.in_flight;
  return state;
}

LAYERSCOPE_INLINE void EventLog::drop_oldest() {
  settle(queue_.front().records, &RunCounts::dropped);
  queued_bytes_ -= queue_.front().cost;
  queue_.pop_front();
  ++entries_done_;
}

LAYERSCOPE_INLINE bool EventLog::make_room(Lock& lock, std::int64_t bytes) {
  const auto fits = [&] { return queued_bytes_ + bytes <= options_.queue_bytes; };
  if (fits()) return true;
  if (bytes > options_.queue_bytes) return false;
  if (options_.overflow == Overflow::drop_oldest) {
    while (!fits() && !queue_.empty()) drop_oldest();
    return fits();
  }
  if (options_.overflow == Overflow::drop_newest) return false;
  const double seconds = (std::clamp)(options_.block_seconds, 0.0, 1e9);
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  ++waiting_for_room_;
  wake_.notify_one();
  changed_.wait_until(lock, until, [&] { return fits() || closed_ || ended_; });
  --waiting_for_room_;
  return fits() && !closed_ && !ended_;
}

LAYERSCOPE_INLINE bool EventLog::refuse_full(Lock& lock, std::string_view tag, std::int64_t bytes) {
  settle(1, &RunCounts::dropped);
  const std::string why = disk_error_.empty() ? "" : " (" + disk_error_ + ")";
  lock.unlock();
  report(Trouble::full, "\"" + clean_tag(tag) + "\" dropped: " + to_text(bytes) + " bytes more than queue_bytes = " +
                            to_text(options_.queue_bytes) + " would wait to be written" + why);
  return false;
}

LAYERSCOPE_INLINE bool EventLog::turns_away(std::string_view tag, std::int64_t bytes) {
  Lock lock(mutex_);
  if (closed_ || ended_) return false;  // for a reason of its own
  const std::int64_t waiting = options_.overflow == Overflow::drop_newest ? queued_bytes_ : 0;
  if (waiting + bytes <= options_.queue_bytes) return false;
  ++counts_.submitted;
  ++counts_.in_flight;
  refuse_full(lock, tag, bytes);
  return true;
}

LAYERSCOPE_INLINE Tensor EventLog::hold(const AnyView& view) {
  const std::size_t size = byte_count(view.dtype(), view.shape());
  auto reserved = static_cast<std::int64_t>(size);
  pool_->reserve(reserved);
  std::vector<std::shared_ptr<std::byte>> buffers;
  std::shared_ptr<std::byte> storage;
  try {
    pool_->take({&size, 1}, reserved, buffers);
    std::byte* const bytes = buffers[0].get();
    auto back = [pool = pool_, reserved, buffer = std::move(buffers[0])](std::byte*) mutable {
      pool->release(std::exchange(reserved, 0));  // first, so that there is room for the buffer
      buffer.reset();
    };
    storage = std::shared_ptr<std::byte>(bytes, back);
  } catch (...) {
    if (buffers.empty()) pool_->release(reserved);
    throw;
  }
  convert_into(view, view.dtype(), storage.get());
  return {view.dtype(), view.shape(), std::move(storage)};
}

LAYERSCOPE_INLINE bool EventLog::refuse_memory(Lock& lock) {
  settle(1, &RunCounts::dropped);
  lock.unlock();
  report(Trouble::full, no_memory);
  return false;
}

/// Where a small record is appended.
LAYERSCOPE_INLINE EventLog::Entry& EventLog::chunk() {
  if (queue_.empty() || queue_.back().make || queue_.back().sealed) {
    Entry entry;
    entry.bytes.reserve(chunk_bytes + chunk_bytes / 8);
    queue_.push_back(std::move(entry));
    ++entries_begun_;
  }
  return queue_.back();
}

/// Accounts for `bytes` that were appended, and wakes the writer where it has to look.
LAYERSCOPE_INLINE void EventLog::count_in(Entry& entry, std::int64_t bytes, bool began) {
  entry.cost += bytes;
  queued_bytes_ += bytes;
  if (entry.bytes.size() >= chunk_bytes) entry.sealed = true;
  if (began) {
    flush_at_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                   std::chrono::duration<double>((std::clamp)(options_.flush_seconds, 0.0, 1e9)));
  }
  if (began || entry.sealed || entry.make) wake_.notify_one();
}

LAYERSCOPE_INLINE bool EventLog::scalar(std::string_view tag, double value, std::int64_t step) {
  const EventStamp stamp{wall_time_now(), step};
  Lock lock(mutex_);
  const TagState* const state = admit(lock, EventSort::scalar, tag, step);
  if (state == nullptr) return false;
  const auto most = static_cast<std::int64_t>(state->shown.size()) + 64;
  if (queued_bytes_ + most > options_.queue_bytes && !make_room(lock, most)) return refuse_full(lock, tag, most);
  try {
    const bool began = queue_.empty();
    Entry& entry = chunk();
    const std::size_t before = entry.bytes.size();
    append_scalar(entry.bytes, stamp, state->shown, static_cast<float>(value));
    ++entry.records;
    count_in(entry, static_cast<std::int64_t>(entry.bytes.size() - before), began);
  } catch (const std::bad_alloc&) {
    return refuse_memory(lock);
  }
  return true;
}

LAYERSCOPE_INLINE bool EventLog::add(EventSort sort, std::string_view tag, std::int64_t step, const Make& make) {
  const EventStamp stamp{wall_time_now(), step};
  Lock lock(mutex_);
  const TagState* const state = admit(lock, sort, tag, step);
  if (state == nullptr) return false;
  std::string record;
  try {
    make(record, stamp, state->shown);
    const auto bytes = static_cast<std::int64_t>(record.size());
    if (!make_room(lock, bytes)) return refuse_full(lock, tag, bytes);
    const bool began = queue_.empty();
    if (record.size() < chunk_bytes / 8) {
      Entry& entry = chunk();
      entry.bytes += record;
      ++entry.records;
      count_in(entry, bytes, began);
    } else {
      Entry entry;
      entry.bytes = std::move(record);
      entry.records = 1;
      entry.sealed = true;
      queue_.push_back(std::move(entry));
      ++entries_begun_;
      count_in(queue_.back(), bytes, began);
    }
  } catch (const std::bad_alloc&) {
    return refuse_memory(lock);
  }
  return true;
}

LAYERSCOPE_INLINE bool EventLog::defer(EventSort sort, std::string_view tag, std::int64_t step, std::int64_t bytes,
                                       MakeLater make) {
  const EventStamp stamp{wall_time_now(), step};
  Lock lock(mutex_);
  const TagState* const state = admit(lock, sort, tag, step);
  if (state == nullptr) return false;
  if (!make_room(lock, bytes)) return refuse_full(lock, tag, bytes);
  try {
    const bool began = queue_.empty();
    Entry entry;
    entry.records = 1;
    entry.make = std::move(make);
    entry.stamp = stamp;
    entry.tag = state->shown;
    queue_.push_back(std::move(entry));
    ++entries_begun_;
    count_in(queue_.back(), bytes, began);
  } catch (const std::bad_alloc&) {
    return refuse_memory(lock);
  }
  return true;
}

LAYERSCOPE_INLINE void EventLog::purge(std::int64_t step) {
  const Lock lock(mutex_);
  if (closed_ || ended_) return;
  const bool began = queue_.empty();
  Entry& entry = chunk();
  const std::size_t before = entry.bytes.size();
  append_purge(entry.bytes, {wall_time_now(), step});
  count_in(entry, static_cast<std::int64_t>(entry.bytes.size() - before), began);
}

LAYERSCOPE_INLINE void EventLog::at_end(std::function<void(std::string&)> make) {
  const Lock lock(mutex_);
  if (last_record_) throw Error(ErrorCode::invalid_argument, "given already; expected once a run");
  last_record_ = std::move(make);
}

LAYERSCOPE_INLINE RunCounts EventLog::counts() {
  const Lock lock(mutex_);
  return counts_;
}

LAYERSCOPE_INLINE std::string EventLog::disk_error() {
  const Lock lock(mutex_);
  return disk_error_;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
