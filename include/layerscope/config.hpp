// How this translation unit uses layerscope: header-only or compiled, and with which optional libraries.
//
// Link the CMake target layerscope::layerscope (header-only) or layerscope::compiled (bodies compiled once); both set
// the definitions read here. By hand, define LAYERSCOPE_COMPILED for the compiled library, and LAYERSCOPE_WITH_ZLIB or
// LAYERSCOPE_WITH_LIBDEFLATE for smaller and faster PNGs (and .gz input with zlib).
//
// The mode and the options are part of the inline namespace, so that two translation units which disagree fail to link
// instead of silently breaking the one-definition rule.
#pragma once

#include <layerscope/version.hpp>

#ifdef LAYERSCOPE_COMPILED
#define LAYERSCOPE_INLINE
#define LAYERSCOPE_ABI_MODE_ compiled
#else
#define LAYERSCOPE_HEADER_ONLY
#define LAYERSCOPE_INLINE inline
#define LAYERSCOPE_ABI_MODE_ header_only
#endif

#ifdef LAYERSCOPE_WITH_ZLIB
#define LAYERSCOPE_ABI_ZLIB_ _zlib
#else
#define LAYERSCOPE_ABI_ZLIB_
#endif

#ifdef LAYERSCOPE_WITH_LIBDEFLATE
#define LAYERSCOPE_ABI_LIBDEFLATE_ _libdeflate
#else
#define LAYERSCOPE_ABI_LIBDEFLATE_
#endif

#define LAYERSCOPE_JOIN_EXPANDED_(v, mode, zlib, libdeflate) v##mode##zlib##libdeflate
#define LAYERSCOPE_JOIN_(v, mode, zlib, libdeflate) LAYERSCOPE_JOIN_EXPANDED_(v, mode, zlib, libdeflate)

/// The inline namespace inside `layerscope`, for example `v0_header_only_zlib`. Users never write it.
#define LAYERSCOPE_ABI LAYERSCOPE_JOIN_(v0_, LAYERSCOPE_ABI_MODE_, LAYERSCOPE_ABI_ZLIB_, LAYERSCOPE_ABI_LIBDEFLATE_)
