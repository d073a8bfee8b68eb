// The compressor of stb_image_write, for builds without libdeflate and zlib: a private copy that cannot meet the
// user's.
//
// Everything stb declares lies in a namespace of ours and every macro it reads or defines is put back afterwards, so
// that the user may include and implement stb_image_write.h in the same translation unit, before or after, with options
// of their own. Nothing but the compressor is called, which reads none of stb's global settings and never touches
// stdio.
#pragma once

// The warnings inside stb are not ours to fix.
#pragma GCC system_header

#include <layerscope/config.hpp>

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// What stb allocates during one call. stb neither survives a failed allocation nor frees when an exception passes
/// through it, so allocation throws and the arena frees.
class StbArena {
 public:
  void* allocate(std::size_t size) {
    const std::size_t needed = (size + 15) / 16 * 16;
    if (needed > left_) {
      // Large blocks, such as the output, get their own chunk and leave the current one to the small ones.
      const std::size_t chunk = (std::max)(needed, std::size_t{1} << 20);
      chunks_.reserve(chunks_.size() + 1);
      chunks_.push_back(std::unique_ptr<std::byte[]>(new std::byte[chunk]));
      if (chunk == needed) return chunks_.back().get();
      next_ = chunks_.back().get();
      left_ = chunk;
    }
    left_ -= needed;
    return std::exchange(next_, next_ + needed);
  }

  void* reallocate(void* old, std::size_t old_size, std::size_t size) {
    void* block = allocate(size);
    if (old != nullptr) memcpy(block, old, (std::min)(old_size, size));
    return block;
  }

 private:
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
};

/// The arena of the call that runs on this thread: stb's hooks carry no context.
inline thread_local StbArena* stb_arena = nullptr;

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#pragma push_macro("INCLUDE_STB_IMAGE_WRITE_H")
#pragma push_macro("STB_IMAGE_WRITE_IMPLEMENTATION")
#pragma push_macro("STB_IMAGE_WRITE_STATIC")
#pragma push_macro("STBIWDEF")
#pragma push_macro("STBI_WRITE_NO_STDIO")
#pragma push_macro("STBIW_WINDOWS_UTF8")
#pragma push_macro("STBIW_ASSERT")
#pragma push_macro("STBIW_MALLOC")
#pragma push_macro("STBIW_REALLOC")
#pragma push_macro("STBIW_REALLOC_SIZED")
#pragma push_macro("STBIW_FREE")
#pragma push_macro("STBIW_MEMMOVE")
#pragma push_macro("STBIW_ZLIB_COMPRESS")
#pragma push_macro("STBIW_CRC32")
#pragma push_macro("STBIW_UCHAR")
#pragma push_macro("STBIW_EXTERN")
#pragma push_macro("stbiw__max")
#pragma push_macro("stbiw__sbraw")
#pragma push_macro("stbiw__sbm")
#pragma push_macro("stbiw__sbn")
#pragma push_macro("stbiw__sbneedgrow")
#pragma push_macro("stbiw__sbmaybegrow")
#pragma push_macro("stbiw__sbgrow")
#pragma push_macro("stbiw__sbpush")
#pragma push_macro("stbiw__sbcount")
#pragma push_macro("stbiw__sbfree")
#pragma push_macro("stbiw__zlib_flush")
#pragma push_macro("stbiw__zlib_add")
#pragma push_macro("stbiw__zlib_huffa")
#pragma push_macro("stbiw__zlib_huff1")
#pragma push_macro("stbiw__zlib_huff2")
#pragma push_macro("stbiw__zlib_huff3")
#pragma push_macro("stbiw__zlib_huff4")
#pragma push_macro("stbiw__zlib_huff")
#pragma push_macro("stbiw__zlib_huffb")
#pragma push_macro("stbiw__ZHASH")
#pragma push_macro("stbiw__wpng4")
#pragma push_macro("stbiw__wp32")
#pragma push_macro("stbiw__wptag")
#undef INCLUDE_STB_IMAGE_WRITE_H
#undef STB_IMAGE_WRITE_IMPLEMENTATION
#undef STB_IMAGE_WRITE_STATIC
#undef STBIWDEF
#undef STBI_WRITE_NO_STDIO
#undef STBIW_WINDOWS_UTF8
#undef STBIW_ASSERT
#undef STBIW_MALLOC
#undef STBIW_REALLOC
#undef STBIW_REALLOC_SIZED
#undef STBIW_FREE
#undef STBIW_MEMMOVE
#undef STBIW_ZLIB_COMPRESS
#undef STBIW_CRC32
#undef STBIW_UCHAR
#undef STBIW_EXTERN
#undef stbiw__max
#undef stbiw__sbraw
#undef stbiw__sbm
#undef stbiw__sbn
#undef stbiw__sbneedgrow
#undef stbiw__sbmaybegrow
#undef stbiw__sbgrow
#undef stbiw__sbpush
#undef stbiw__sbcount
#undef stbiw__sbfree
#undef stbiw__zlib_flush
#undef stbiw__zlib_add
#undef stbiw__zlib_huffa
#undef stbiw__zlib_huff1
#undef stbiw__zlib_huff2
#undef stbiw__zlib_huff3
#undef stbiw__zlib_huff4
#undef stbiw__zlib_huff
#undef stbiw__zlib_huffb
#undef stbiw__ZHASH
#undef stbiw__wpng4
#undef stbiw__wp32
#undef stbiw__wptag
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#define STBIW_ASSERT(x) ((void)0)
#define STBIW_MALLOC(size) ::layerscope::detail::stb_arena->allocate(size)
#define STBIW_REALLOC_SIZED(block, old_size, size)                                         \
  ::layerscope::detail::stb_arena->reallocate(block, static_cast<::std::size_t>(old_size), \
                                              static_cast<::std::size_t>(size))
