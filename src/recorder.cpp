// Bodies of the recorder and its snapshots.
#include <layerscope/impl/recorder_directory_inl.hpp>
#include <layerscope/impl/recorder_inl.hpp>
#include <layerscope/impl/recorder_queue_inl.hpp>
#include <layerscope/impl/recorder_worker_inl.hpp>
#include <layerscope/impl/schedule_inl.hpp>
