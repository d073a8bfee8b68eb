// Modules of libtorch: their parameters, for Recorder::watch(), and a scope to run them in without a trace.
#pragma once

#include <layerscope/adapters/torch.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/named_parameters.hpp>
#include <layerscope/core/tensor_ref.hpp>

#include <ATen/Context.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <algorithm>
#include <concepts>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Any torch::nn::Module: its parameters and those of its children, "conv1.weight" as "conv1/weight".
template <std::derived_from<torch::nn::Module> M>
struct named_parameters<M> {
  template <class F>
  static void for_each(const torch::nn::Module& module, F f) {
    for (const auto& parameter : module.named_parameters()) {
      std::string name = parameter.key();
      std::replace(name.begin(), name.end(), '.', '/');
      f(std::string_view(name), TensorRef(parameter.value()));
    }
  }
};

/// Any TORCH_MODULE, torch::nn::Sequential among them: a handle, which the recorder keeps a copy of.
template <class Holder>
requires(torch::detail::is_module_holder<Holder>::value) struct named_parameters<Holder> {
  template <class F>
  static void for_each(const Holder& holder, F f) {
    if (!holder.is_empty()) named_parameters<torch::nn::Module>::for_each(*holder, std::move(f));
  }
  static Holder share(const Holder& holder) { return holder; }
};

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

}  // namespace layerscope::inline LAYERSCOPE_ABI
