"""Values of umap-learn for the tests of umap; writes umap_learn.txt beside itself.

    python3 umap_learn.py <data directory>

Lines are `<what> <numbers>`. `curve` is min_dist, spread, a, b. `rows` are 30 points of 3 coordinates, some of them equal;
`graph <k> <local connectivity> <mix>` is their fuzzy graph, row by row, with k neighbours, the point itself counted.
`optdigits` and `iris` are trustworthiness of 15 neighbours and the accuracy of 10-NN voting, means over five seeds;
`iris_rows` and `iris_labels` are the data of the latter. `optdigits_transform` is how often the nearest of the first 1,200
rows in the layout has the label of one of the others.
"""
import pathlib
import sys

import numpy as np
import sklearn
import umap
from sklearn.datasets import load_iris
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors
from umap.umap_ import find_ab_params, fuzzy_simplicial_set

random = np.random.default_rng(7)


def text(values):
    return " ".join(f"{value:.9g}" for value in np.ravel(values))


def accuracy(layout, labels):
    near = NearestNeighbors(n_neighbors=10).fit(layout).kneighbors(return_distance=False)
    votes = np.apply_along_axis(lambda row: np.bincount(row, minlength=10), 1, labels[near])
    return np.mean(votes.argmax(1) == labels)


lines = [f"# umap-learn {umap.__version__}, scikit-learn {sklearn.__version__}"]
for min_dist, spread in ((0.1, 1), (0, 1), (0.5, 1), (1, 1), (0.001, 0.5), (0.25, 2), (5, 10)):
    a, b = find_ab_params(spread, min_dist)
    lines.append(f"curve {text((min_dist, spread, a, b))}")

rows = np.round(random.standard_normal((30, 3)) * [1, 2, 4], 2).astype(np.float32)
rows[10:13] = rows[3]
lines.append(f"rows {text(rows)}")
for k, connectivity, mix in ((5, 1, 1), (8, 1, 0.25), (8, 2.5, 1), (6, 0, 1), (6, 0.5, 0)):
    distances, indices = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows).kneighbors(rows)
    for i in range(len(rows)):  # the point itself first, and then by number among equals, as knn() orders them
        order = np.lexsort((indices[i], distances[i]))
        order = np.concatenate([order[indices[i][order] == i], order[indices[i][order] != i]])
        indices[i], distances[i] = indices[i][order], distances[i][order]
    lines.append(f"neighbors{k} {text(indices[:, 1:])}")
    lines.append(f"distances{k} {text(distances[:, 1:])}")
    graph = fuzzy_simplicial_set(rows, k, np.random.RandomState(0), "euclidean", knn_indices=indices,
                                 knn_dists=distances.astype(np.float32), set_op_mix_ratio=mix,
                                 local_connectivity=connectivity)[0]
    lines.append(f"graph {k} {connectivity} {mix} {text(graph.toarray())}")

digits = np.loadtxt(pathlib.Path(sys.argv[1]) / "optdigits/optdigits.tes", delimiter=",", dtype=np.float32)
iris = load_iris()
lines += [f"iris_rows {text(iris.data)}", f"iris_labels {text(iris.target)}"]
for name, x, labels in (("optdigits", digits[:, :64], digits[:, 64].astype(int)), ("iris", iris.data, iris.target)):
    found = []
    for seed in range(5):
        layout = umap.UMAP(random_state=seed).fit_transform(x)
        found.append((trustworthiness(x, layout, n_neighbors=15), accuracy(layout, labels)))
    lines.append(f"{name} {text(np.mean(found, axis=0))}")
found = []
for seed in range(5):
    model = umap.UMAP(random_state=seed).fit(digits[:1200, :64])
    nearest = NearestNeighbors(n_neighbors=1).fit(model.embedding_)
    nearest = nearest.kneighbors(model.transform(digits[1200:, :64]), return_distance=False)[:, 0]
    found.append(np.mean(digits[:1200, 64][nearest] == digits[1200:, 64]))
lines.append(f"optdigits_transform {text(np.mean(found))}")
pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
