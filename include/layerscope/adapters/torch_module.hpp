// Modules of libtorch: their parameters and gradients, for Recorder::watch(), what a Sequential puts out layer by
// layer, a scope to run them in without a trace, and passes with dropout left on. Models of any other kind:
// adapters/torch_operators.hpp.
#pragma once

#include <layerscope/adapters/torch.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/named_parameters.hpp>
#include <layerscope/core/tensor_ref.hpp>

#include <ATen/Context.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/container/any.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/pimpl.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Any torch::nn::Module: its parameters and those of its children, "conv1.weight" as "conv1/weight", and their
/// gradients. A gradient is what parameter.grad() holds at that moment, the one that the optimizer uses or has used:
/// summed up since it was last set to zero, and clipped if it was. Nothing is hooked into the graph, so that nothing of
/// it is kept alive or has to be taken out again.
template <std::derived_from<torch::nn::Module> M>
struct named_parameters<M> {
  template <class F>
  static void for_each(const torch::nn::Module& module, F f) {
    for (const auto& parameter : module.named_parameters()) {
      f(std::string_view(path(parameter.key())), TensorRef(parameter.value()));
    }
  }

  /// Leaves out parameters without a gradient: before the first backward(), frozen, or not used; and sparse gradients,
  /// as embeddings have.
  template <class F>
  static void for_each_gradient(const torch::nn::Module& module, F f) {
    for (const auto& parameter : module.named_parameters()) {
      const at::Tensor& gradient = parameter.value().grad();
      if (!gradient.defined() || gradient.layout() != at::kStrided) continue;
      f(std::string_view(path(parameter.key())), TensorRef(gradient));
    }
  }

 private:
  static std::string path(std::string name) {
    std::replace(name.begin(), name.end(), '.', '/');
    return name;
  }
};

/// Any TORCH_MODULE, torch::nn::Sequential among them: a handle, which the recorder keeps a copy of.
template <class Holder>
requires(torch::detail::is_module_holder<Holder>::value) struct named_parameters<Holder> {
  template <class F>
  static void for_each(const Holder& holder, F f) {
    if (!holder.is_empty()) named_parameters<torch::nn::Module>::for_each(*holder, std::move(f));
  }
  template <class F>
  static void for_each_gradient(const Holder& holder, F f) {
    if (!holder.is_empty()) named_parameters<torch::nn::Module>::for_each_gradient(*holder, std::move(f));
  }
  static Holder share(const Holder& holder) { return holder; }
};

/// What forward_each() does with children that are derived from torch::nn::SequentialImpl.
enum class NestedSequential : std::uint8_t {
  whole,   ///< shows what they put out, and leaves their forward() to do it
  walked,  ///< goes through their children in turn; only right where forward() does nothing else
};

struct ForwardEachOptions {
  /// Goes before each name, with a slash. Default none.
  std::string prefix{};
  /// Default whole, which is right for every forward(), one with a shortcut around its children for example.
  NestedSequential nested = NestedSequential::whole;
};

namespace detail {

template <class Visit>
torch::nn::AnyValue forward_each(torch::nn::SequentialImpl& model, torch::nn::AnyValue x, Visit& visit,
                                 const ForwardEachOptions& options) {
  const auto children = model.named_children();
  std::size_t index = 0;
  for (torch::nn::AnyModule& child : model) {
    ForwardEachOptions inner = options;
    inner.prefix += (inner.prefix.empty() ? "" : "/") + children[index++].key();
    const auto nested = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(child.ptr());
    if (nested != nullptr && options.nested == NestedSequential::walked && !nested->is_empty()) {
      x = forward_each(*nested, std::move(x), visit, inner);
    } else {
      x = child.any_forward(std::move(x));
      if (const at::Tensor* const y = x.try_get<at::Tensor>()) visit(std::string_view(inner.prefix), *y);
    }
  }
  return x;
}

}  // namespace detail

/// Runs a Sequential as its forward() does, child by child, and shows `visit(std::string_view name, const at::Tensor&)`
/// what each puts out: "0", "1" …, or the names that the children were given. Returns what forward() returns, to the
/// bit. Results that are no tensor are passed on without being shown. Throws c10::Error as forward() does, and what
/// `visit` throws.
///   forward_each(*layers, x, [&](std::string_view name, const torch::Tensor& y) { snapshot.activations(name, y); });
template <class Visit>
at::Tensor forward_each(torch::nn::SequentialImpl& model, at::Tensor x, Visit visit,
                        const ForwardEachOptions& options = {}) {
  if (model.is_empty()) return model.forward(std::move(x));  // which says what is wrong
  return detail::forward_each(model, torch::nn::AnyValue(std::move(x)), visit, options).template get<at::Tensor>();
}

