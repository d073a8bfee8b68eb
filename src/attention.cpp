// Bodies of the algorithms about attention.
#include <layerscope/impl/attention_flow_inl.hpp>
#include <layerscope/impl/attention_graph_inl.hpp>
#include <layerscope/impl/attention_inl.hpp>
#include <layerscope/impl/attention_rollout_inl.hpp>
#include <layerscope/impl/attention_rows_inl.hpp>
#include <layerscope/impl/attention_scores_inl.hpp>
