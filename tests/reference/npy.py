"""Writes npy.txt: small .npy files as numpy.lib.format writes them, for the test of the reader and the writer.

    pip install numpy==2.*
    python tests/reference/npy.py            # writes npy.txt
    python tests/reference/npy.py FILES...   # prints descr, shape and values of .npy files, as numpy.load() sees them

A line is: element type, C or F order, version, shape, the file in hexadecimal digits. Element k, in row-major order,
is 3 k - 4 (bool: k odd; unsigned: 3 k + 1), so that the test computes what it expects.
"""

import io
import pathlib
import sys

import numpy as np

TYPES = ["|b1", "|u1", "|i1", "<u2", ">u2", "<i2", ">i2", "<u4", ">u4", "<i4", ">i4", "<u8", ">u8", "<i8", ">i8",
         "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]


def array(descr, shape):
    k = np.arange(np.prod(shape, dtype=int))
    kind = descr[1]
    values = k % 2 if kind == "b" else 3 * k + 1 if kind == "u" else 3 * k - 4
    return values.astype(descr).reshape(shape)


def line(descr, order, version, shape):
    stream = io.BytesIO()
    # asfortranarray and its kin turn rank 0 into rank 1
    values = array(descr, shape)
    np.lib.format.write_array(stream, values.copy(order=order) if shape else values, version=version)
    extents = ",".join(str(extent) for extent in shape) or "-"
    return f"{descr} {order} {version[0]} {extents} {stream.getvalue().hex()}"


def main():
    if len(sys.argv) > 1:
        for path in sys.argv[1:]:
            loaded = np.load(path, allow_pickle=False)
            print(path, loaded.dtype.str, loaded.shape, loaded.ravel().tolist())
        return
    lines = [line(descr, "C", (1, 0), (2, 3)) for descr in TYPES]
    lines += [line(descr, "F", (1, 0), (2, 3, 2)) for descr in ("|b1", "<f4", ">f8", ">i2")]
    lines += [line("<f4", "C", version, (2, 3)) for version in ((2, 0), (3, 0))]
    lines += [line("<f4", "C", (1, 0), shape) for shape in ((), (5,), (1,), (0,), (2, 0, 3), (1, 1, 1, 1, 1, 1, 1, 2))]
    lines += [line("<f4", "F", (1, 0), (4, 1))]
    pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")


main()
