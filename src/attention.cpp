// Bodies of the algorithms about attention.
#include <layerscope/impl/attention_chart_inl.hpp>
#include <layerscope/impl/attention_decoding_inl.hpp>
#include <layerscope/impl/attention_epochs_inl.hpp>
#include <layerscope/impl/attention_flow_inl.hpp>
#include <layerscope/impl/attention_graph_inl.hpp>
#include <layerscope/impl/attention_inl.hpp>
#include <layerscope/impl/attention_lines_inl.hpp>
#include <layerscope/impl/attention_measures_inl.hpp>
#include <layerscope/impl/attention_overview_inl.hpp>
#include <layerscope/impl/attention_panel_inl.hpp>
#include <layerscope/impl/attention_rollout_inl.hpp>
#include <layerscope/impl/attention_rows_inl.hpp>
#include <layerscope/impl/attention_scores_inl.hpp>
#include <layerscope/impl/attention_timeline_inl.hpp>
#include <layerscope/impl/number_table_inl.hpp>
#include <layerscope/impl/token_text_inl.hpp>
