// Body of impl/event_log.hpp: the thread that writes, and waiting for it.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/event_log.hpp>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include <sys/file.h>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline EventLog::Deadline event_deadline(std::optional<double> seconds) {
  if (!seconds || *seconds > 1e9) return std::nullopt;
  const std::chrono::duration<double> delay(*seconds > 0 ? *seconds : 0.0);
  return EventLog::Clock::now() + std::chrono::duration_cast<EventLog::Clock::duration>(delay);
}

/// Waits on `changed` until `done`, or for the deadline.
template <class Done>
bool wait_for_change(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                     const EventLog::Deadline& deadline, Done done) {
  if (deadline) return changed.wait_until(lock, *deadline, done);
  changed.wait(lock, done);
  return true;
}

LAYERSCOPE_INLINE bool EventLog::due(Clock::time_point now) const {
  const Entry& front = queue_.front();
  return quit_ || waiting_for_room_ > 0 || flush_up_to_ > entries_done_ || queue_.size() > 1 || front.make ||
         front.sealed || now >= flush_at_;
}

/// Makes the records of an entry the next to be written. A function that fails costs its one value.
LAYERSCOPE_INLINE void EventLog::build(Entry& entry) {
  rest_ = {};
  written_ = 0;
  if (!entry.make) {
    rest_.head = std::move(entry.bytes);
    return;
  }
  std::string message;
  try {
    entry.make(rest_, entry.stamp, entry.tag);
    entry.make = nullptr;  // frees what it owns
    return;
  } catch (const std::exception& error) {
    message = error.what();
  } catch (...) {
    message = "threw something that is not a std::exception";
  }
  rest_ = {};
  report(Trouble::refused, "\"" + entry.tag + "\" at step " + to_text(entry.stamp.step) + ": " + message);
}

/// Writes what is left of the records; 0, or errno. What is out stays out, so that a cut record is completed later.
LAYERSCOPE_INLINE int EventLog::write_rest() noexcept {
  constexpr std::size_t largest = std::size_t{1} << 30;  // some systems refuse INT_MAX bytes and more in one call
  std::size_t begin = 0;
  const std::string_view blob(reinterpret_cast<const char*>(rest_.blob.data()), rest_.blob.size());
  for (const std::string_view piece : {std::string_view(rest_.head), blob, std::string_view(rest_.tail)}) {
    const std::size_t end = begin + piece.size();
    while (written_ < end) {
      const std::string_view left = piece.substr(written_ - begin);
      const std::ptrdiff_t done =
          operations_.write(operations_.context, descriptor_, left.data(), (std::min)(left.size(), largest));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return errno;
      if (done == 0) return EIO;
      written_ += static_cast<std::size_t>(done);
    }
    begin = end;
  }
  return 0;
}

/// After an attempt, with the lock.
LAYERSCOPE_INLINE void EventLog::finish(int failure) {
  if (failure != 0) {
    ++disk_failures_;
    retry_seconds_ = (std::clamp)(2 * retry_seconds_, 0.1, 5.0);
    retry_at_ = *event_deadline(retry_seconds_);
    disk_error_ = "write \"" + path_ + "\": " + errno_text(failure);
  } else {
    retry_seconds_ = 0;
    disk_error_.clear();
    settle(rest_records_, rest_.size() == 0 && rest_records_ > 0 ? &RunCounts::failed : &RunCounts::written);
    queued_bytes_ -= rest_cost_;
    ++entries_done_;
    rest_ = {};
    written_ = 0;
    rest_records_ = 0;
    rest_cost_ = 0;
  }
  changed_.notify_all();
}

LAYERSCOPE_INLINE void EventLog::loop() {
  Lock lock(mutex_);
  busy_ = false;
  bool stuck = false;
  while (!abandoned_) {
    const Clock::time_point now = Clock::now();
    if (stuck && now < retry_at_) {
      wake_.wait_until(lock, retry_at_);
      continue;
    }
    if (!stuck) {
      if (queue_.empty() && quit_) break;
      if (queue_.empty()) {
        wake_.wait(lock);
        continue;
      }
      if (!due(now)) {
        wake_.wait_until(lock, flush_at_);
        continue;
      }
      Entry entry = std::move(queue_.front());
      queue_.pop_front();
      if (!queue_.empty()) flush_at_ = *event_deadline(options_.flush_seconds);
      rest_records_ = entry.records;
      rest_cost_ = entry.cost;
      busy_ = true;
      lock.unlock();
      build(entry);
    } else {
      busy_ = true;
      lock.unlock();
    }
    const int failure = write_rest();
    if (failure != 0) {
      report(Trouble::disk, "write \"" + path_ + "\": " + errno_text(failure) + "; it is tried again");
    } else if (stuck) {
      told_ &= ~(1u << static_cast<unsigned>(Trouble::disk));  // a new one is news
    }
    lock.lock();
    busy_ = false;
    stuck = failure != 0;
    finish(failure);
  }
  busy_ = true;  // with closing the files
}