/// Puts a module and its children into evaluation mode and switches gradients off on this thread, for as long as it
/// lives. Then every child gets back its own mode, and the host's default generator the state it had, so that training
/// goes on as if the forward passes in between had not been. The module must outlive it.
class TorchEvaluation {
 public:
  explicit TorchEvaluation(torch::nn::Module& module) : generator_(at::globalContext().defaultGenerator(at::kCPU)) {
    module.apply([this](torch::nn::Module& child) { modes_.emplace_back(&child, child.is_training()); });
    const std::lock_guard lock(generator_.mutex());
    generator_state_ = generator_.get_state();
    module.eval();
  }
  ~TorchEvaluation() {
    for (const auto& [module, training] : modes_) module->train(training);  // parents first, as train() recurses
    const std::lock_guard lock(generator_.mutex());
    generator_.set_state(generator_state_);
  }
  TorchEvaluation(const TorchEvaluation&) = delete;
  TorchEvaluation& operator=(const TorchEvaluation&) = delete;

 private:
  const at::NoGradGuard no_grad_;
  std::vector<std::pair<torch::nn::Module*, bool>> modes_;
  at::Generator generator_;
  at::Tensor generator_state_;
};

struct TorchDropoutOptions {
  /// Forward passes, at least 1. Default 20.
  std::int64_t passes = 20;
  /// Seconds after which no further pass begins, above 0; one is made in any case. Default: no limit.
  std::optional<double> seconds = std::nullopt;
  /// Of the masks: the same seed gives the same passes. Default 0.
  std::uint64_t seed = 0;
};

namespace detail {

inline bool is_dropout(const torch::nn::Module& module) noexcept {
  return dynamic_cast<const torch::nn::DropoutImpl*>(&module) != nullptr ||
         dynamic_cast<const torch::nn::Dropout2dImpl*>(&module) != nullptr ||
         dynamic_cast<const torch::nn::Dropout3dImpl*>(&module) != nullptr ||
         dynamic_cast<const torch::nn::AlphaDropoutImpl*>(&module) != nullptr ||
         dynamic_cast<const torch::nn::FeatureAlphaDropoutImpl*>(&module) != nullptr;
}

inline double monotonic_seconds() noexcept {
  std::timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace detail

/// Forward passes of a module in evaluation mode whose dropout layers alone are in training mode (Monte Carlo dropout):
/// `forward()` makes a pass, `visit(const at::Tensor&)` is shown what it returns. Everything happens on this thread,
/// without gradients; then, as after a TorchEvaluation, modes and the host's default generator are as they were.
/// Dropout is what is derived from torch::nn::Dropout, Dropout2d, Dropout3d, AlphaDropout and FeatureAlphaDropout;
/// functions such as torch::dropout(x, p, is_training()) and layers that have a rate of their own (LSTM) stay off.
/// Returns the passes made. Throws Error(invalid_argument) for a module without dropout and for options out of range,
/// and what `forward` and `visit` throw.
///   ls::UncertaintyAccumulator sums({.kind = ls::PredictionKind::logits});
///   ls::torch_dropout_passes(*net, [&] { return net(x); }, [&](const at::Tensor& y) { sums.add(ls::view(y)); });
template <class Forward, class Visit>
std::int64_t torch_dropout_passes(torch::nn::Module& module, Forward forward, Visit visit,
                                  const TorchDropoutOptions& options = {}) {
  if (options.passes < 1) {
    throw Error(ErrorCode::invalid_argument,
                "torch_dropout_passes: passes " + to_text(options.passes) + "; expected 1 or more");
  }
  if (options.seconds && !(is_finite(*options.seconds) && *options.seconds > 0)) {
    throw Error(ErrorCode::invalid_argument,
                "torch_dropout_passes: seconds " + to_text(*options.seconds) + "; expected a number above 0");
  }
  const TorchEvaluation evaluation(module);
  bool any = false;
  module.apply([&any](torch::nn::Module& child) {
    if (!detail::is_dropout(child)) return;
    child.train();
    any = true;
  });
  if (!any) {
    throw Error(
        ErrorCode::invalid_argument,
        "torch_dropout_passes: 0 dropout layers in the module; expected one at least, as all passes are the same "
        "without");
  }
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  {
    const std::lock_guard lock(generator.mutex());
    generator.set_current_seed(options.seed);
  }
  const double start = detail::monotonic_seconds();
  std::int64_t made = 0;
  while (made < options.passes) {
    if (made > 0 && options.seconds && detail::monotonic_seconds() - start >= *options.seconds) break;
    const at::Tensor result = forward();
    visit(result);
    ++made;
  }
  return made;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
