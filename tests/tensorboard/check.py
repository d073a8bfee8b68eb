"""The real TensorBoard loads what layerscope writes: through its readers, through its server, and in Chromium.

Usage, with the Python of a virtual environment that has TensorBoard (run.py makes it):
  check.py <folder of the browser's driver> <output folder> <projector_cases> <recorded_run> [<torch_mnist> <data>]
"""

import copy
import json
import os
import subprocess
import sys
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image

from projector_expected import CASES, PAGE_ROWS
from recorded import embeddings_of, read_by_server, read_by_tensorboard, run_differences, run_expected
from server import TensorBoard, serve_page_alone

BROWSER, OUTPUT = map(Path, sys.argv[1:3])
CASES_PROGRAM, RUN_PROGRAM, *TRAINING = sys.argv[3:]
LOG = OUTPUT / "log"
RUNS = ["run"]  # of which OUTPUT has the run directory, and LOG what TensorBoard reads


def setUpModule():
    global board
    for program in (CASES_PROGRAM, RUN_PROGRAM):
        subprocess.run([program, OUTPUT], check=True, stdout=subprocess.DEVNULL)
    if TRAINING:
        program, data = TRAINING
        subprocess.run([program, "--data", data, "--epochs", "1", "--limit", "2000", "--out", OUTPUT / "mnist",
                        "--tensorboard", LOG / "mnist"], check=True, capture_output=True)
        RUNS.append("mnist")
    else:
        print("skipped: the run of torch_mnist, as libtorch or its data are absent")
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
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        cases = {name: page_expected(*case, pictured=name == "timeline" and name) for name, case in CASES.items()}
        runs, images, histograms = {}, [], 3
        for run in RUNS:
            shown = run_expected(OUTPUT / run)
            for (plugin, tag), steps in shown.items():
                if plugin == "images" and not tag.startswith("o"):  # overviews, as the page shows twelve of a group at once
                    height, width = steps[max(steps)][0].shape[:2]
                    images.append(f"{width}x{height}")
            histograms += sum(plugin == "histograms" and not tag.startswith("g") for plugin, tag in shown)  # gradients
            for name, epochs in embeddings_of(OUTPUT / run).items():
                query = {"run": f"{run}/embeddings/{name.replace('/', '-')}", "name": name}
                points, classes, ids = list(epochs.values())[-1]
                tensor = np.frombuffer(board.get("/data/plugin/projector/tensor", **query), np.float32)
                runs[name] = page_expected(tensor.reshape(len(points), -1), {"class": classes, "id": ids},
                                           [(f"step {step}", epoch[0], None) for step, epoch in epochs.items()],
                                           {}, pictured=run, run=query["run"])
        plan = {"board": board.url, "alone": {form: f"{alone}/{form}/page.html" for form in ("text", "bytes")},
                "cases": cases, "runs": runs, "images": images, "histograms": histograms,
                "output": str(OUTPUT), "chromium": os.environ["LAYERSCOPE_CHROMIUM"]}
        (OUTPUT / "plan.json").write_text(json.dumps(plan))
        done = subprocess.run([os.environ["LAYERSCOPE_NODE"], BROWSER / "pages.mjs", OUTPUT / "plan.json"],
                              capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(done.stdout, end="")
        pictures = sorted(OUTPUT.glob("canvas-*.png"))
        self.assertGreaterEqual(len(pictures), 12)
        for picture in pictures:
            pixels = np.asarray(Image.open(picture).convert("RGB")).reshape(-1, 3)
            self.assertGreater(len(np.unique(pixels, axis=0)), 5, f"{picture.name}: nothing is drawn")


def page_expected(tensor, metadata, bookmarks, facts, **more):
    """What the page has to make of an embedding."""
    rows = min(len(tensor), PAGE_ROWS)
    if tensor.shape[1] >= 50:  # the page centres these, and gives every row the length 1
        tensor = tensor - tensor.mean(0, dtype=float)
        tensor /= np.linalg.norm(tensor, axis=1, keepdims=True)
    return {
        "rows": rows,
        "first": tensor[0].tolist(),
        "last": tensor[rows - 1].tolist(),
        "metadata": metadata and {column: [cells[i] for i in (0, rows // 2, rows - 1)]
                                  for column, cells in metadata.items()},
        "bookmarks": [[label, points.tolist() if len(points) < 3000 else None] for label, points, _ in bookmarks],
        "sprites": facts.get("sprites"),
        "sequences": facts.get("sequences"),
        **more,
    }


class Recorded(unittest.TestCase):
    """Everything that a recorder wrote into a directory is in TensorBoard, and nothing else."""

    def test_reader(self):
        for run in RUNS:
            expected = run_expected(OUTPUT / run)
            self.assertGreater(len(expected), 5)
            self.assertEqual(run_differences(read_by_tensorboard(LOG / run), expected), [])

    def test_server(self):
        for run in RUNS:
            expected = run_expected(OUTPUT / run)
            self.assertEqual(run_differences(read_by_server(board, run), expected), [])

    def test_embeddings(self):
        for run in RUNS:
            for name, epochs in embeddings_of(OUTPUT / run).items():
                with self.subTest(f"{run}: {name}"):
                    query = {"run": f"{run}/embeddings/{name.replace('/', '-')}"}
                    config = board.plugin("projector/info", **query)["embeddings"]
                    self.assertEqual([each["tensorName"] for each in config], [name])
                    query["name"] = name
                    states = board.plugin("projector/bookmarks", **query)
                    self.assertEqual([state["label"] for state in states], [f"step {step}" for step in epochs])
                    for state, (points, _, _) in zip(states, epochs.values(), strict=True):
                        found = [[point[f"umap-{axis}"] for axis in range(points.shape[1])]
                                 for point in state["projections"]]
                        self.assertEqual(differences(np.array(found, np.float32), points), "")
                    _, classes, ids = list(epochs.values())[-1]
                    columns = metadata_as_page(board.get("/data/plugin/projector/metadata", **query).decode())
                    self.assertEqual(differences(columns, {"class": classes, "id": ids}), "")
                    rows, width = config[0]["tensorShape"]
                    self.assertEqual(rows, len(ids))
                    self.assertGreater(width, 3)  # what was embedded, not where it went
                    tensor = np.frombuffer(board.get("/data/plugin/projector/tensor", **query), np.float32)
                    self.assertEqual(tensor.size, rows * width)
                    self.assertTrue(np.isfinite(tensor).all() and tensor.std() > 0)

    def test_thumbnails(self):
        query = {"run": "run/embeddings/fc1-out", "name": "fc1/out"}
        (OUTPUT / "sheet.png").write_bytes(board.get("/data/plugin/projector/sprite_image", **query))
        sheet = np.asarray(Image.open(OUTPUT / "sheet.png").convert("L"))
        self.assertEqual(sheet.shape, (90, 90))  # 15 x 15 of 6 x 6
        for i in range(200):
            cell = sheet[i // 15 * 6:, i % 15 * 6:][:6, :6]
            self.assertTrue((cell == np.where(np.arange(6) <= i % 6, 255, 0)).all(), i)

    def test_control(self):
        """The comparison finds a value, a step, a pixel and a tag that are wrong or missing."""
        expected = run_expected(OUTPUT / "run")
        found = read_by_tensorboard(LOG / "run")
        for change in (lambda run: run.pop(("scalars", "loss")),
                       lambda run: run[("scalars", "loss")].update({1: 0.25}),
                       lambda run: run[("scalars", "loss")].update({7: 0.25}),
                       lambda run: run[("histograms", "histogram/conv1/weight")][0].__setitem__((3, 2), 1e9),
                       lambda run: run[("images", "image/plain:0")][0][0].__setitem__((0, 0, 0), 3),
                       lambda run: run.update({("text", "more"): {0: "x"}})):
            wrong = copy.deepcopy(found)
            change(wrong)
            self.assertEqual(len(run_differences(wrong, expected)), 1)


class Values(unittest.TestCase):
    """What breaks other writers, through the server."""

    def rows(self, tag):
        return [np.array(rows) for _, step, rows in
                board.plugin("histograms/histograms", run="values", tag=tag)]

    def test_histograms(self):
        ascending = self.rows("ascending")
        self.assertEqual(len(ascending), 3)
        for rows in ascending:
            self.assertTrue(np.isfinite(rows).all())
            self.assertEqual((rows[0, 0], rows[-1, 1], rows[:, 2].sum(), len(rows)), (0, 99, 100, 30))
            counts, edges = np.histogram(np.arange(100), 30)
            np.testing.assert_array_equal(rows[:, 2], counts)
            np.testing.assert_allclose(rows[:, 0], edges[:-1], atol=1e-12)
        for rows in self.rows("constant:0"):
            self.assertTrue((rows[:, :2] == 0).all())
            self.assertEqual(rows[:, 2].tolist(), [0] * 29 + [50])
        self.assertEqual([rows[:, 2].sum() for rows in self.rows("none")], [0, 0, 0])

    def test_names_and_text(self):
        self.assertEqual([value[1:] for value in board.plugin("scalars/scalars", run="values", tag="value:0")],
                         [[0, 0], [1, 0.25], [2, 0.5]])
        tags = board.plugin("text/tags")["values"]
        self.assertEqual(len(tags), 1)
        for value in board.plugin("text/text", run="values", tag=tags[0]):
            self.assertIn("<td>1</td>", value["text"])

    def test_hparams(self):
        request = urllib.request.Request(
            board.url + "/data/plugin/hparams/session_groups",
            json.dumps({"experimentName": "", "allowedStatuses": ["STATUS_SUCCESS", "STATUS_UNKNOWN", "STATUS_RUNNING"],
                        "colParams": [], "startIndex": 0, "sliceSize": 10}).encode(),
            {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            groups = json.load(answer)["sessionGroups"]
        self.assertEqual([group["hparams"] for group in groups], [{"lr": 0.5, "nesterov": True, "optimizer": "adam"}])

    def test_version_record(self):
        """The first record of every file; a file without one is what the comparison would notice."""
        from tensorboard.backend.event_processing import event_file_loader

        files = list(LOG.rglob("*tfevents*"))
        self.assertGreater(len(files), 3)
        for file in files:
            first = next(iter(event_file_loader.EventFileLoader(str(file)).Load()))
            self.assertEqual(first.file_version, "brain.Event:2", file)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
