// A matrix that may lie on another device.
// expected: layerscope: a cv::UMat may lie on another device; pass x.getMat(cv::ACCESS_READ)
#include <layerscope/adapters/opencv.hpp>

#ifdef WRONG
using Matrix = cv::UMat;
#else
using Matrix = cv::Mat;
#endif

void f(const Matrix& x) {
  layerscope::view(x);
}