#define STBIW_FREE(block) ((void)(block))

namespace layerscope::inline LAYERSCOPE_ABI::detail::stb {
#include <stb_image_write.h>
}  // namespace layerscope::inline LAYERSCOPE_ABI::detail::stb

#pragma pop_macro("INCLUDE_STB_IMAGE_WRITE_H")
#pragma pop_macro("STB_IMAGE_WRITE_IMPLEMENTATION")
#pragma pop_macro("STB_IMAGE_WRITE_STATIC")
#pragma pop_macro("STBIWDEF")
#pragma pop_macro("STBI_WRITE_NO_STDIO")
#pragma pop_macro("STBIW_WINDOWS_UTF8")
#pragma pop_macro("STBIW_ASSERT")
#pragma pop_macro("STBIW_MALLOC")
#pragma pop_macro("STBIW_REALLOC")
#pragma pop_macro("STBIW_REALLOC_SIZED")
#pragma pop_macro("STBIW_FREE")
#pragma pop_macro("STBIW_MEMMOVE")
#pragma pop_macro("STBIW_ZLIB_COMPRESS")
#pragma pop_macro("STBIW_CRC32")
#pragma pop_macro("STBIW_UCHAR")
#pragma pop_macro("STBIW_EXTERN")
#pragma pop_macro("stbiw__max")
#pragma pop_macro("stbiw__sbraw")
#pragma pop_macro("stbiw__sbm")
#pragma pop_macro("stbiw__sbn")
#pragma pop_macro("stbiw__sbneedgrow")
#pragma pop_macro("stbiw__sbmaybegrow")
#pragma pop_macro("stbiw__sbgrow")
#pragma pop_macro("stbiw__sbpush")
#pragma pop_macro("stbiw__sbcount")
#pragma pop_macro("stbiw__sbfree")
#pragma pop_macro("stbiw__zlib_flush")
#pragma pop_macro("stbiw__zlib_add")
#pragma pop_macro("stbiw__zlib_huffa")
#pragma pop_macro("stbiw__zlib_huff1")
#pragma pop_macro("stbiw__zlib_huff2")
#pragma pop_macro("stbiw__zlib_huff3")
#pragma pop_macro("stbiw__zlib_huff4")
#pragma pop_macro("stbiw__zlib_huff")
#pragma pop_macro("stbiw__zlib_huffb")
#pragma pop_macro("stbiw__ZHASH")
#pragma pop_macro("stbiw__wpng4")
#pragma pop_macro("stbiw__wp32")
#pragma pop_macro("stbiw__wptag")

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// A zlib stream of `size` bytes, at most 2^30, at an effort of 5 and more. Throws std::bad_alloc.
inline std::vector<unsigned char> stb_deflate(unsigned char* bytes, int size, int effort) {
  StbArena arena;
  struct Guard {
    ~Guard() { stb_arena = nullptr; }
  } guard;
  stb_arena = &arena;
  int length = 0;
  const unsigned char* stream = stb::stbi_zlib_compress(bytes, size, &length, effort);
  return {stream, stream + length};
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
