// Bodies of core: shapes, tensors, text, files, images.
#include <layerscope/impl/format_inl.hpp>
#include <layerscope/impl/image_inl.hpp>
#include <layerscope/impl/input_file_inl.hpp>
#include <layerscope/impl/io_inl.hpp>
#include <layerscope/impl/naming_inl.hpp>
#include <layerscope/impl/npy_inl.hpp>
#include <layerscope/impl/parallel_inl.hpp>
#include <layerscope/impl/picture_inl.hpp>
#include <layerscope/impl/png_inl.hpp>
#include <layerscope/impl/random_inl.hpp>
#include <layerscope/impl/shape_inl.hpp>
#include <layerscope/impl/tensor_inl.hpp>
#include <layerscope/impl/tensor_view_inl.hpp>
