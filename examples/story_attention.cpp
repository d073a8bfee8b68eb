// A transformer of 260,000 parameters tells a story, and every layer's attention is recorded as it does: the row of
// each token when it is generated, with the real tokens; at the end all layers at a glance, entropy and distance of
// every head, and the rollout.
//
//   story_attention --data DIR --tokens 256 --out DIR
//
// Greedy, so that the story is always the same. It is printed as it comes; the last line of the output is JSON.
#include <layerscope/layerscope.hpp>

#include <layerscope/adapters/torch.hpp>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "story_attention/arguments.hpp"
#include "story_attention/llama.hpp"
#include "story_attention/tokenizer.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace ls = layerscope;

struct Story {
  std::vector<std::string> pieces;    ///< tokens so far, the first being the begin of a story
  std::vector<at::Tensor> attention;  ///< of each layer, [heads, tokens, tokens]
};

std::string layer_name(std::size_t layer) {
  return "layer" + ls::to_text(layer);
}

Story tell(Llama& llama, const Tokenizer& tokenizer, std::int64_t tokens, ls::Recorder& recorder) {
  Story story;
  for (std::int64_t i = 0; i < llama.layers; ++i) story.attention.push_back(at::zeros({llama.heads, tokens, tokens}));
  std::vector<LayerAttention> seen;
  std::int64_t token = Tokenizer::begin;
  for (std::int64_t step = 0; step < tokens; ++step) {
    story.pieces.push_back(tokenizer.piece(token));
    const std::int64_t before = token;
    token = llama.next(token, seen).argmax().item<std::int64_t>();
    std::fputs(tokenizer.text(token, before).c_str(), stdout);
    std::fflush(stdout);
    auto snapshot = recorder.snapshot(step);
    for (std::size_t i = 0; i < seen.size(); ++i) {
      snapshot.attention(
          layer_name(i), seen[i].weights,
          {.kind = ls::AttentionKind::causal, .query_tokens = {story.pieces.back()}, .key_tokens = story.pieces});
      story.attention[i].select(1, step).slice(1, 0, step + 1).copy_(seen[i].weights.select(1, 0));
    }
    if (token == Tokenizer::begin || token == Tokenizer::end) break;  // the story ends
  }
  std::puts("");
  return story;
}

/// All of the story at once: each layer's heads, all layers, their measures, and what reaches a token through them.
void look_back(const Story& story, const std::string& out, ls::Recorder& recorder) {
  const auto tokens = static_cast<std::int64_t>(story.pieces.size());
  ls::AttentionModel model;
  for (std::size_t i = 0; i < story.attention.size(); ++i) {
    const at::Tensor weights = story.attention[i].slice(1, 0, tokens).slice(2, 0, tokens).contiguous();
    ls::write_npy(out + "/attention_" + layer_name(i) + ".npy", ls::view(weights));
    model.layers.push_back({.weights = ls::copy(ls::view(weights)).view(),
                            .kind = ls::AttentionKind::causal,
                            .name = layer_name(i),
                            .query_tokens = story.pieces});
  }
  auto snapshot = recorder.snapshot(tokens - 1);
  for (const ls::Attention& layer : model.layers) {
    snapshot.attention("story/" + layer.name, layer.weights, {.kind = layer.kind, .query_tokens = story.pieces});
  }
  const auto summaries = ls::summarize_attention(model);
  snapshot.image("overview", ls::attention_overview(summaries, {.title = "All layers and heads"}));
  snapshot.image("measures", ls::attention_measures(summaries, {.title = "All layers and heads"}));
  snapshot.image("rollout", ls::attention_matrix(ls::attention_rollout(model.layers), story.pieces, {},
                                                 {.title = "Rollout: which tokens reach which"}));
}

void run(const Arguments& arguments) {
  const at::NoGradGuard no_gradients;
  at::set_num_threads(1);
  Llama llama(arguments.data + "/stories260K.safetensors");
  const Tokenizer tokenizer(arguments.data + "/tok512.bin", llama.vocabulary);
  // Every token is wanted, so that telling waits where drawing, at the lowest priority, is slower.
  ls::Recorder recorder(arguments.out, {.overflow = ls::Overflow::block, .block_seconds = 600, .close_seconds = 600});
  const Story story = tell(llama, tokenizer, arguments.tokens, recorder);
  look_back(story, arguments.out, recorder);
  const ls::Report report = recorder.close();
  std::printf("{\"tokens\": %d, \"written\": %d, \"dropped\": %d, \"failed\": %d}\n",
              static_cast<int>(story.pieces.size()), static_cast<int>(report.counts.written),
              static_cast<int>(report.counts.dropped), static_cast<int>(report.counts.failed));
}

int main(int argc, char** argv) {
  try {
    run(parse_arguments(argc, argv));
    return 0;
  } catch (const c10::Error& error) {
    std::fprintf(stderr, "story_attention: %s\n", error.what_without_backtrace());
    return 1;
  } catch (const std::exception& error) {  // arguments and files
    std::fprintf(stderr, "story_attention: %s\n", error.what());
    return 2;
  }
}
