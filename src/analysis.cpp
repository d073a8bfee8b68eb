// Bodies of the algorithms that judge: similarity of layers, uncertainty and calibration of predictions.
#include <layerscope/impl/calibration_inl.hpp>
#include <layerscope/impl/reliability_diagram_inl.hpp>
#include <layerscope/impl/similarity_accumulator_inl.hpp>
#include <layerscope/impl/similarity_chart_inl.hpp>
#include <layerscope/impl/similarity_inl.hpp>
#include <layerscope/impl/similarity_sums_inl.hpp>
#include <layerscope/impl/uncertainty_chart_inl.hpp>
#include <layerscope/impl/uncertainty_inl.hpp>
