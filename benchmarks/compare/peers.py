"""One run of another library, in a process of its own; embeddings.py calls it.

    python3 peers.py knn|umap|tsne METHOD X.npy K THREADS OUT.npy       prints [seconds, processor seconds]
"""
import json
import resource
import sys
import time

import numpy as np


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def neighbors(method, k, threads):
    """A function from rows to the row numbers [n, k + 1], the row itself among them."""
    if method == "faiss":
        import faiss

        faiss.omp_set_num_threads(threads)

        def search(x):
            index = faiss.IndexFlatL2(x.shape[1])
            index.add(x)
            return index.search(x, k + 1)[1]

    elif method == "pynndescent":
        import numba
        import pynndescent

        numba.set_num_threads(threads)

        def search(x):
            return pynndescent.NNDescent(x, n_neighbors=k + 1, random_state=0, n_jobs=threads).neighbor_graph[0]

    elif method == "hnswlib":
        import hnswlib

        def search(x):
            index = hnswlib.Index("l2", x.shape[1])
            index.init_index(len(x), ef_construction=200, M=16, random_seed=0)
            index.set_num_threads(threads)
            index.add_items(x)
            index.set_ef(max(2 * k, 50))
            return index.knn_query(x, k + 1)[0]

    elif method == "scikit-learn":
        from sklearn.neighbors import NearestNeighbors

        def search(x):
            found = NearestNeighbors(n_neighbors=k + 1, algorithm="brute", n_jobs=threads).fit(x)
            return found.kneighbors(x, return_distance=False)

    else:
        raise SystemExit(f"no peer {method} for neighbours")
    return search


def without_self(indices, k):
    """A row finds itself, unless a duplicate came before it."""
    others = indices != np.arange(len(indices))[:, None]
    return np.array([row[mask][:k] for row, mask in zip(indices, others)], np.int32)


def umap(method, threads):
    if method == "umap-learn":
        import umap as learn

        return lambda x: learn.UMAP(n_jobs=threads).fit_transform(x)
    if method == "umappp":
        import scranpy

        return lambda x: scranpy.run_umap(np.asfortranarray(x.T, np.float64), num_threads=threads)
    raise SystemExit(f"no peer {method} for UMAP")


def tsne(method, threads):
    if method == "openTSNE":
        import openTSNE

        def lay_out(x):
            return np.asarray(openTSNE.TSNE(n_jobs=threads, negative_gradient_method="fft", random_state=0).fit(x))

        return lay_out
    if method.startswith("qdtsne"):
        import scranpy

        leaves = method == "qdtsne-leaves"

        def lay_out(x):
            given = np.asfortranarray(x.T, np.float64)
            return scranpy.run_tsne(given, num_threads=threads, leaf_approximation=leaves, max_iterations=1000)

        return lay_out
    if method == "scikit-learn":
        from sklearn.manifold import TSNE

        return lambda x: TSNE(n_jobs=threads, random_state=0).fit_transform(x)
    raise SystemExit(f"no peer {method} for t-SNE")


def main(task, method, path, k, threads, out):
    x = np.load(path)
    run = neighbors(method, k, threads) if task == "knn" else {"umap": umap, "tsne": tsne}[task](method, threads)
    if method in ("pynndescent", "umap-learn", "openTSNE"):
        run(x[:1000].copy())  # compiles
    processor, start = processor_seconds(), time.perf_counter()
    result = np.asarray(run(x))
    taken = [time.perf_counter() - start, processor_seconds() - processor]
    np.save(out, without_self(result.astype(np.int64), k) if task == "knn" else result)
    print(json.dumps(taken))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
