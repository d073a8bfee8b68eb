// Bodies of the algorithms that judge: similarity of layers.
#include <layerscope/impl/similarity_accumulator_inl.hpp>
#include <layerscope/impl/similarity_chart_inl.hpp>
#include <layerscope/impl/similarity_inl.hpp>
#include <layerscope/impl/similarity_sums_inl.hpp>
