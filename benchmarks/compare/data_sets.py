"""The matrices that embeddings.py compares libraries on: float32 rows and, where there are some, labels."""
import functools
import gzip

import numpy as np

ALL = {"mnist": 70000, "mnist50": 70000, "optdigits": 1797, "glove": 11925, "synthetic": 200000}


def sizes(name, wanted):
    """Those of the wanted numbers of rows that a set has; its own number where it is smaller than all of them."""
    if name == "synthetic":
        return [ALL[name]]
    fitting = [rows for rows in wanted if rows <= ALL[name]]
    return fitting or [ALL[name]]


def _idx(path, skip):
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=skip)


@functools.lru_cache(maxsize=1)
def _mnist(folder):
    files = [folder / "mnist" / f"{part}-images-idx3-ubyte.gz" for part in ("train", "t10k")]
    labels = [folder / "mnist" / f"{part}-labels-idx1-ubyte.gz" for part in ("train", "t10k")]
    x = np.concatenate([_idx(file, 16) for file in files]).reshape(-1, 784).astype(np.float32) / 255
    return x, np.concatenate([_idx(file, 8) for file in labels]).astype(np.int64)


@functools.lru_cache(maxsize=1)
def _mnist50(folder):
    from sklearn.decomposition import PCA

    x, labels = _mnist(folder)
    return PCA(50, svd_solver="covariance_eigh").fit_transform(x).astype(np.float32), labels


def _optdigits(folder):
    table = np.loadtxt(folder / "optdigits" / "optdigits.tes", delimiter=",")
    return table[:, :64].astype(np.float32), table[:, 64].astype(np.int64)


def _glove(folder):
    """Rows of norm 1, whose Euclidean neighbours are those by cosine."""
    x = np.load(folder / "glove" / "glove_twitter_25d_f32.npy")
    return x / np.linalg.norm(x, axis=1, keepdims=True), None


def _synthetic(_):
    """Forty clouds that spread along 16 directions of 64, and a little along all."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 40, ALL["synthetic"])
    x = 1.5 * random.standard_normal((40, 64))[labels]
    x += 0.5 * random.standard_normal((len(labels), 16)) @ random.standard_normal((16, 64))
    return (x + 0.1 * random.standard_normal(x.shape)).astype(np.float32), labels


def load(name, folder, rows):
    """The first rows of a set; those of optdigits and MNIST come in no order."""
    make = {
        "mnist": _mnist,
        "mnist50": _mnist50,
        "optdigits": _optdigits,
        "glove": _glove,
        "synthetic": _synthetic,
    }
    x, labels = make[name](folder)
    return np.ascontiguousarray(x[:rows]), None if labels is None else labels[:rows]
