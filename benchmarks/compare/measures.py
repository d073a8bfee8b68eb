"""How good neighbours and layouts are, measured the same way for all: in float64, on a sample of rows where there are many.
"""
import numpy as np

LEGEND = (
    "Quality: of neighbours the recall over 300 rows; of layouts trustworthiness at 15, preserved neighbours at 10, "
    "accuracy of the 10 nearest (over 2,000 rows), and of t-SNE the Kullback-Leibler divergence from one common P "
    "(perplexity 30 over the exact 90 nearest), with the exact sum of all pairs in Q."
)
SAMPLE = 2000


def _squared(a, b):
    """Squared distances of the rows of two matrices."""
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0)


def _exact_neighbors(x, k):
    """Distances and rows of the k nearest others."""
    distances, rows = np.empty((len(x), k)), np.empty((len(x), k), np.int64)
    x = x.astype(np.float64)
    for first in range(0, len(x), 500):
        part = np.arange(first, min(first + 500, len(x)))
        d = _squared(x[part], x)
        d[np.arange(len(part)), part] = np.inf
        near = np.argpartition(d, k - 1, axis=1)[:, :k]
        distances[part], rows[part] = np.take_along_axis(d, near, 1), near
    return distances, rows


def _affinities(x, perplexity=30):
    """Rows, columns and values of the symmetric P of t-SNE."""
    n, k = len(x), min(3 * perplexity, len(x) - 1)
    d, near = _exact_neighbors(x, k)
    d -= d.min(1, keepdims=True)
    low, high = np.zeros(n), np.full(n, np.inf)
    beta = 1 / np.maximum(d.mean(1), 1e-300)
    for _ in range(64):
        p = np.exp(-d * beta[:, None])
        total = p.sum(1)
        entropy = np.log(total) + beta * (d * p).sum(1) / total
        wide = entropy > np.log(min(perplexity, k))
        low, high = np.where(wide, beta, low), np.where(wide, high, beta)
        beta = np.where(np.isinf(high), 2 * beta, (low + np.where(np.isinf(high), 0, high)) / 2)
    p = np.exp(-d * beta[:, None])
    p = (p / p.sum(1, keepdims=True)).ravel() / (2 * n)
    rows = np.repeat(np.arange(n), k)
    keys = np.concatenate([rows * n + near.ravel(), near.ravel() * n + rows])
    keys, where = np.unique(keys, return_inverse=True)
    return keys // n, keys % n, np.bincount(where, np.concatenate([p, p]))


def _divergence(affinities, y):
    rows, columns, p = affinities
    y = y.astype(np.float64)
    total = -float(len(y))  # a row's pair with itself does not count
    for first in range(0, len(y), 500):
        total += (1 / (1 + _squared(y[first : first + 500], y))).sum()
    q = 1 / (1 + ((y[rows] - y[columns]) ** 2).sum(1)) / total
    return float((p * np.log(p / q)).sum())


class Judge:
    """Measures results for one matrix."""

    def __init__(self, task, x, labels, k):
        self.task, self.x, self.labels, self.k = task, x.astype(np.float64), labels, k
        random = np.random.default_rng(0)
        self.sample = random.choice(len(x), min(len(x), 300 if task == "knn" else SAMPLE), replace=False)
        self.limits = self._limits() if task == "knn" else None
        self.affinities = _affinities(x) if task == "tsne" else None

    def __call__(self, result):
        return self._recall(result) if self.task == "knn" else self._layout(result)

    def _limits(self):
        """Squared distances of the k-th nearest of the sample's rows."""
        limits = []
        for row in self.sample:
            d = _squared(self.x[row : row + 1], self.x)[0]
            d[row] = np.inf
            near = np.argpartition(d, self.k + 8)[: self.k + 8]  # by differences, which do not cancel
            limits.append(np.sort(((self.x[near] - self.x[row]) ** 2).sum(1))[self.k - 1])
        return np.array(limits)

    def _recall(self, found):
        d = ((self.x[found[self.sample]] - self.x[self.sample][:, None]) ** 2).sum(2)
        return f"{(d <= self.limits[:, None] * (1 + 1e-12)).mean():.4f}"

    def _layout(self, y):
        if y.shape[0] != len(self.x) or not np.isfinite(y).all():
            raise ValueError(f"the layout has shape {y.shape}, or is not finite")
        n, y = len(y), y.astype(np.float64)
        penalty, kept, right = 0.0, 0, 0
        for first in range(0, len(self.sample), 200):
            part = self.sample[first : first + 200]
            each = np.arange(len(part))
            high, low = _squared(self.x[part], self.x), _squared(y[part], y)
            high[each, part] = low[each, part] = np.inf
            ranks = np.empty((len(part), n), np.int64)
            ranks[each[:, None], np.argsort(high, axis=1)] = np.arange(1, n + 1)
            near = np.argsort(low, axis=1)[:, :15]
            theirs = np.take_along_axis(ranks, near, 1)
            penalty += np.maximum(theirs - 15, 0).sum()
            kept += (theirs[:, :10] <= 10).sum()
            if self.labels is not None:
                for row, others in zip(part, near[:, :10]):
                    right += np.bincount(self.labels[others]).argmax() == self.labels[row]
        m = len(self.sample)
        trust = 1 - 2 * penalty / (m * 15 * (2 * n - 3 * 15 - 1))
        words = [f"{trust:.4f}", f"{kept / (10 * m):.3f}"]
        words.append(f"{right / m:.3f}" if self.labels is not None else "–")
        if self.affinities is not None:
            words.append(f"KL {_divergence(self.affinities, y):.3f}")
        return ", ".join(words)
