// Bodies of the recorder and its snapshots.
#include <layerscope/impl/recorder_close_inl.hpp>
#include <layerscope/impl/recorder_directory_inl.hpp>
#include <layerscope/impl/recorder_inl.hpp>
#include <layerscope/impl/recorder_queue_inl.hpp>
#include <layerscope/impl/recorder_worker_inl.hpp>
#include <layerscope/impl/schedule_inl.hpp>
#include <layerscope/impl/snapshot/activations_inl.hpp>
#include <layerscope/impl/snapshot/attention_inl.hpp>
#include <layerscope/impl/snapshot/embedding_inl.hpp>
#include <layerscope/impl/snapshot/filters_inl.hpp>
#include <layerscope/impl/snapshot/gradients_inl.hpp>
#include <layerscope/impl/snapshot/heatmap_inl.hpp>
#include <layerscope/impl/snapshot/numbers_inl.hpp>
#include <layerscope/impl/snapshot/overview_artifact_inl.hpp>
#include <layerscope/impl/snapshot/overview_inl.hpp>
#include <layerscope/impl/snapshot/scalar_inl.hpp>
#include <layerscope/impl/snapshot/snapshot_inl.hpp>
