"""The real TensorBoard loads what layerscope writes: through its readers, through its server, and in Chromium.

Usage, with the Python of a virtual environment that has TensorBoard (run.py makes it):
  check.py <folder of the browser's driver> <output folder> <projector_cases>
"""

import json
import os
import subprocess
import sys
import unittest
import urllib.error
from pathlib import Path

import numpy as np
from PIL import Image

from projector_expected import CASES, PAGE_ROWS
from server import TensorBoard, serve_page_alone

BROWSER, OUTPUT = map(Path, sys.argv[1:3])
PROGRAM = sys.argv[3]
LOG = OUTPUT / "log"


def setUpModule():
    global board
    subprocess.run([PROGRAM, OUTPUT], check=True, stdout=subprocess.DEVNULL)
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    EventFileWriter(str(LOG / "cases")).close()
    board = TensorBoard(LOG, OUTPUT)
    unittest.addModuleCleanup(board.close)
    TensorBoard.wait_for(lambda: board.plugin("projector/runs"), what="a run with embeddings")


def metadata_as_page(text):
    """Columns of a metadata file, read as the page's script reads it."""
    names, columns = None, {}
    for number, line in enumerate(line for line in text.split("\n") if line.strip() != ""):
        cells = line.split("\t")
        if number == 0:
            names = cells if len(cells) > 1 else ["label"]
            columns = {name: [] for name in names}
            if len(cells) > 1:
                continue
        for name, cell in zip(names, cells, strict=True):
            columns[name].append(cell)
    return columns


def differences(served, expected):
    """What is wrong with a tensor or with columns, in words; empty when they are as expected."""
    if isinstance(expected, np.ndarray):
        if served.shape != expected.shape:
            return f"shape {served.shape}, expected {expected.shape}"
        wrong = np.argwhere(served != expected)
        return f"first difference at {wrong[0]}" if len(wrong) else ""
    if list(served) != list(expected):
        return f"columns {list(served)}, expected {list(expected)}"
    for name, cells in expected.items():
        if served[name] != cells:
            where = next((i for i, pair in enumerate(zip(served[name], cells)) if pair[0] != pair[1]), len(cells))
            return f"column {name}, {len(served[name])} cells of {len(cells)}: first difference at {where}"
    return ""


class Served(unittest.TestCase):
    """Each hostile case through the server's data API."""

    def test_list(self):
        config = board.plugin("projector/info", run="cases")
        self.assertEqual({each["tensorName"]: each["tensorShape"] for each in config["embeddings"]},
                         {name: list(case[0].shape) for name, case in CASES.items()})

    def test_tensors_and_metadata(self):
        for name, (tensor, metadata, bookmarks, facts) in CASES.items():
            with self.subTest(name):
                query = {"run": "cases", "name": name}
                served = np.frombuffer(board.get("/data/plugin/projector/tensor", **query), np.float32)
                self.assertEqual(differences(served.reshape(-1, tensor.shape[1]), tensor), "")
                if metadata is None:
                    with self.assertRaises(urllib.error.HTTPError):
                        board.get("/data/plugin/projector/metadata", **query)
                else:
                    text = board.get("/data/plugin/projector/metadata", **query).decode()
                    self.assertTrue(text.endswith("\n"))
                    self.assertEqual(differences(metadata_as_page(text), metadata), "")
                if bookmarks:
                    states = board.plugin("projector/bookmarks", **query)
                    for state, (label, points, rows) in zip(states, bookmarks, strict=True):
                        self.assertEqual(state["label"], label)
                        self.assertEqual(state["dataSetDimensions"], list(tensor.shape))
                        axes = [f"umap-{axis}" for axis in range(points.shape[1])]
                        shown = [i for i, point in enumerate(state["projections"]) if point]
                        self.assertEqual(shown, rows or list(range(len(points))))
                        found = np.array([[point[axis] for axis in axes] for point in state["projections"] if point],
                                         np.float32)
                        self.assertEqual(differences(found, points), "")
                if "sprites" in facts:
                    count, side = facts["sprites"]
                    self.check_sprites(board.get("/data/plugin/projector/sprite_image", **query), count, side)

    def check_sprites(self, png, count, side):
        path = OUTPUT / "sprite.png"
        path.write_bytes(png)
        sheet = np.asarray(Image.open(path).convert("RGB"))
        cells = int(np.ceil(np.sqrt(count)))
        self.assertEqual(sheet.shape, (cells * side, cells * side, 3))
        for i in range(count):
            cell = sheet[i // cells * side:, i % cells * side:][:side, :side]
            self.assertTrue((cell == (20 * i + 40, 0, 200)).all(), i)

    def test_control(self):
        """The comparison finds one number, one cell and one row that are wrong."""
        tensor, metadata = CASES["tabs and newlines"][:2]
        wrong = tensor.copy()
        wrong[3, 1] += 1
        self.assertNotEqual(differences(wrong, tensor), "")
        self.assertNotEqual(differences(tensor[:-1], tensor), "")
        self.assertNotEqual(differences({**metadata, "plain": metadata["plain"][:-1]}, metadata), "")
        self.assertNotEqual(differences({**metadata, "plain": ["x"] * 7}, metadata), "")

    def test_what_would_break(self):
        """The files that are avoided do break TensorBoard's own code."""
        from tensorboard.plugins.projector import projector_plugin

        path = OUTPUT / "zeros.bytes"
        path.write_bytes(bytes(6 * 3 * 4))
        with self.assertRaises(ValueError):
            projector_plugin._read_tensor_tsv_file(str(path))
        self.assertEqual(len(metadata_as_page("a\n\n \nb\n")["label"]), 2)
        with self.assertRaises(urllib.error.HTTPError):
            board.get("/data/plugin/projector/tensor", run="cases", name="no such tensor")


class Page(unittest.TestCase):
    """The projector's page in Chromium, in TensorBoard and alone."""

    def test_page(self):
        server, alone = serve_page_alone(OUTPUT)
        self.addCleanup(server.shutdown)
        expected = {}
        for name, (tensor, metadata, bookmarks, facts) in CASES.items():
            rows = min(len(tensor), PAGE_ROWS)
            expected[name] = {
                "rows": rows,
                "first": tensor[0].tolist(),
                "last": tensor[rows - 1].tolist(),
                "metadata": metadata and {column: [cells[i] for i in (0, rows // 2, rows - 1)]
                                          for column, cells in metadata.items()},
                "bookmarks": [[label, points.tolist() if len(points) < 100 else None]
                              for label, points, _ in bookmarks],
                "sprites": facts.get("sprites"),
                "sequences": facts.get("sequences"),
            }
        plan = {"board": board.url, "alone": [f"{alone}/{form}/page.html" for form in ("text", "bytes")],
                "cases": expected, "output": str(OUTPUT), "chromium": os.environ["LAYERSCOPE_CHROMIUM"]}
        (OUTPUT / "plan.json").write_text(json.dumps(plan))
        done = subprocess.run([os.environ["LAYERSCOPE_NODE"], BROWSER / "projector.mjs", OUTPUT / "plan.json"],
                              capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(done.stdout, end="")
        for picture in sorted(OUTPUT.glob("canvas-*.png")):
            pixels = np.asarray(Image.open(picture).convert("RGB")).reshape(-1, 3)
            self.assertGreater(len(np.unique(pixels, axis=0)), 20, f"{picture.name}: nothing is drawn")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
