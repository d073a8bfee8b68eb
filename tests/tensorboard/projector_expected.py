"""What projector_cases.cpp writes, by the same closed forms."""

import numpy as np


def ramp(rows, columns):
    i, j = np.arange(rows, dtype=np.float32)[:, None], np.arange(columns, dtype=np.float32)[None, :]
    return i + j / np.float32(10)


def constant(rows, columns, value):
    return np.full((rows, columns), value, np.float32)


def numbered(rows, prefix):
    return [prefix + str(i) for i in range(rows)]


def layout(rows, dimensions, epoch):
    i, c = np.arange(rows)[:, None], np.arange(dimensions)[None, :]
    return ((i * (epoch + 1) + 100 * c) / 8).astype(np.float32)


def timeline():
    epochs = [(f"step {epoch}", layout(10, 3 if epoch == 2 else 2, epoch), None) for epoch in range(3)]
    return epochs + [("some samples", layout(3, 2, 1), [1, 4, 9])]


PAD = np.pad(ramp(5, 1), ((0, 0), (0, 1)))  # a column of zeros

# Name in the list: tensor, metadata by column (as the page is to show it), bookmarks, further facts.
CASES = {
    "timeline": (ramp(10, 4), {"class": ["0", "1"] * 5, "id": numbered(10, "s")}, timeline(), {"sprites": (10, 8)}),
    "zeros": (constant(6, 3, 0), None, [], {}),
    "twos": (constant(6, 3, 2), {"label": numbered(6, "n")}, [], {}),
    "empty labels": (ramp(6, 2), {"label": ["(empty)"] * 4 + ["\\t", "seen"]}, [], {}),
    "empty cells": (ramp(3, 2), {"a": ["(empty)", "x", "(empty)"], "b": ["(empty)", "(empty)", "y"]}, [], {}),
    "tabs and newlines": (
        ramp(7, 2),
        {"la\\tbel": ["a\\tb", "c\\nd", "e\\r\\nf", "g\\\\t", "h\\x00i", "\ufffd", '"<script>&'], "plain": numbered(7, "")},
        [], {}),
    "weights": (ramp(4, 2), None, [], {}),
    "weights (2)": (ramp(5, 2), {"label": numbered(5, "w")}, [], {}),
    "one column": (PAD, None, [], {}),
    'a\uff06b\uff03c\uff05d\uff0be/f "g" \xe9': (ramp(3, 2), {"label": ["x", "y", "z"]}, [], {}),
    "__proto__": (ramp(3, 2), {"label": ["constructor", "__proto__", "toString"]}, [], {}),
    "trajectories": (ramp(6, 2), {"row": numbered(6, ""), "__seq_next__": ["1", "2", "-1", "4", "5", "-1"]}, [],
                     {"sequences": [[0, 1, 2], [3, 4, 5]]}),
    "many": (ramp(100_001, 3), {"name": numbered(100_001, "p"), "odd": ["x"] * 100_001},
             [("step 0", layout(100_000, 2, 0), None)], {}),
}
PAGE_ROWS = 100_000  # the page takes no more
