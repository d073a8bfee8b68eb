// What every operator of libtorch puts out on this thread, for models whose code has no probes and is no Sequential.
//
// The profiler's callback (at::RecordFunction) is what libtorch offers for it, and it has limits:
// - It sees operators, not modules: "003.relu" is the fourth result, whoever called it. A model that takes another path
//   numbers differently.
// - It sees what passes the dispatcher: what a kernel calls directly, or what the JIT compiler fuses into one, is not
// seen.
//   Operators within operators are left out, so that conv2d is one and not five; so are backward passes.
// - It sees the thread that it was made on. An optimizer or a loss that runs within the scope is seen too.
// - It costs every operator a call while it lives: keep it around one forward pass.
// Autograd, the generator and the numbers are not touched; it works in inference mode as well.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/format.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/record_function.h>
#include <c10/core/StorageImpl.h>
#include <c10/util/intrusive_ptr.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Shows `visit` what the operators of this thread put out, for as long as it lives: tensors of floating-point numbers
/// of rank 1 and more, new ones or changed in place, but not views of what was there. Names are a number from 0 and the
/// operator, "000.conv2d", after `prefix` and a slash where there is one. Of several that live, the innermost sees.
/// Ends on the thread that made it, in reverse order.
///   const ls::TorchOperators operators([&](auto name, const auto& y) { snapshot.activations(name, y); });
class TorchOperators {
 public:
  /// The tensor is valid for the call, and nothing of it is kept. Operators that `visit` calls are not seen. libtorch
  /// logs and drops what it throws.
  using Visit = std::function<void(std::string_view name, const at::Tensor& output)>;

  explicit TorchOperators(Visit visit, std::string_view prefix = "")
      : visit_(std::move(visit)),
        prefix_(prefix.empty() ? std::string() : std::string(prefix) + '/'),
        outer_(std::exchange(innermost(), this)),
        handle_(outer_ == nullptr
                    ? at::addThreadLocalCallback(
                          at::RecordFunctionCallback(begin, end).needsOutputs(true).scopes({at::RecordScope::FUNCTION}))
                    : at::CallbackHandle()) {}
  ~TorchOperators() {
    innermost() = outer_;
    if (outer_ == nullptr) at::removeCallback(handle_);
  }
  TorchOperators(const TorchOperators&) = delete;
  TorchOperators& operator=(const TorchOperators&) = delete;

 private:
  struct Depth final : at::ObserverContext {};  // pairs ends with begins

  static TorchOperators*& innermost() noexcept {
    thread_local TorchOperators* listener = nullptr;
    return listener;
  }

  static std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction&) {
    TorchOperators* const self = innermost();
    if (self == nullptr) return nullptr;  // another thread that inherited the callback
    auto context = std::make_unique<Depth>();
    ++self->depth_;
    return context;
  }

  static void end(const at::RecordFunction& call, at::ObserverContext* context) {
    TorchOperators* const self = innermost();
    if (self == nullptr || context == nullptr || --self->depth_ > 0) return;
    const at::DisableRecordFunctionGuard unseen;
    for (const c10::IValue& output : call.outputs()) {
      if (output.isTensor()) self->show(call.name(), output.toTensor());
    }
  }

  void show(std::string_view name, const at::Tensor& output) {
    if (!output.defined() || output.dim() == 0 || output.numel() == 0 || !output.is_floating_point()) return;
    if (!output.has_storage()) return;
    c10::StorageImpl* const storage = output.storage().unsafeGetStorageImpl();
    const bool known = !storages_.insert(storage).second;
    if (!known) held_.emplace_back(c10::intrusive_ptr<c10::StorageImpl>::reclaim_copy(storage));
    if ((known || output.is_view()) && !name.ends_with('_')) return;
    name.remove_prefix((std::min)(name.size(), name.rfind(':') + 1));  // "aten::relu"
    std::string number = to_text(count_++);
    number.insert(0, 3 - (std::min<std::size_t>)(3, number.size()), '0');
    visit_(prefix_ + number + '.' + std::string(name), output);
  }

  Visit visit_;
  std::string prefix_;
  TorchOperators* outer_;
  at::CallbackHandle handle_;
  int depth_ = 0;
  std::int64_t count_ = 0;
  // What was put out so far, to know views by. Weak, so that no numbers are kept; held, so that no address comes twice.
  std::unordered_set<const void*> storages_;
  std::vector<c10::weak_intrusive_ptr<c10::StorageImpl>> held_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
