"""Values of scikit-learn for the tests of embedding_quality; writes embedding_quality.txt beside itself.

    python3 embedding_quality.py

Lines are `<what> <numbers>`. `high` and `low` are rows of normal numbers and a noisy projection of them, rounded so that
the file is short; no two distances are equal. Continuity is trustworthiness with the matrices exchanged; preservation and
the accuracy of leave-one-out voting are counted from the neighbours that scikit-learn finds.
"""
import pathlib

import numpy as np
import sklearn
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

random = np.random.default_rng(5)
n, d = 160, 8
labels = random.integers(0, 4, n)
high = np.round(random.standard_normal((n, d)) + 2.0 * np.eye(4, d)[labels], 4)
low = np.round(high[:, :2] + 0.6 * random.standard_normal((n, 2)), 4)


def neighbors(x, k):
    return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x).kneighbors(return_distance=False)


def preservation(k):
    return np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(neighbors(high, k), neighbors(low, k))])


def accuracy(k):
    votes = np.apply_along_axis(lambda row: np.bincount(row, minlength=4), 1, labels[neighbors(low, k)])
    return np.mean(votes.argmax(1) == labels)  # the lowest of equally frequent ones


def text(values):
    return " ".join(f"{value:.17g}" for value in np.ravel(values))


lines = [f"# scikit-learn {sklearn.__version__}"]
lines += [f"labels {text(labels)}", f"high {text(high)}", f"low {text(low)}"]
for k in (1, 5, 15, 40):
    lines.append(f"trustworthiness{k} {trustworthiness(high, low, n_neighbors=k):.17g}")
    lines.append(f"continuity{k} {trustworthiness(low, high, n_neighbors=k):.17g}")
    lines.append(f"cosine_trustworthiness{k} {trustworthiness(high, low, n_neighbors=k, metric='cosine'):.17g}")
    lines.append(f"preservation{k} {preservation(k):.17g}")
    lines.append(f"accuracy{k} {accuracy(k):.17g}")
pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
