"""Values of numpy for the tests of statistics, quantile_sketch and histogram; writes statistics.txt beside itself.

    python3 statistics.py

Inputs come from a multiplicative hash and operations that IEEE 754 rounds alike everywhere, so the tests build the same
bits. Numbers are hexadecimal, hence exact.
"""
import pathlib

import numpy as np


def uniform(n):
    return ((np.arange(n, dtype=np.uint64) * np.uint64(2654435761)) % np.uint64(2**32)).astype(np.float64) / 2.0**32


def cases():
    u = uniform(10000)
    centred = u - 0.5
    steep = 4.0 * centred
    return {
        "uniform": centred,
        "cubed": (steep * steep * steep).astype(np.float32).astype(np.float64),
        "relu": np.maximum(centred, 0.0).astype(np.float32).astype(np.float64),
        "offset": 1e9 + u,
        "tiny": u * 1e-300,
        "huge": centred * 1e300,
        "integers": np.floor(u * 200.0),
        "constant": np.full(10000, 2.5),
        "tenths": (np.arange(10000) % 11) / 10.0,
    }


def text(values):
    return " ".join(float(v).hex() for v in np.atleast_1d(values))


def histogram(lines, name, label, x, **options):
    counts, edges = np.histogram(x, **options)
    lines.append(f"histogram {name} {label} {len(counts)} {' '.join(map(str, counts))} {text(edges)}")


lines = [f"# numpy {np.__version__}"]
for name, x in cases().items():
    # The exact variance, of scaled numbers where squares leave the range of double.
    scale = {"tiny": 2.0**997, "huge": 2.0**-997}.get(name, 1.0)
    exact = x.astype(np.longdouble) * np.longdouble(scale)
    mean = exact.mean()
    deviation = np.sqrt(((exact - mean) ** 2).mean())
    lines.append(f"moments {name} {x.size} {np.sum(x == 0)} {text(mean / scale)} {text(deviation / scale)} "
                 f"{text(x.min())} {text(x.max())}")
    lines.append(f"quantiles {name} {text(np.quantile(x, np.arange(21) / 20.0))}")
    for bins in (1, 7, 30, 1000):
        if bins == 1000 and name != "cubed":  # one is enough, as edges take space
            continue
        histogram(lines, name, f"bins={bins}", x, bins=bins)
histogram(lines, "uniform", "range=-0.25,0.25", cases()["uniform"], bins=13, range=(-0.25, 0.25))
histogram(lines, "tenths", "range=0,1", cases()["tenths"], bins=10, range=(0.0, 1.0))
histogram(lines, "cubed", "edges=-1,-0.5,0,0.125,2", cases()["cubed"], bins=[-1.0, -0.5, 0.0, 0.125, 2.0])
pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
