"""Reference values of RealFft2d: numpy.fft.rfft2; writes fft.txt beside itself.

    pip install numpy==2.3.4
    python tests/reference/fft.py

A line is `<rows> <columns> <real and imaginary part of each of the rows · (columns / 2 + 1) frequencies>`.
"""
import pathlib

import numpy as np

SIZES = [(1, 1), (1, 2), (2, 1), (3, 5), (4, 4), (5, 3), (8, 15), (9, 10), (16, 6), (25, 4)]


def numbers(rows, columns):
    """What the test makes too: exact in float32."""
    index = np.arange(rows * columns, dtype=np.int64)
    return (((index * 7919) % 1009 - 500) / 64).reshape(rows, columns)


lines = [f"# numpy {np.__version__}"]
for rows, columns in SIZES:
    spectrum = np.fft.rfft2(numbers(rows, columns)).ravel()
    parts = np.stack([spectrum.real, spectrum.imag], axis=1).ravel()
    lines.append(f"{rows} {columns} " + " ".join(f"{part:.9g}" for part in parts))
pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
