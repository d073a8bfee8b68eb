"""Reference values of resample(): Pillow's Image.resize; writes resample.txt and resample_image.txt beside itself.

    pip install pillow==11.3.0 numpy==2.3.4
    python tests/reference/resample.py

Float images (mode F) first: a line is `<filter> <height> <width> <to height> <to width> <numbers>`. Pillow's BOX filter is
the average of an area where sides are whole multiples of each other. No centre of these sizes falls on the border of two
cells, where Pillow's accumulated rounding decides what nearest takes. Then 8-bit ones: `<filter> <mode> <to width>
<to height> <bytes>`.
"""
import pathlib

import numpy as np
import PIL
from PIL import Image

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}
SIZES = [(7, 5, 13, 9), (13, 9, 4, 3), (1, 6, 3, 2), (12, 8, 5, 16), (20, 31, 3, 4), (6, 6, 6, 10), (5, 4, 1, 1), (1, 1, 2, 3)]
WHOLE = [(12, 8, 4, 2), (3, 4, 6, 12)]


def numbers(height, width):
    """What the test makes too: exact in float32."""
    index = np.arange(height * width, dtype=np.int64)
    return (((index * 7919) % 1009 - 500) / np.float32(64)).astype(np.float32).reshape(height, width)


def write(name, lines):
    text = [f"# Pillow {PIL.__version__}", *lines]
    pathlib.Path(__file__).with_name(name).write_text("\n".join(text) + "\n")


lines = []
for name, method in FILTERS.items():
    for height, width, to_height, to_width in WHOLE if name == "area" else SIZES:
        image = Image.fromarray(numbers(height, width))
        result = np.asarray(image.resize((to_width, to_height), method))
        lines.append(f"{name} {height} {width} {to_height} {to_width} " + " ".join(f"{v:.8g}" for v in result.ravel()))
write("resample.txt", lines)

lines = []
for mode, channels in (("L", 1), ("RGB", 3), ("RGBA", 4)):
    pixels = (np.arange(7 * 11 * channels, dtype=np.int64) * 7919 % 251).astype(np.uint8)
    image = Image.frombytes(mode, (11, 7), pixels.tobytes())
    for name, size in (("bilinear", (5, 4)), ("nearest", (6, 10))):
        result = np.asarray(image.resize(size, FILTERS[name]))
        lines.append(f"{name} {mode} {size[0]} {size[1]} " + " ".join(str(v) for v in result.ravel()))
write("resample_image.txt", lines)
