// Bodies of the kernels, each once per instruction set.
#include <layerscope/impl/kernels/crc32c_inl.hpp>
#include <layerscope/impl/kernels/fft_inl.hpp>
#include <layerscope/impl/kernels/half_inl.hpp>
#include <layerscope/impl/kernels/isa_inl.hpp>
#include <layerscope/impl/kernels/pixels_inl.hpp>
