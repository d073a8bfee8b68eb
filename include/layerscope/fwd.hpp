// Forward declarations of the types that cross interfaces, for headers that only name them.
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

// core
enum class DType : std::uint8_t;
enum class ErrorCode : std::uint8_t;
enum class IsaLevel : std::uint8_t;
enum class Retention : std::uint8_t;
struct Half;
struct BFloat16;
class Dims;
using Shape = Dims;
using Strides = Dims;
class Layout;
class AnyView;
class Tensor;
class TensorRef;
template <class X>
struct adapter;
class Random;
class Error;
struct Image;
struct Artifact;

// sinks
class Sink;
struct RunCounts;

// recorder, snapshot, probe
enum class Outcome : std::uint8_t;
enum class Mode : std::uint8_t;
enum class Overflow : std::uint8_t;
enum class Lane : std::uint8_t;
class Status;
class Schedule;
struct RecorderOptions;
struct Job;
struct Report;
class Recorder;
class Snapshot;
class ProbeListener;

}  // namespace layerscope::inline LAYERSCOPE_ABI
