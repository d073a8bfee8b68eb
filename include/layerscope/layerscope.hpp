// All of layerscope that needs nothing but the required libraries: core, readers, algorithms, sinks and the recorder.
// Adapters of other libraries, such as <layerscope/adapters/torch.hpp>, are included on their own.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/fwd.hpp>
#include <layerscope/version.hpp>

#include <layerscope/core/adapter.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/dtype.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/core/kernels/crc32c.hpp>
#include <layerscope/core/kernels/distances.hpp>
#include <layerscope/core/kernels/fft.hpp>
#include <layerscope/core/kernels/half.hpp>
#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/core/kernels/pixels.hpp>
#include <layerscope/core/layout.hpp>
#include <layerscope/core/named_parameters.hpp>
#include <layerscope/core/naming.hpp>
#include <layerscope/core/npy.hpp>
#include <layerscope/core/overflow.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/core/picture.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/core/progress.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/core/shape.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_ref.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <layerscope/adapters/std.hpp>

#include <layerscope/readers/event_file.hpp>
#include <layerscope/readers/idx.hpp>
#include <layerscope/readers/npy.hpp>
#include <layerscope/readers/options.hpp>
#include <layerscope/readers/safetensors.hpp>
#include <layerscope/readers/tensor_file.hpp>

#include <layerscope/algorithms/attention.hpp>
#include <layerscope/algorithms/attention_chart.hpp>
#include <layerscope/algorithms/attention_rollout.hpp>
#include <layerscope/algorithms/attention_scores.hpp>
#include <layerscope/algorithms/attention_timeline.hpp>
#include <layerscope/algorithms/calibration.hpp>
#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/algorithms/embedding_change.hpp>
#include <layerscope/algorithms/embedding_quality.hpp>
#include <layerscope/algorithms/feature_maps.hpp>
#include <layerscope/algorithms/filters.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/algorithms/heatmap.hpp>
#include <layerscope/algorithms/histogram.hpp>
#include <layerscope/algorithms/histogram_chart.hpp>
#include <layerscope/algorithms/histogram_timeline.hpp>
#include <layerscope/algorithms/knn.hpp>
#include <layerscope/algorithms/layer_overview.hpp>
#include <layerscope/algorithms/line_chart.hpp>
#include <layerscope/algorithms/non_finite_rows.hpp>
#include <layerscope/algorithms/overlay.hpp>
#include <layerscope/algorithms/pca.hpp>
#include <layerscope/algorithms/pca_accumulator.hpp>
#include <layerscope/algorithms/quantile_sketch.hpp>
#include <layerscope/algorithms/resample.hpp>
#include <layerscope/algorithms/scatter.hpp>
#include <layerscope/algorithms/similarity.hpp>
#include <layerscope/algorithms/sprite_sheet.hpp>
#include <layerscope/algorithms/statistics.hpp>
#include <layerscope/algorithms/text.hpp>
#include <layerscope/algorithms/token_text.hpp>
#include <layerscope/algorithms/tsne.hpp>
#include <layerscope/algorithms/umap.hpp>
#include <layerscope/algorithms/uncertainty.hpp>
#include <layerscope/algorithms/unit_health.hpp>

#include <layerscope/sinks/callback.hpp>
#include <layerscope/sinks/directory.hpp>
#include <layerscope/sinks/fan_out.hpp>
#include <layerscope/sinks/json.hpp>
#include <layerscope/sinks/memory.hpp>
#include <layerscope/sinks/null.hpp>
#include <layerscope/sinks/png.hpp>
#include <layerscope/sinks/projector.hpp>
#include <layerscope/sinks/sink.hpp>
#include <layerscope/sinks/tensorboard.hpp>
#include <layerscope/sinks/tensorboard_sink.hpp>

#include <layerscope/recorder.hpp>

#include <layerscope/probe.hpp>

#include <layerscope/snapshot/options.hpp>
#include <layerscope/snapshot/snapshot.hpp>
#include <layerscope/snapshot/watch.hpp>
