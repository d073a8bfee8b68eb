// Bodies of principal component analysis, apart since Eigen makes them slow to compile.
#include <layerscope/impl/pca_inl.hpp>
#include <layerscope/impl/pca_rows_inl.hpp>
#include <layerscope/impl/symmetric_eigen_inl.hpp>
