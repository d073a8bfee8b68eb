// Bodies of the algorithms that describe and draw: statistics, heatmaps, charts.
#include <layerscope/impl/axes_inl.hpp>
#include <layerscope/impl/canvas_inl.hpp>
#include <layerscope/impl/colormap_inl.hpp>
#include <layerscope/impl/feature_maps_inl.hpp>
#include <layerscope/impl/filters_inl.hpp>
#include <layerscope/impl/grid_inl.hpp>
#include <layerscope/impl/heatmap_inl.hpp>
#include <layerscope/impl/histogram_chart_inl.hpp>
#include <layerscope/impl/histogram_inl.hpp>
#include <layerscope/impl/kernels/moments_inl.hpp>
#include <layerscope/impl/line_chart_inl.hpp>
#include <layerscope/impl/quantile_sketch_inl.hpp>
#include <layerscope/impl/resample_inl.hpp>
#include <layerscope/impl/scatter_inl.hpp>
#include <layerscope/impl/statistics_inl.hpp>
#include <layerscope/impl/text_inl.hpp>
#include <layerscope/impl/tiles_inl.hpp>
