"""What scikit-learn's t-SNE reaches, for the tests of tsne(); writes tsne.txt beside itself.

    pip install numpy==2.3.4 scikit-learn==1.9.1
    python tests/reference/tsne.py <folder of the shared data>

A line is `<data set> <dimensions> <KL divergence> <trustworthiness of 15> <accuracy of 10 voting neighbours>`.
scikit-learn uses one neighbour more, which moves the divergence in its fourth digit.
"""
import gzip
import pathlib
import sys

import numpy as np
import sklearn
from sklearn.manifold import TSNE, trustworthiness
from sklearn.neighbors import NearestNeighbors

data = pathlib.Path(sys.argv[1])
digits = np.loadtxt(data / "optdigits/optdigits.tes", delimiter=",")
with gzip.open(data / "tabular/iris.csv.gz", "rt") as file:
    rows = [line.strip().split(",") for line in file if line[:1].isdigit()]
iris = np.array([[float(value) for value in row[:4]] for row in rows])
species = np.unique([row[4] for row in rows], return_inverse=True)[1]


def accuracy(layout, labels):
    neighbors = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(layout).kneighbors(return_distance=False)
    votes = np.apply_along_axis(lambda row: np.bincount(row, minlength=10), 1, labels[neighbors])
    return np.mean(votes.argmax(1) == labels)


lines = [f"# scikit-learn {sklearn.__version__}"]
for name, x, labels, dimensions in (
    ("iris", iris, species, 2),
    ("iris", iris, species, 3),
    ("optdigits", digits[:, :64], digits[:, 64].astype(int), 2),
):
    method = TSNE(n_components=dimensions, random_state=0)
    layout = method.fit_transform(x)
    quality = (method.kl_divergence_, trustworthiness(x, layout, n_neighbors=15), accuracy(layout, labels))
    lines.append(f"{name} {dimensions} " + " ".join(f"{value:.5f}" for value in quality))
pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
