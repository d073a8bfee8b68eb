// Bodies of the algorithms that judge: similarity, health of units, uncertainty, calibration.
#include <layerscope/impl/calibration_inl.hpp>
#include <layerscope/impl/reliability_diagram_inl.hpp>
#include <layerscope/impl/similarity_accumulator_inl.hpp>
#include <layerscope/impl/similarity_chart_inl.hpp>
#include <layerscope/impl/similarity_inl.hpp>
#include <layerscope/impl/similarity_sums_inl.hpp>
#include <layerscope/impl/uncertainty_chart_inl.hpp>
#include <layerscope/impl/uncertainty_inl.hpp>
#include <layerscope/impl/unit_health_inl.hpp>
