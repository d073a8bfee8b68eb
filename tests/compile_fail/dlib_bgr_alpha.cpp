// Pixels whose channels no stride brings into order.
// expected: layerscope: the channels of bgr_alpha_pixel are in an order that no stride follows
#include <layerscope/adapters/dlib.hpp>

#ifdef WRONG
using Pixel = dlib::bgr_alpha_pixel;
#else
using Pixel = dlib::rgb_alpha_pixel;
#endif

void f(const dlib::array2d<Pixel>& x) {
  layerscope::view(x);
}
