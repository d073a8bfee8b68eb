"""Values of similarity measures by their definitions with numpy; writes similarity.txt beside itself.

    pip install numpy==2.*
    python3 similarity.py

Three representations of 24 samples: `narrow` of 5 features, `wide` of 40 that are noise around a mixture of them, `other`
of 7 that have nothing to do with them. Linear CKA from n x n Gram matrices centred by H = 1 - 11'/n; HSIC_1 by double sums
over distinct samples, as Song et al. (JMLR 2012) define the population's estimator, not by their shorter form; the nuclear
norm from numpy's singular values. Minibatches are samples 0 to 7, 8 to 15 and 16 to 23. Effective rank and participation
ratio from numpy's singular values.
"""
import itertools
import pathlib

import numpy as np

random = np.random.default_rng(11)
n = 24
narrow = np.round(random.standard_normal((n, 5)) * [1, 2, 3, 0.5, 1] + 10, 3)
wide = np.round(narrow @ random.standard_normal((5, 40)) + 3 * random.standard_normal((n, 40)) - 4, 3)
other = np.round(random.standard_normal((n, 7)), 3)
layers = {"narrow": narrow, "wide": wide, "other": other}


def cka(x, y):
    centre = np.eye(len(x)) - 1 / len(x)
    k, l = (centre @ m @ m.T @ centre for m in (x, y))
    return np.sum(k * l) / np.sqrt(np.sum(k * k) * np.sum(l * l))


def hsic1(x, y):
    """Mean over distinct i, j, q, r of k_ij l_ij + k_ij l_qr - 2 k_ij l_iq."""
    k, l, n = x @ x.T, y @ y.T, len(x)
    pairs = [(i, j) for i, j in itertools.permutations(range(n), 2)]
    first = sum(k[i, j] * l[i, j] for i, j in pairs) / (n * (n - 1))
    second = third = 0.0
    for i, j in pairs:
        rest = np.ones(n, bool)
        rest[[i, j]] = False
        block = l[np.ix_(rest, rest)]
        second += k[i, j] * (block.sum() - np.trace(block))
        third += k[i, j] * l[i, rest].sum()
    return first + second / (n * (n - 1) * (n - 2) * (n - 3)) - 2 * third / (n * (n - 1) * (n - 2))


def debiased(x, y):
    return hsic1(x, y) / np.sqrt(hsic1(x, x) * hsic1(y, y))


def minibatch(x, y):
    def mean(a, b):
        return np.mean([hsic1(a[i:i + 8], b[i:i + 8]) for i in (0, 8, 16)])
    return mean(x, y) / np.sqrt(mean(x, x) * mean(y, y))


def procrustes(x, y):
    x, y = (m - m.mean(0) for m in (x, y))
    x, y = (m / np.linalg.norm(m) for m in (x, y))
    return np.linalg.norm(x) ** 2 + np.linalg.norm(y) ** 2 - 2 * np.linalg.svd(x.T @ y, compute_uv=False).sum()


def ranks(x):
    s = np.linalg.svd(x, compute_uv=False)
    p = s[s > 1e-12 * s[0]] / s.sum()
    return np.exp(-np.sum(p * np.log(p))), np.sum(s**2) ** 2 / np.sum(s**4)


def text(values):
    return " ".join(f"{value:.17g}" for value in np.ravel(values))


lines = [f"# numpy {np.__version__}"]
lines += [f"{name} {text(x)}" for name, x in layers.items()]
for (a, x), (b, y) in itertools.combinations(layers.items(), 2):
    lines.append(f"cka_{a}_{b} {text(cka(x, y))}")
    lines.append(f"debiased_{a}_{b} {text(debiased(x, y))}")
    lines.append(f"minibatch_{a}_{b} {text(minibatch(x, y))}")
    lines.append(f"procrustes_{a}_{b} {text(procrustes(x, y))}")
for name, x in layers.items():
    lines.append(f"rank_{name} {text(ranks(x))}")
    lines.append(f"centred_rank_{name} {text(ranks(x - x.mean(0)))}")
pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
