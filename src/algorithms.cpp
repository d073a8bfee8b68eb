// Bodies of the algorithms that describe and draw: statistics, heatmaps, charts.
#include <layerscope/impl/canvas_inl.hpp>
#include <layerscope/impl/colormap_inl.hpp>
#include <layerscope/impl/grid_inl.hpp>
#include <layerscope/impl/heatmap_inl.hpp>
#include <layerscope/impl/histogram_inl.hpp>
#include <layerscope/impl/kernels/moments_inl.hpp>
#include <layerscope/impl/quantile_sketch_inl.hpp>
#include <layerscope/impl/resample_inl.hpp>
#include <layerscope/impl/statistics_inl.hpp>
#include <layerscope/impl/tensor_inl.hpp>
#include <layerscope/impl/text_inl.hpp>
