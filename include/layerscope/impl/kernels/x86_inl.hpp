// Whether this translation unit can compile kernels for x86-64 instruction sets beyond its own flags.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#define LAYERSCOPE_X86_KERNELS_
#endif
