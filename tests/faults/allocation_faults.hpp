// operator new that fails on demand and counts what lives. Included by one source of a program, as it replaces the
// global operators. Memory comes from malloc, so that the address sanitizer still watches it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace layerscope_test {

/// Allocations of this thread until one fails; negative: none does.
inline thread_local long fail_after = -1;
/// Whether, once one failed, every later one of this thread fails too.
inline thread_local bool fail_on = false;
/// Blocks that live, over all threads.
inline std::atomic<long> live_blocks{0};

/// No allocation of this thread fails while one lives.
class NoAllocationFaults {
 public:
  NoAllocationFaults() : paused_(fail_after) { fail_after = -1; }
  ~NoAllocationFaults() { fail_after = paused_; }
  NoAllocationFaults(const NoAllocationFaults&) = delete;
  NoAllocationFaults& operator=(const NoAllocationFaults&) = delete;

 private:
  long paused_;
};

inline bool allocation_fails() {
  if (fail_after < 0) return false;
  if (fail_after > 0) {
    --fail_after;
    return false;
  }
  if (!fail_on) fail_after = -2;  // it has happened
  return true;
}

inline void* allocate(std::size_t bytes, std::size_t alignment) {
  if (allocation_fails()) return nullptr;
  bytes = bytes == 0 ? 1 : bytes;
  void* const memory = alignment <= alignof(std::max_align_t)
                           ? std::malloc(bytes)
                           : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory != nullptr) ++live_blocks;
  return memory;
}

inline void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  if (void* const memory = allocate(bytes, alignment)) return memory;
  throw std::bad_alloc();
}

inline void release(void* memory) {
  if (memory != nullptr) --live_blocks;
  std::free(memory);
}

}  // namespace layerscope_test

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  return layerscope_test::allocate_or_throw(bytes, 1);
}
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return layerscope_test::allocate_or_throw(bytes, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return layerscope_test::allocate(bytes, 1);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  layerscope_test::release(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  layerscope_test::release(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  layerscope_test::release(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  layerscope_test::release(memory);
}