LAYERSCOPE_INLINE void EventLog::close_files() noexcept {
  if (descriptor_ >= 0 && operations_.close(operations_.context, descriptor_) != 0) {
    const int code = errno;  // it may be the only sign of a lost write
    try {
      const std::string message = "close \"" + path_ + "\": " + errno_text(code);
      {
        const Lock lock(mutex_);
        disk_error_ = message;
      }
      report(Trouble::disk, message);
    } catch (...) {
      // No memory for the words.
    }
  }
  if (lock_descriptor_ >= 0) {
    flock(lock_descriptor_, LOCK_UN);  // a fork's copy of the descriptor would hold it
    operations_.close(operations_.context, lock_descriptor_);
  }
  descriptor_ = lock_descriptor_ = -1;
}

/// However the thread came to its end, nobody waits for it any more.
LAYERSCOPE_INLINE void EventLog::end() noexcept {
  close_files();
  bool died = false;
  {
    const Lock lock(mutex_);
    died = !quit_;
    settle(counts_.in_flight, &RunCounts::failed);
    queue_.clear();
    ended_ = true;
    changed_.notify_all();
  }
  try {
    if (died) report(Trouble::thread, "the thread that writes has ended; what comes is dropped");
  } catch (...) {
    // No memory for the words; the counts have it.
  }
}

LAYERSCOPE_INLINE void EventLog::work(const std::shared_ptr<EventLog>& log) {
  struct End {
    EventLog& log;
    ~End() { log.end(); }
  };
  const End end{*log};
  take_lowest_priority();
  log->sign_lock();
  log->loop();
}

LAYERSCOPE_INLINE bool EventLog::flush(std::optional<double> seconds) {
  const Deadline deadline = event_deadline(seconds);
  Lock lock(mutex_);
  if (path_.empty() || thread_.get_id() == std::this_thread::get_id()) return false;  // it cannot wait for itself
  if (!queue_.empty()) queue_.back().sealed = true;
  const std::uint64_t up_to = entries_begun_;
  const std::uint64_t failures = disk_failures_;
  flush_up_to_ = (std::max)(flush_up_to_, up_to);
  retry_at_ = Clock::now();
  wake_.notify_one();
  const auto over = [&] { return entries_done_ >= up_to || disk_failures_ != failures || ended_; };
  wait_for_change(changed_, lock, deadline, over);
  return entries_done_ >= up_to && disk_error_.empty();
}

LAYERSCOPE_INLINE RunCounts EventLog::close(std::optional<double> seconds) {
  const Deadline deadline = event_deadline(seconds);
  Lock lock(mutex_);
  if (!closed_ && !ended_ && last_record_) {
    try {
      const bool began = queue_.empty();
      Entry& entry = chunk();
      const std::size_t before = entry.bytes.size();
      last_record_(entry.bytes);
      count_in(entry, static_cast<std::int64_t>(entry.bytes.size() - before), began);
    } catch (...) {
      // No memory for it; TensorBoard then takes the run for one that did not finish.
    }
  }
  closed_ = true;
  quit_ = true;
  retry_at_ = Clock::now();
  wake_.notify_one();
  changed_.notify_all();                                               // whoever waits for room need not
  if (!thread_.joinable()) return counts_;                             // closed before, or never opened
  if (thread_.get_id() == std::this_thread::get_id()) return counts_;  // it is joined by a close() from outside
  bool in_time = wait_for_change(changed_, lock, deadline, [&] { return ended_; });
  if (!in_time) {
    settle(counts_.in_flight, &RunCounts::failed);
    abandoned_ = true;
    queue_.clear();
    wake_.notify_one();
    do {  // a thread that is not at work, or is done with it soon, can still be joined
      in_time = changed_.wait_for(lock, std::chrono::milliseconds(100), [&] { return ended_; });
    } while (!in_time && !busy_);
  }
  std::thread thread = std::move(thread_);
  const RunCounts counts = counts_;
  lock.unlock();
  if (thread.joinable()) {
    // A thread that hangs in a file operation shares the ownership of all it uses.
    if (in_time) {
      thread.join();
    } else {
      thread.detach();
    }
    if (counts.dropped + counts.failed > 0) {
      report(Trouble::summary, "of " + to_text(counts.submitted) + " values " + to_text(counts.written) +
                                   " were written, " + to_text(counts.dropped) + " dropped, " + to_text(counts.failed) +
                                   " failed");
    }
  }
  return counts;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
