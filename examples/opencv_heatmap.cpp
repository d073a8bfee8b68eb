// A cv::Mat as a heatmap, and what a region of interest of it holds: both are read in place.
#include <layerscope/adapters/opencv.hpp>
#include <layerscope/layerscope.hpp>

#include <opencv2/core.hpp>

#include <cmath>
#include <cstdio>

namespace ls = layerscope;

int main(int argc, char** argv) {
  cv::Mat_<float> ripples(96, 128);
  ripples.forEach([](float& value, const int* at) {
    value = static_cast<float>(std::cos(std::hypot(at[0] - 48, at[1] - 64) / 5));
  });
  ls::write_png(argc > 1 ? argv[1] : "ripples.png", ls::heatmap(ls::view(ripples)));

  const ls::Statistics middle = ls::statistics(ls::view(ripples(cv::Rect(56, 40, 17, 17))));
  std::printf("around the middle the mean is %.2f\n", middle.mean());

  // Three channels as cv::imread() stores them: blue, green, red. view_bgr() gives red, green, blue.
  const cv::Mat red(1, 1, CV_8UC3, cv::Scalar(0, 0, 255));
  return ls::view_bgr(red).as<unsigned char>()(0, 0, 0) == 255 ? 0 : 1;
}
