// Bodies of the algorithms that embed: neighbours, PCA, t-SNE, UMAP.
#include <layerscope/impl/embedding_quality_inl.hpp>
#include <layerscope/impl/kernels/distances_inl.hpp>
#include <layerscope/impl/kernels/gemm_inl.hpp>
#include <layerscope/impl/kernels/matmul_inl.hpp>
#include <layerscope/impl/knn_descent_inl.hpp>
#include <layerscope/impl/knn_exact_inl.hpp>
#include <layerscope/impl/knn_forest_inl.hpp>
#include <layerscope/impl/knn_inl.hpp>
#include <layerscope/impl/knn_nearest_inl.hpp>
#include <layerscope/impl/knn_ranks_inl.hpp>
#include <layerscope/impl/knn_rows_inl.hpp>
#include <layerscope/impl/pca_accumulator_inl.hpp>
#include <layerscope/impl/pca_inl.hpp>
#include <layerscope/impl/pca_rows_inl.hpp>
#include <layerscope/impl/pca_transform_inl.hpp>
#include <layerscope/impl/symmetric_eigen_inl.hpp>
