// Bodies of the recorder and its snapshots.
#include <layerscope/impl/recorder_queue_inl.hpp>
