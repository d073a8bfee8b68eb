// Bodies of the sinks.
#include <layerscope/impl/callback_sink_inl.hpp>
#include <layerscope/impl/directory_sink_inl.hpp>
#include <layerscope/impl/event_data_inl.hpp>
#include <layerscope/impl/event_log_inl.hpp>
#include <layerscope/impl/event_log_open_inl.hpp>
#include <layerscope/impl/event_log_write_inl.hpp>
#include <layerscope/impl/fan_out_inl.hpp>
#include <layerscope/impl/memory_sink_inl.hpp>
#include <layerscope/impl/png_sink_inl.hpp>
#include <layerscope/impl/projector_inl.hpp>
#include <layerscope/impl/projector_sink_inl.hpp>
#include <layerscope/impl/sink_inl.hpp>
#include <layerscope/impl/tensorboard_inl.hpp>
#include <layerscope/impl/tensorboard_sink_inl.hpp>
