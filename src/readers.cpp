// Bodies of the readers.
#include <layerscope/impl/byte_source_inl.hpp>
#include <layerscope/impl/read_event_file_inl.hpp>
#include <layerscope/impl/read_idx_inl.hpp>
#include <layerscope/impl/read_npy_inl.hpp>
#include <layerscope/impl/safetensors_inl.hpp>
#include <layerscope/impl/tensor_file_inl.hpp>
