"""layerscope's knn() beside faiss, pynndescent and hnswlib, in turn within one run; prints a table of ratios.

    python3 knn.py <knn_bench program> <folder of the data sets> [repeats] [name of a case …]

Makes a virtual environment .venv beside itself with the versions below, once. Every search is a process of its own with two
threads, which reads the rows, warms up on some of them and reports seconds, seconds of processors, and memory beyond what it
held before. Recall is against exact float64 neighbours of 300 rows. Processor seconds tell more than seconds where the
machine has other work.
"""
import gzip
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

PEERS = ["numpy==2.4.6", "scikit-learn==1.9.1", "faiss-cpu==1.15.1", "pynndescent==0.7.0", "hnswlib==0.8.0"]
THREADS = 2
# name: rows, columns (784 are the pixels, fewer their principal components), neighbours, method, peers
CASES = {
    "exact-10k-784-90": (10000, 784, 90, "exact", ["faiss"]),
    "exact-20k-784-15": (20000, 784, 15, "exact", ["faiss"]),
    "exact-70k-50-90": (70000, 50, 90, "exact", ["faiss", "hnswlib"]),
    "exact-70k-784-15": (70000, 784, 15, "exact", ["faiss"]),
    "approximate-70k-784-15": (70000, 784, 15, "approximate", ["pynndescent", "hnswlib"]),
    "approximate-70k-50-15": (70000, 50, 15, "approximate", ["pynndescent", "hnswlib"]),
}


def environment():
    folder = pathlib.Path(__file__).resolve().parent / ".venv"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def status(field):
    """A number of bytes of /proc/self/status."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise KeyError(field)


def peer(name, path, k, out):
    """One search by another library, in this process."""
    import numpy as np

    x = np.load(path)
    n, d = x.shape
    if name == "faiss":
        import faiss

        faiss.omp_set_num_threads(THREADS)

        def search(rows):
            index = faiss.IndexFlatL2(d)
            index.add(rows)
            return index.search(rows, k + 1)[1]

    elif name == "pynndescent":
        import numba
        import pynndescent

        numba.set_num_threads(THREADS)

        def search(rows):
            return pynndescent.NNDescent(rows, n_neighbors=k + 1, random_state=0).neighbor_graph[0]

    else:
        import hnswlib

        def search(rows):
            index = hnswlib.Index("l2", d)
            index.init_index(len(rows), ef_construction=200, M=16, random_seed=0)
            index.set_num_threads(THREADS)
            index.add_items(rows)
            index.set_ef(max(2 * k, 50))
            return index.knn_query(rows, k + 1)[0]

    search(x[:2000].copy())
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of reading and warming up
    before, processor, start = status("VmRSS"), processor_seconds(), time.perf_counter()
    indices = np.asarray(search(x), np.int64)
    seconds = time.perf_counter() - start
    processor, peak = processor_seconds() - processor, status("VmHWM")
    others = indices != np.arange(n)[:, None]  # a row finds itself, unless a duplicate came before it
    kept = np.array([row[mask][:k] for row, mask in zip(indices, others)], np.int32)
    np.save(out, kept)
    print(json.dumps([seconds, processor, peak - before]))


def images(data, name):
    import numpy as np

    with gzip.open(data / "mnist" / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)


def make(data, folder):
    import numpy as np
    from sklearn.decomposition import PCA

    x = np.vstack([images(data, f"{part}-images-idx3-ubyte.gz") for part in ("train", "t10k")]).astype(np.float32) / 255
    wide = {784: x, 50: PCA(50, svd_solver="covariance_eigh").fit_transform(x).astype(np.float32)}
    for rows, columns, *_ in CASES.values():
        np.save(f"{folder}/{rows}x{columns}.npy", wide[columns][:rows])


def recall(path, k, out):
    import numpy as np

    x, found = np.load(path).astype(np.float64), np.load(out)
    hits, rows = 0, np.random.default_rng(0).choice(len(x), 300, replace=False)
    for row in rows:
        distances = ((x - x[row]) ** 2).sum(1)
        distances[row] = np.inf
        limit = np.partition(distances, k - 1)[k - 1]
        hits += (distances[found[row]] <= limit * (1 + 1e-12)).sum()
    return hits / (len(rows) * k)


def main(program, data, repeats, names):
    with tempfile.TemporaryDirectory() as folder:
        make(data, folder)
        print("| case | search | seconds | processor seconds | memory MB | recall | ours / it: seconds, processor |")
        print("|---|---|---|---|---|---|---|")
        for case in names or CASES:
            rows, columns, k, method, peers = CASES[case]
            path, out = f"{folder}/{rows}x{columns}.npy", f"{folder}/out.npy"
            runs = {name: [] for name in ["layerscope", *peers]}
            recalls = {}
            for _ in range(repeats):
                for name, taken in runs.items():
                    ours = [program, "--once", path, str(k), method, str(THREADS), out]
                    theirs = [sys.executable, __file__, "--peer", name, path, str(k), out]
                    command = ours if name == "layerscope" else theirs
                    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                    taken.append(json.loads(answer.splitlines()[-1]))
                    recalls[name] = recall(path, k, out)
            # Ratios of neighbours in time, then their median.
            for name, taken in runs.items():
                seconds, processor, memory = (statistics.median(run[i] for run in taken) for i in range(3))
                ratios = [
                    statistics.median(mine[i] / run[i] for mine, run in zip(runs["layerscope"], taken)) for i in (0, 1)
                ]
                print(
                    f"| {case} | {name} | {seconds:.2f} | {processor:.2f} | {memory / 1e6:.0f} | {recalls[name]:.4f} "
                    f"| {ratios[0]:.2f}, {ratios[1]:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    if sys.argv[1] == "--peer":
        peer(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    elif "LAYERSCOPE_COMPARE" not in os.environ:
        inner = [environment(), __file__, *sys.argv[1:]]
        sys.exit(subprocess.run(inner, env={**os.environ, "LAYERSCOPE_COMPARE": "1"}).returncode)
    else:
        main(sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 3, sys.argv[4:])
