// A small network of the Llama 2 kind in libtorch, read from a safetensors file with llama2.c's names: RMSNorm, rotary
// positions, grouped-query attention, SwiGLU; one token at a time, with the keys and values of those before it kept.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/readers/safetensors.hpp>

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

/// What one layer looked at for one token.
struct LayerAttention {
  at::Tensor weights;  ///< [heads, 1, tokens so far]
  at::Tensor queries;  ///< [heads, 1, d], turned by their position
  at::Tensor keys;     ///< [key heads, tokens so far, d], likewise
};

class Llama {
 public:
  std::int64_t layers = 0, heads = 0, key_heads = 0, width = 0, vocabulary = 0;

  /// Throws layerscope::Error for a file that is not such a network.
  explicit Llama(const std::string& path) {
    const layerscope::Safetensors file(path);
    for (const auto& [key, value] : file.metadata()) {
      const auto take = [&](const char* name, std::int64_t& number) {
        if (key == name && (!layerscope::from_text(value, number) || number < 1)) refuse(path, key + " is " + value);
      };
      take("n_layers", layers);
      take("n_heads", heads);
      take("n_kv_heads", key_heads);
    }
    if (layers < 1 || heads < 1 || key_heads < 1 || heads % key_heads != 0) {
      refuse(path, "n_layers, n_heads and n_kv_heads do not make a network");
    }
    embedding_ = read(file, path, "tok_embeddings.weight");
    norm_ = read(file, path, "norm.weight");
    vocabulary = embedding_.size(0);
    width = embedding_.size(1);
    if (width % (2 * heads) != 0) refuse(path, "rows of width " + layerscope::to_text(width));
    for (std::int64_t i = 0; i < layers; ++i) {
      const std::string at = "layers." + layerscope::to_text(i) + '.';
      const auto part = [&](const char* name) { return read(file, path, at + name + ".weight"); };
      blocks_.push_back({part("attention_norm"),
                         part("attention.wq"),
                         part("attention.wk"),
                         part("attention.wv"),
                         part("attention.wo"),
                         part("ffn_norm"),
                         part("feed_forward.w1"),
                         part("feed_forward.w2"),
                         part("feed_forward.w3"),
                         {},
                         {}});
    }
  }

  /// The logits of the token after `token`, [vocabulary], which stands behind all tokens given before; what each layer
  /// looked at is in `attention`.
  at::Tensor next(std::int64_t token, std::vector<LayerAttention>& attention) {
    attention.clear();
    at::Tensor x = embedding_[token];
    for (Block& block : blocks_) {
      x = x + attend(block, normalized(x, block.attention_norm), attention.emplace_back());
      const at::Tensor y = normalized(x, block.ffn_norm);
      x = x + block.w2.mv(at::silu(block.w1.mv(y)) * block.w3.mv(y));
    }
    ++position_;
    return embedding_.mv(normalized(x, norm_));
  }

 private:
  struct Block {
    at::Tensor attention_norm, wq, wk, wv, wo, ffn_norm, w1, w2, w3;
    at::Tensor keys, values;  // [key heads, tokens so far, d]
  };

  [[noreturn]] static void refuse(const std::string& path, const std::string& problem) {
    throw layerscope::Error(layerscope::ErrorCode::format, path + ": " + problem + "; expected a Llama of llama2.c");
  }

  static at::Tensor read(const layerscope::Safetensors& file, const std::string& path, const std::string& name) {
    if (file.find(name) == nullptr) refuse(path, "no tensor " + name);
    const layerscope::Tensor tensor = file.read(name);
    const std::vector<std::int64_t> shape(tensor.shape().begin(), tensor.shape().end());
    at::Tensor copy = at::empty(shape, at::kFloat);
    std::memcpy(copy.data_ptr<float>(), tensor.data<float>(), tensor.bytes());
    return copy;
  }

  static at::Tensor normalized(const at::Tensor& x, const at::Tensor& weight) {
    return x * at::rsqrt(x.square().mean() + 1e-5) * weight;
  }

  /// Rotary positions (Su et al. 2021): neighbouring pairs of [heads, d] turned by position · 10000^(−2i/d).
  at::Tensor turned(const at::Tensor& x) const {
    const std::int64_t d = x.size(1);
    const at::Tensor angle = static_cast<double>(position_) *
                             at::exp(at::arange(0, d, 2, at::kDouble) * (-std::log(10000.0) / static_cast<double>(d)));
    const at::Tensor cosine = angle.cos().to(at::kFloat), sine = angle.sin().to(at::kFloat);
    const at::Tensor pairs = x.view({x.size(0), d / 2, 2});
    const at::Tensor a = pairs.select(2, 0), b = pairs.select(2, 1);
    return at::stack({a * cosine - b * sine, a * sine + b * cosine}, 2).view({x.size(0), d});
  }

  at::Tensor attend(Block& block, const at::Tensor& x, LayerAttention& seen) const {
    const std::int64_t d = width / heads;
    const auto kept = [](const at::Tensor& before, const at::Tensor& one) {
      return before.defined() ? at::cat({before, one}, 1) : one;
    };
    seen.queries = turned(block.wq.mv(x).view({heads, d})).unsqueeze(1);
    block.keys = kept(block.keys, turned(block.wk.mv(x).view({key_heads, d})).unsqueeze(1));
    block.values = kept(block.values, block.wv.mv(x).view({key_heads, d}).unsqueeze(1));
    seen.keys = block.keys;
    const std::int64_t group = heads / key_heads;
    const at::Tensor keys = block.keys.repeat_interleave(group, 0), values = block.values.repeat_interleave(group, 0);
    const double scale = 1 / std::sqrt(static_cast<double>(d));
    seen.weights = at::softmax(at::bmm(seen.queries, keys.transpose(1, 2)) * scale, -1);
    return block.wo.mv(at::bmm(seen.weights, values).view({width}));
  }

  at::Tensor embedding_, norm_;
  std::vector<Block> blocks_;
  std::int64_t position_ = 0;
};
