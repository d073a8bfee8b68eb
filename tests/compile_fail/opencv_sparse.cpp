// A sparse matrix, and a function that takes any tensor.
// expected: layerscope: a cv::SparseMat has no strides; x.copyTo(dense)
#include <layerscope/adapters/opencv.hpp>
#include <layerscope/core/tensor_ref.hpp>

#ifdef WRONG
using Matrix = cv::SparseMat;
#else
using Matrix = cv::Mat;
#endif

layerscope::Shape f(const Matrix& x) {
  return layerscope::TensorRef(x).shape();
}
