# One run of an R package, in a process of its own; embeddings.py calls it.
#
#   Rscript peers.R METHOD X.raw ROWS COLUMNS THREADS OUT.raw     prints [seconds, processor seconds]
given <- commandArgs(trailingOnly = TRUE)
method <- given[1]
rows <- as.integer(given[3])
columns <- as.integer(given[4])
threads <- as.integer(given[5])
x <- matrix(readBin(given[2], "numeric", rows * columns, size = 4), rows, columns, byrow = TRUE)
set.seed(1)
taken <- system.time({
  if (method == "uwot") {
    y <- uwot::umap(x, n_threads = threads, n_sgd_threads = threads)
  } else if (method == "uwot-batch") {
    y <- uwot::umap(x, n_threads = threads, n_sgd_threads = threads, batch = TRUE)
  } else if (method == "Rtsne") {
    y <- Rtsne::Rtsne(x, pca = FALSE, check_duplicates = FALSE, num_threads = threads)$Y
  } else {
    stop(paste("no peer", method))
  }
})
writeBin(as.vector(t(y)), given[6], size = 8)
cat(sprintf("[%.6f, %.6f]\n", taken[["elapsed"]], taken[["user.self"]] + taken[["sys.self"]]))
