// Writes what breaks TensorBoard, its projector or other writers of its files, for check_projector.py to load.
//
//   projector_cases <directory>
//
// Numbers and labels follow closed forms that check_projector.py repeats.
#include <layerscope/layerscope.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace ls = layerscope;

namespace {

/// row + column / 10
ls::Tensor ramp(std::int64_t rows, std::int64_t columns) {
  ls::Tensor tensor(ls::DType::f32, {rows, columns});
  float* out = tensor.mutable_data<float>();
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) *out++ = static_cast<float>(i) + static_cast<float>(j) / 10;
  }
  return tensor;
}

ls::Tensor constant(std::int64_t rows, std::int64_t columns, float value) {
  ls::Tensor tensor(ls::DType::f32, {rows, columns});
  float* out = tensor.mutable_data<float>();
  for (std::int64_t i = 0; i < tensor.size(); ++i) out[i] = value;
  return tensor;
}

ls::Table::Column texts(const std::string& name, std::vector<std::string> cells) {
  return {name, std::move(cells)};
}

std::vector<std::string> numbered(std::int64_t rows, const std::string& prefix) {
  std::vector<std::string> cells;
  for (std::int64_t i = 0; i < rows; ++i) cells.push_back(prefix + ls::to_text(i));
  return cells;
}

/// Points of an epoch on a line that turns with it.
ls::Tensor layout(std::int64_t rows, std::int64_t dimensions, std::int64_t epoch) {
  ls::Tensor tensor(ls::DType::f32, {rows, dimensions});
  float* out = tensor.mutable_data<float>();
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t c = 0; c < dimensions; ++c) *out++ = static_cast<float>(i * (epoch + 1) + 100 * c) / 8;
  }
  return tensor;
}

/// Eight-pixel pictures of one colour each.
ls::Sprites squares(std::int64_t count) {
  std::vector<ls::Image> images;
  for (std::int64_t i = 0; i < count; ++i) {
    images.push_back(ls::make_image(8, 8, ls::Rgb{static_cast<std::uint8_t>(20 * i + 40), 0, 200}));
  }
  return ls::sprite_sheet(std::move(images)).sprites;
}

std::vector<ls::ProjectorEmbedding> cases() {
  std::vector<ls::ProjectorEmbedding> all;
  const auto add = [&](const std::string& name, ls::Tensor rows) -> ls::ProjectorEmbedding& {
    ls::ProjectorEmbedding embedding;
    embedding.name = name;
    embedding.rows = std::move(rows);
    all.push_back(std::move(embedding));
    return all.back();
  };
  ls::ProjectorEmbedding& digits = add("timeline", ramp(10, 4));
  digits.metadata.columns = {texts("class", {"0", "1", "0", "1", "0", "1", "0", "1", "0", "1"}),
                             texts("id", numbered(10, "s"))};
  digits.sprites = squares(10);
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    digits.epochs.push_back({"step " + ls::to_text(epoch), layout(10, epoch == 2 ? 3 : 2, epoch)});
  }
  digits.epochs.push_back({"some samples", layout(3, 2, 1), {1, 4, 9}});
  add("zeros", constant(6, 3, 0));
  add("twos", constant(6, 3, 2)).metadata.columns = {texts("label", numbered(6, "n"))};
  add("empty labels", ramp(6, 2)).metadata.columns = {
      texts("label", {"", " ", "\xC2\xA0", "\xE3\x80\x80", "\t", "seen"})};
  add("empty cells", ramp(3, 2)).metadata.columns = {texts("a", {"", "x", ""}), texts("b", {"", "", "y"})};
  add("tabs and newlines", ramp(7, 2)).metadata.columns = {
      texts("la\tbel", {"a\tb", "c\nd", "e\r\nf", "g\\t", std::string("h\0i", 3), "\xFF", "\"<script>&"}),
      texts("plain", numbered(7, ""))};
  add("weights", ramp(4, 2));
  add("weights:0", ramp(5, 2)).metadata.columns = {texts("label", numbered(5, "w"))};
  add("one column", ramp(5, 1));
  add("a&b#c%d+e/f \"g\" \xC3\xA9", ramp(3, 2)).metadata.columns = {texts("label", {"x", "y", "z"})};
  add("__proto__", ramp(3, 2)).metadata.columns = {texts("label", {"constructor", "__proto__", "toString"})};
  add("trajectories", ramp(6, 2)).next = {1, 2, -1, 4, 5, -1};
  ls::ProjectorEmbedding& many = add("many", ramp(100'001, 3));
  many.metadata.columns = {texts("name", numbered(100'001, "p")), texts("odd", std::vector<std::string>(100'001, "x"))};
  many.epochs.push_back({"step 0", layout(100'001, 2, 0)});
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw ls::Error(ls::ErrorCode::invalid_argument, "usage: projector_cases <directory>");
    const std::string directory = argv[1];
    std::vector<ls::ProjectorEmbedding> embeddings = cases();
    for (const std::string& warning : ls::write_projector(directory + "/log/cases", embeddings)) {
      std::printf("%s\n", warning.c_str());
    }
    ls::TensorBoard(directory + "/log/cases").close();  // an event file makes a directory a run
    ls::ProjectorOptions alone;
    alone.form = ls::ProjectorForm::standalone;
    embeddings.pop_back();
    ls::write_projector(directory + "/text", embeddings, alone);
    alone.tensors = ls::ProjectorOptions::Tensors::bytes;
    ls::write_projector(directory + "/bytes", embeddings, alone);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "projector_cases: %s\n", error.what());
    return 1;
  }
}
