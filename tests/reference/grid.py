"""Reference values of make_grid: torchvision.utils.make_grid transcribed to numpy (pip's torch is too large to fetch).

    pip install numpy==2.*
    python tests/reference/grid.py

The rules are those of torchvision's source (utils.py): one channel becomes three, a single image has no padding,
norm_ip clamps, subtracts and divides by max(high - low, 1e-5). float32 throughout, as the tensors there are.
"""

import math
import pathlib

import numpy as np

REFERENCE = pathlib.Path(__file__).with_suffix(".txt")


def make_grid(batch, nrow=8, padding=2, normalize=False, value_range=None, scale_each=False, pad_value=0.0):
    batch = batch.copy()
    if batch.ndim == 2:
        batch = batch[None]
    if batch.ndim == 3:
        batch = batch[None]
    if batch.shape[1] == 1:
        batch = np.concatenate([batch] * 3, axis=1)
    if normalize:
        def norm_range(t):
            low, high = value_range if value_range else (float(t.min()), float(t.max()))
            t[...] = (np.clip(t, np.float32(low), np.float32(high)) - np.float32(low)) / np.float32(max(high - low, 1e-5))

        for t in batch if scale_each else [batch]:
            norm_range(t)
    if batch.shape[0] == 1:
        return batch[0]
    count = batch.shape[0]
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    height, width = batch.shape[2] + padding, batch.shape[3] + padding
    grid = np.full((batch.shape[1], height * rows + padding, width * columns + padding), pad_value, np.float32)
    for k in range(count):
        y, x = divmod(k, columns)
        top, left = y * height + padding, x * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = batch[k]
    return grid


def numbers(shape):
    """What the test makes too: exact in float32, different everywhere, both signs."""
    index = np.arange(math.prod(shape), dtype=np.int64)
    return (((index * 7919) % 1009 - 500) / np.float32(64)).astype(np.float32).reshape(shape)


CASES = [
    ((10, 3, 4, 5), {}),
    ((10, 1, 4, 5), {"nrow": 4, "padding": 1, "pad_value": 0.5}),
    ((3, 3, 2, 2), {"nrow": 8, "padding": 0}),
    ((1, 1, 3, 4), {"padding": 7}),
    ((5, 2, 3, 3), {"nrow": 2, "normalize": True}),
    ((5, 1, 3, 3), {"nrow": 3, "normalize": True, "scale_each": True, "pad_value": 1}),
    ((4, 3, 2, 3), {"nrow": 2, "normalize": True, "value_range": (-1, 2)}),
    ((3, 4, 5), {"normalize": True}),
    ((6, 7), {}),
]


def main():
    with REFERENCE.open("w") as out:
        for shape, options in CASES:
            grid = make_grid(numbers(shape), **options)
            value_range = options.get("value_range", ("-", "-"))
            mode = "each" if options.get("scale_each") else "batch" if options.get("normalize") else "none"
            out.write(
                f"shape {len(shape)} {' '.join(map(str, shape))} nrow {options.get('nrow', 8)} padding "
                f"{options.get('padding', 2)} mode {mode} low {value_range[0]} high {value_range[1]} pad "
                f"{options.get('pad_value', 0)} result {' '.join(map(str, grid.shape))}\n"
            )
            out.write(" ".join(float(v).hex() for v in grid.ravel()) + "\n")


if __name__ == "__main__":
    main()
