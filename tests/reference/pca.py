"""Values of scikit-learn for the tests of pca; writes pca.txt beside itself.

    python3 pca.py <folder of the data sets>

Full singular value decompositions in float64. A line is `<data> <what> <numbers>`; numbers are rounded to 12 digits, those
of components to 8.
"""
import gzip
import pathlib
import sys

import numpy as np
import sklearn
from sklearn.decomposition import PCA

data = pathlib.Path(sys.argv[1])


def iris():
    with gzip.open(data / "tabular/iris.csv.gz", "rt") as file:
        return np.loadtxt(file, delimiter=",", skiprows=1)[:, :4]


def optdigits():
    return np.loadtxt(data / "optdigits/optdigits.tes", delimiter=",")[:, :64]


def mnist():
    with gzip.open(data / "mnist/t10k-images-idx3-ubyte.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(10000, 784).astype(np.float64)


def text(values, digits):
    return " ".join(f"{v:.{digits}g}" for v in np.ravel(values))


lines = [f"# scikit-learn {sklearn.__version__}"]
for name, x, kept, shown in (("iris", iris(), 4, 4), ("optdigits", optdigits(), 30, 10), ("mnist10k", mnist(), 50, 5)):
    model = PCA(kept, svd_solver="full").fit(x)
    scores = model.transform(x[:20])[:, :shown]
    lines.append(f"{name} variance {text(model.explained_variance_, 12)}")
    lines.append(f"{name} ratio {text(model.explained_variance_ratio_, 12)}")
    lines.append(f"{name} components {text(model.components_[:shown], 8)}")
    lines.append(f"{name} scores {text(scores, 12)}")
pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
