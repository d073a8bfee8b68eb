"""layerscope's pca() beside scikit-learn's PCA, in turn within one run; prints medians and their ratio.

    python3 pca.py <pca_bench program> <folder of the data sets> [repeats]

Needs numpy, scikit-learn and threadpoolctl. Both use two threads and fit the top 50 components of float32 data.
"""
import gzip
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

program, data = sys.argv[1], pathlib.Path(sys.argv[2])
repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 5


def images(name):
    with gzip.open(data / "mnist" / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)


def mnist():
    x = np.vstack([images("train-images-idx3-ubyte.gz"), images("t10k-images-idx3-ubyte.gz")])
    return x.astype(np.float32) / 255


def power_law():
    """10,000 × 2048 with standard deviations that fall as 1/i in a random orthonormal basis."""
    random = np.random.default_rng(0)
    basis, _ = np.linalg.qr(random.standard_normal((2048, 2048)))
    return ((random.standard_normal((10000, 2048)) / np.arange(1, 2049)) @ basis.T).astype(np.float32)


def exact(x):
    covariance = np.zeros((x.shape[1], x.shape[1]))
    mean = x.mean(0, dtype=np.float64)
    for start in range(0, len(x), 4096):
        part = x[start : start + 4096] - mean
        covariance += part.T @ part
    return np.linalg.eigvalsh(covariance / (len(x) - 1))[::-1][:50]


server = subprocess.Popen([program, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
with tempfile.TemporaryDirectory() as folder, threadpool_limits(2):
    for name, make in (("mnist 70000x784", mnist), ("power law 10000x2048", power_law)):
        x = make()
        path = f"{folder}/{name.replace(' ', '_')}.npy"
        np.save(path, x)
        ours, theirs = [], []
        for run in range(repeats + 1):
            server.stdin.write(f"{path} 50 2\n")
            server.stdin.flush()
            answer = [float(word) for word in server.stdout.readline().split()]
            start = time.perf_counter()
            model = PCA(50, svd_solver="randomized", random_state=0).fit(x)
            if run > 0:  # the first warms both up
                ours.append(answer[0])
                theirs.append(time.perf_counter() - start)
        truth = exact(x)
        our_error = np.abs(np.array(answer[1:]) / truth - 1).max()
        their_error = np.abs(model.explained_variance_ / truth - 1).max()
        fast, slow = statistics.median(ours), statistics.median(theirs)
        print(
            f"{name}: layerscope {fast:.3f} s (variances within {our_error:.1e}), "
            f"scikit-learn randomized {slow:.3f} s ({their_error:.1e}), ratio {slow / fast:.2f}"
        )
server.stdin.close()
server.wait()
