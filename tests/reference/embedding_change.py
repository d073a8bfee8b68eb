"""Values of scipy, scikit-learn and numpy for the tests of embedding_change; writes embedding_change.txt beside itself.

    python3 embedding_change.py

Lines are `<what> <numbers>`. Two epochs of normal rows: the later one has lost some samples, gained others and is in
another order. `ids` tell them apart. Normalised stress is minimised over its unit numerically.
"""
import pathlib

import numpy as np
import scipy
import sklearn
from scipy.optimize import minimize_scalar
from scipy.stats import spearmanr
from sklearn.metrics import davies_bouldin_score
from sklearn.neighbors import NearestNeighbors

random = np.random.default_rng(11)
n, d = 150, 7
labels = random.integers(0, 4, n)
high_before = np.round(random.standard_normal((n, d)) + 2.0 * np.eye(4, d)[labels], 4)
low_before = np.round(high_before[:, :2] + 0.3 * random.standard_normal((n, 2)), 4)
ids_before = np.arange(n) * 3 + 5
steps = random.standard_normal((n, d)) * random.gamma(2.0, 0.4, (n, 1))
stay = random.permutation(n)[:120]
new = 20
high_now = np.round(np.vstack([(high_before + steps)[stay], random.standard_normal((new, d))]), 4)
low_now = np.round(
    np.vstack([(low_before + steps[:, :2] + 0.2 * random.standard_normal((n, 2)))[stay], random.standard_normal((new, 2))]), 4
)
ids_now = np.concatenate([ids_before[stay], 10000 + np.arange(new)])
labels_now = np.concatenate([labels[stay], random.integers(0, 4, new)])
order = random.permutation(len(ids_now))
high_now, low_now, ids_now, labels_now = high_now[order], low_now[order], ids_now[order], labels_now[order]

where = {one: row for row, one in enumerate(ids_before)}
common = np.array([row for row, one in enumerate(ids_now) if one in where])
old = np.array([where[one] for one in ids_now[common]])
x0, x1, y0, y1 = high_before[old], high_now[common], low_before[old], low_now[common]
moved_high = np.linalg.norm(x1 - x0, axis=1)
moved_low = np.linalg.norm(y1 - y0, axis=1)


def stress(scale):
    return np.sum((moved_high - scale * moved_low) ** 2) / np.sum(moved_high**2)


def jaccard(a, b, k):
    def sets(x):
        return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x).kneighbors(return_distance=False)

    return np.mean([len(np.intersect1d(p, q)) / len(np.union1d(p, q)) for p, q in zip(sets(a), sets(b))])


def cka(x, y):
    """By centred kernels, not by features."""
    m = len(x)
    h = np.eye(m) - np.ones((m, m)) / m
    k, l = h @ x @ x.T @ h, h @ y @ y.T @ h
    return np.sum(k * l) / np.sqrt(np.sum(k * k) * np.sum(l * l))


def text(values):
    return " ".join(f"{value:.17g}" for value in np.ravel(values))


most = np.argsort(-moved_high)[:5]
lines = [f"# scipy {scipy.__version__}, scikit-learn {sklearn.__version__}, numpy {np.__version__}"]
for name in ("high_before", "low_before", "ids_before", "high_now", "low_now", "ids_now", "labels_now"):
    lines.append(f"{name} {text(globals()[name])}")
lines.append(f"stability {spearmanr(moved_high, moved_low).statistic:.17g}")
# Ties: displacements rounded to halves.
lines.append(f"moved_high {text(np.round(moved_high * 2) / 2)}")
lines.append(f"moved_low {text(np.round(moved_low * 2) / 2)}")
lines.append(f"tied_stability {spearmanr(np.round(moved_high * 2), np.round(moved_low * 2)).statistic:.17g}")
lines.append(f"stress {minimize_scalar(stress, bounds=(0, 100), method='bounded', options={'xatol': 1e-12}).fun:.17g}")
for k in (3, 10):
    lines.append(f"neighbor_jaccard{k} {jaccard(x0, x1, k):.17g}")
    lines.append(f"layout_jaccard{k} {jaccard(y0, y1, k):.17g}")
lines.append(f"cka {cka(x0, x1):.17g}")
lines.append(f"cka_few_rows {cka(x0[:5], x1[:5]):.17g}")  # fewer rows than features
lines.append(f"separation_before {1 / davies_bouldin_score(y0, labels_now[common]):.17g}")
lines.append(f"separation {1 / davies_bouldin_score(y1, labels_now[common]):.17g}")
lines.append(f"most_moved {text(ids_now[common][most])}")
pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
