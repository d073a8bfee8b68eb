"""The command-line tool from outside: pictures, numbers and refusals, over real files and files made here.

Usage: tool_test.py <layerscope> <data directory or "">
"""

import gzip
import json
import math
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

TOOL = ""
DATA = Path()


def run(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, errors="replace", timeout=300)


def npy(path, values, descr="<f4", code="f", shape=None):
    header = repr({"descr": descr, "fortran_order": False, "shape": tuple(shape or [len(values)])})
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    body = struct.pack(f"<{len(values)}{code}", *values)
    Path(path).write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body)


def read_npy(path):
    data = Path(path).read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00"
    end = 10 + struct.unpack("<H", data[8:10])[0]
    header = eval(data[10:end].decode(), {})  # our own output
    count = 1
    for extent in header["shape"]:
        count *= extent
    return header["shape"], struct.unpack(f"<{count}{dict(f4='f', f8='d', i4='i')[header['descr'][1:]]}", data[end:])


def png_size(path):
    """Width and height, after checking every chunk's CRC."""
    data = Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, []
    while at < len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0]
        chunks.append(kind)
        at += 12 + length
    assert chunks[0] == b"IHDR" and chunks[-1] == b"IEND"
    return struct.unpack(">II", data[16:24])


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def event_record(data):
    length = struct.pack("<Q", len(data))
    return length + masked_crc(length) + data + masked_crc(data)


def field(number, data):
    """A string or message of fewer than 128 bytes."""
    return bytes([number << 3 | 2, len(data)]) + data


VERSION = event_record(b"\x09" + struct.pack("<d", 1.7e9) + field(3, b"brain.Event:2"))


def scalar_record(tag, value, step):
    """Steps below 128."""
    return event_record(bytes([0x10, step]) + field(5, field(1, field(1, tag) + b"\x15" + struct.pack("<f", value))))


def histogram_record(tag, rows, step):
    shape = b"".join(field(2, bytes([8, extent])) for extent in (len(rows) // 3, 3))
    tensor = b"\x08\x02" + field(2, shape) + field(4, struct.pack(f"<{len(rows)}d", *rows))
    plugin = field(9, field(1, field(1, b"histograms")))
    return event_record(bytes([0x10, step]) + field(5, field(1, field(1, tag) + plugin + field(8, tensor))))


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return Path(self.folder.name) / name

    def accepted(self, *arguments):
        done = run(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""), msg=done)
        return done.stdout

    def refused(self, *arguments, saying=""):
        done = run(*arguments)
        self.assertEqual(done.returncode, 2, msg=done)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, msg=done.stderr)
        self.assertTrue(done.stderr.startswith("layerscope: "), msg=done.stderr)
        self.assertIn(saying, done.stderr)


class MadeHere(Case):
    def setUp(self):
        super().setUp()
        self.x = self.path("x.npy")
        npy(self.x, [0, 1, 2, 3, float("nan"), float("inf")], shape=(2, 3))

    def test_stats(self):
        found = json.loads(self.accepted("stats", self.x))
        self.assertEqual(found["shape"], [2, 3])
        self.assertEqual(found["dtype"], "float32")
        self.assertEqual([found[k] for k in ("count", "nan", "positive_infinity", "zeros")], [4, 1, 1, 1])
        self.assertEqual([found[k] for k in ("mean", "min", "max")], [1.5, 0, 3])
        self.assertAlmostEqual(found["standard_deviation"], 1.25**0.5, places=14)
        self.assertEqual(found["quantiles"]["0.5"], 1.5)

    def test_stats_of_channels(self):
        npy(self.x, [0, 1, 0, 2, 0, 3], shape=(3, 2))
        found = json.loads(self.accepted("stats", self.x, "--layout", "NC"))
        self.assertEqual(found["dead_channels"], [0])
        self.assertEqual(found["channels"][1]["mean"], 2)

    def test_stats_of_nothing(self):
        npy(self.x, [], shape=(0, 3))
        found = json.loads(self.accepted("stats", self.x))
        self.assertEqual((found["count"], found["mean"], found["quantiles"]["0.5"]), (0, None, None))

    def test_heatmap(self):
        out = self.path("x.png")
        self.accepted("heatmap", self.x, "--out", out, "--colormap", "magma")
        width, height = png_size(out)
        self.assertEqual(width * 2, height * 3)
        npy(self.x, [0.5] * 96, shape=(2, 3, 4, 4))
        self.accepted("heatmap", self.x, "--out", out, "--layout", "NCHW", "--samples", "1")
        self.assertNotEqual(png_size(out), (width, height))

    def test_embed(self):
        npy(self.x, [0, 0, 0, 3, 1, 1, 6, 2, 2, 9, 3, 3], shape=(4, 3))
        npy(self.path("l.npy"), [0, 1, 1, 0], "<i4", "i")
        out, png, report = self.path("y.npy"), self.path("y.png"), self.path("r.json")
        options = ["--labels", self.path("l.npy"), "--out", out, "--png", png, "--report", report, "--threads", "1"]
        self.accepted("embed", self.x, *options)
        shape, y = read_npy(out)
        self.assertEqual(shape, (4, 2))
        # On one line, 11^0.5 apart, with the entry of largest magnitude of the direction positive.
        for row, expected in enumerate((-1.5, -0.5, 0.5, 1.5)):
            self.assertAlmostEqual(y[2 * row], expected * 11**0.5, places=5)
            self.assertAlmostEqual(y[2 * row + 1], 0, places=5)
        png_size(png)
        found = json.loads(report.read_text())
        self.assertEqual([found[k] for k in ("n", "d", "dims", "method", "threads")], [4, 3, 2, "pca", 1])
        self.assertAlmostEqual(found["explained_variance_ratio"][0], 1, places=12)
        self.assertEqual(sorted(found["seconds"]), ["fit", "quality", "read", "total", "transform", "write"])
        judged = json.loads(self.accepted("quality", self.x, out, "--labels", self.path("l.npy")))
        self.assertEqual(found["quality"], {key: judged[key] for key in found["quality"]})
        self.assertGreater(found["peak_memory_bytes"], 1 << 20)

    def test_embed_umap(self):
        rows = [[math.sin(i * (j + 1)) + 9 * (i % 2) for j in range(6)] for i in range(60)]
        npy(self.x, [value for row in rows for value in row], shape=(60, 6))
        npy(self.path("l.npy"), [i % 2 for i in range(60)], "<i4", "i")
        out, png, report = self.path("y.npy"), self.path("y.png"), self.path("r.json")
        options = ["--labels", self.path("l.npy"), "--png", png, "--report", report, "--seed", "3", "--pca", "4"]
        options += ["--neighbors", "10", "--min-dist", "0.2", "--metric", "manhattan", "--epochs", "40"]
        written = []
        for threads in ("1", "2"):
            self.accepted("embed", self.x, "--method", "umap", "--out", out, "--threads", threads, *options)
            written.append(out.read_bytes())
        self.assertEqual(written[0], written[1])
        shape, y = read_npy(out)
        self.assertEqual(shape, (60, 2))
        png_size(png)
        found = json.loads(report.read_text())
        expected = {"method": "umap", "dims": 2, "pca": 4, "metric": "manhattan", "n_neighbors": 10, "min_dist": 0.2,
                    "epochs": 40, "components": 2, "initialization": "spectral"}
        self.assertEqual({key: found[key] for key in expected}, expected)
        self.assertEqual(found["quality"]["label_accuracy"]["value"], 1)
        self.assertEqual(list(found["seconds"]), ["read", "pca", "neighbors", "graph", "initialization", "optimization",
                                                  "total", "write", "quality"])
        self.accepted("embed", self.x, "--method", "umap", "--dims", "3", "--out", out)
        self.assertEqual(read_npy(out)[0], (60, 3))
        self.refused("embed", self.x, "--method", "umap", "--dims", "4", "--out", out, saying="dimensions is 4")
        self.refused("embed", self.x, "--neighbors", "4", "--out", out, saying="--neighbors")

    def test_embed_tsne(self):
        rows = [[math.sin(i * (j + 1)) + 9 * (i % 2) for j in range(6)] for i in range(60)]
        npy(self.x, [value for row in rows for value in row], shape=(60, 6))
        npy(self.path("l.npy"), [i % 2 for i in range(60)], "<i4", "i")
        out, png, report = self.path("y.npy"), self.path("y.png"), self.path("r.json")
        options = ["--labels", self.path("l.npy"), "--png", png, "--report", report, "--seed", "3", "--pca", "4"]
        options += ["--perplexity", "9", "--iterations", "150", "--repulsion", "tree", "--metric", "manhattan"]
        written = []
        for threads in ("1", "2"):
            self.accepted("embed", self.x, "--method", "tsne", "--out", out, "--threads", threads, *options)
            written.append(out.read_bytes())
        self.assertEqual(written[0], written[1])
        self.assertEqual(read_npy(out)[0], (60, 2))
        png_size(png)
        found = json.loads(report.read_text())
        expected = {"method": "tsne", "dims": 2, "pca": 4, "metric": "manhattan", "perplexity": 9, "iterations": 150,
                    "repulsion": "tree", "tree_iterations": 150, "interpolated_iterations": 0}
        self.assertEqual({key: found[key] for key in expected}, expected)
        self.assertTrue(0 < found["kl"] < 2)
        self.assertGreater(found["quality"]["label_accuracy"]["value"], 0.9)
        self.assertEqual(list(found["seconds"]), ["read", "pca", "neighbors", "affinities", "initialization",
                                                  "optimization", "total", "write", "quality"])
        self.accepted("embed", self.x, "--method", "tsne", "--dims", "3", "--perplexity", "5", "--out", out)
        self.assertEqual(read_npy(out)[0], (60, 3))
        self.refused("embed", self.x, "--method", "tsne", "--perplexity", "0", "--out", out, saying="perplexity 0")
        self.refused("embed", self.x, "--method", "tsne", "--repulsion", "fast", "--out", out, saying="\"fast\"")

    def test_knn(self):
        npy(self.x, [0, 0, 1, 1, 3, 3, 7, 7, 8, 8], shape=(5, 2))
        out, distances, report = self.path("i.npy"), self.path("d.npy"), self.path("r.json")
        for method in ("exact", "approximate", "automatic"):
            options = ["--out", out, "--distances", distances, "--report", report, "--threads", "1", "--recall", "5"]
            self.accepted("knn", self.x, "-k", "2", "--method", method, "--metric", "manhattan", *options)
            self.assertEqual(read_npy(out), ((5, 2), (1, 2, 0, 2, 1, 0, 4, 2, 3, 2)))
            self.assertEqual(read_npy(distances), ((5, 2), (2, 6, 2, 4, 4, 6, 2, 8, 2, 10)))
            found = json.loads(report.read_text())
            self.assertEqual([found[k] for k in ("n", "d", "k", "metric", "threads")], [5, 2, 2, "manhattan", 1])
            self.assertEqual(found["method"], "exact")  # five rows are compared with all, whatever was asked for
            self.assertEqual(found["recall"], 1)
            self.assertEqual(sorted(found["seconds"]), ["neighbors", "read", "write"])
            self.assertGreater(found["peak_memory_bytes"], 1 << 20)
        self.accepted("knn", self.x, "-k", "9", "--out", out, "--report", report)
        self.assertEqual(read_npy(out)[0], (5, 4))
        self.assertIn("4 is used", json.loads(report.read_text())["warnings"][0])

    def test_quality(self):
        npy(self.x, [0, 1, 3, 7, 8, 20, 21, 25], shape=(8, 1))
        npy(self.path("l.npy"), [0, 0, 0, 0, 0, 1, 1, 1], "<i4", "i")
        found = json.loads(self.accepted("quality", self.x, self.x, "--labels", self.path("l.npy")))
        self.assertEqual((found["n"], found["sampled_rows"], found["trustworthiness_neighbors"]), (8, 8, 3))
        for score in ("trustworthiness", "continuity", "neighbor_preservation"):
            self.assertEqual(found[score], {"value": 1, "standard_error": 0})
        # Of the three nearest rows of each row at least two have its label.
        self.assertEqual(found["label_accuracy"]["value"], 1)
        self.assertEqual(len(found["warnings"]), 3)
        found = json.loads(self.accepted("quality", self.x, self.x, "--sample", "4"))
        self.assertEqual((found["sampled_rows"], found["label_accuracy"]), (4, None))

    def test_help(self):
        commands = (["heatmap"], ["stats"], ["embed"], ["events", "check"], ["knn"], ["quality"])
        for arguments in (["--help"], *([*command, "-h"] for command in commands)):
            self.assertIn("Usage: layerscope", self.accepted(*arguments))

    def test_refusals(self):
        out = self.path("x.png")
        self.refused()
        self.refused("nonsense")
        self.refused("stats")
        self.refused("stats", self.x, "--nonsense")
        self.refused("stats", self.x, "--threads", "many")
        self.refused("stats", self.path("missing.npy"), saying="missing.npy")
        self.refused("stats", self.folder.name)
        self.refused("stats", self.x, "--layout", "NCHW")
        self.refused("stats", self.x, "--layout", "NN")
        self.refused("heatmap", self.x)
        self.refused("heatmap", self.x, "--out", out, "--colormap", "mauve", saying="viridis")
        self.refused("heatmap", self.x, "--out", out, "--layout", "OIHW")
        self.refused("heatmap", self.x, "--out", self.path("no/such/folder.png"))
        self.refused("heatmap", self.x, "--out", self.folder.name)
        self.refused("embed", self.x)
        self.refused("embed", self.x, "--out", self.path("y.npy"), saying="row")
        self.refused("embed", self.x, "--out", self.path("y.npy"), "--method", "umop", saying="umop")
        self.refused("embed", self.x, "--out", self.path("y.npy"), "--metric", "cosine", saying="--metric")
        self.refused("embed", self.x, "--png", out, "--dims", "5")
        self.refused("embed", self.x, "--out", out, "--dims", "0")
        npy(self.x, [1, 2, 3, 4], shape=(2, 2))
        npy(self.path("l.npy"), [0, 1, 1], "<i4", "i")
        self.refused("knn", self.x, saying="--out")
        self.refused("knn", self.x, "--out", out, "--method", "guess", saying="guess")
        self.refused("knn", self.x, "--out", out, "--metric", "jaccard", saying="manhattan")
        self.refused("knn", self.x, "--out", out, "-k", "0", saying="k is 0")
        self.refused("quality", self.x)
        self.refused("quality", self.x, self.x, saying="3 or more")
        self.refused("quality", self.x, self.x, "--labels", self.path("l.npy"), saying="3 labels")
        self.refused("embed", self.x, "--out", out, "--labels", self.path("l.npy"), saying="3 labels")
        npy(self.x, [1] * 16, shape=(2, 2, 2, 2))
        self.refused("heatmap", self.x, "--out", out, saying="--layout")
        npy(self.x, [], shape=(0, 3))
        self.refused("embed", self.x, "--out", out)
        self.refused("heatmap", self.x, "--out", out)
        self.assertFalse(out.exists())

    def test_damaged_files(self):
        whole = self.x.read_bytes()
        for content in (b"", b"\x93NUMPY", whole[:40], whole[:-1], b"\x00" * 64, gzip.compress(b"\x00\x00\x08\x09")):
            self.x.write_bytes(content)
            self.refused("stats", self.x)

    def test_full_disk(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([TOOL, "stats", str(self.x)], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr.count("\n"), 1)


class Events(Case):
    def setUp(self):
        super().setUp()
        self.run_folder = self.path("run")
        (self.run_folder / "deep").mkdir(parents=True)
        self.file = self.run_folder / "deep/events.out.tfevents.1700000000.host"

    def check(self, content):
        """Exit status and output of `events check`."""
        self.file.write_bytes(content)
        done = run("events", "check", self.run_folder)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def test_sound(self):
        body = VERSION + scalar_record(b"loss", 0.5, 1) + scalar_record(b"loss", 0.25, 7)
        body += histogram_record(b"w", [0, 1, 2, 1, 2, 3], 3)
        status, output = self.check(body)
        self.assertEqual((status, output), (0, f"{self.file}: sound, 4 records, 2 tags\n"))
        listed = self.accepted("events", "LIST", self.file)
        self.assertEqual(listed.splitlines()[0], f"{self.file}: 4 records, {len(body)} bytes")
        self.assertEqual(listed.splitlines()[1:], ["  loss  scalars  2 values, steps 1 to 7", "  w  histograms  1 value, step 3"])
        (found,) = json.loads(self.accepted("events", "list", self.run_folder, "--json"))
        self.assertEqual([found[k] for k in ("records", "bytes", "torn_bytes", "problems")], [4, len(body), 0, []])
        self.assertEqual(found["tags"][0], {"tag": "loss", "plugin": "scalars", "values": 2, "first_step": 1, "last_step": 7})

    def test_unsound(self):
        good = VERSION + scalar_record(b"loss", 0.5, 5)
        damaged = bytearray(good + scalar_record(b"x", 1, 6))
        damaged[len(VERSION) + 20] ^= 1
        lost = bytearray(good)
        lost[len(VERSION)] ^= 1
        for content, saying in (
            (good[:-1], f"the last {len(good) - len(VERSION) - 1} bytes are no complete record"),
            (damaged, f"byte {len(VERSION)}: the data of a record has a wrong checksum"),
            (lost, f"byte {len(VERSION)}: the length of a record has a wrong checksum"),
            (scalar_record(b"loss", 1, 1), 'the first record has the version ""; expected "brain.Event:2"'),
            (good + scalar_record(b"loss", 1, 4), '"loss" at step 4: after step 5'),
            (good + histogram_record(b"loss", [0, 1, 2], 6), 'data of "histograms"; the tag is one of "scalars"'),
            (VERSION + histogram_record(b"w", [0, 1, 2, 1, float("inf"), 1], 1), "a bucket from 1 to inf"),
            (VERSION + event_record(b"\x2a\x05"), "a record with a broken Event message"),
            (b"", "the file is empty"),
        ):
            status, output = self.check(bytes(content))
            self.assertEqual(status, 1, msg=output)
            self.assertIn(saying, output)
            self.assertNotIn("sound", output)
            self.assertIn(saying.replace('"', '\\"'), self.accepted("events", "list", "--json", self.run_folder))
        # What is behind a damaged record is read all the same.
        self.file.write_bytes(bytes(damaged))
        self.assertIn("  x  scalars  1 value, step 6", self.accepted("events", "list", self.file))

    def test_names_for_a_terminal(self):
        self.file.write_bytes(VERSION + scalar_record(b"a\x1b[2J\n\xff", 1, 1))
        self.assertIn("a?[2J?", run("events", "list", self.file).stdout)
        json.loads(self.accepted("events", "list", self.file, "--json"))

    def test_refusals(self):
        self.refused("events")
        self.refused("events", "list")
        self.refused("events", "list", self.run_folder, saying="no event files")
        self.refused("events", "check", self.path("missing"), saying="missing")


class Export(Case):
    def setUp(self):
        super().setUp()
        self.x, self.labels, self.out = self.path("x.npy"), self.path("l.npy"), self.path("out")
        npy(self.x, [0, 1, 2, 3, 4, 5], shape=(3, 2))
        npy(self.labels, [1, 0, 1], "<i4", "i")

    def text(self, name):
        return (self.out / name).read_text()

    def test_tensor_for_the_page_alone(self):
        npy(self.path("s.npy"), [0, 255] * 6, "|u1", "B", shape=(3, 2, 2))
        self.path("m.tsv").write_text("a\tb\nx\t1\ny\t2\nz\t3\n")
        self.accepted("export", "--format", "projector", self.x, "--labels", self.labels, "--metadata",
                      self.path("m.tsv"), "--sprite", self.path("s.npy"), "--out", self.out)
        self.assertEqual(self.text("x.npy-tensor.tsv"), "0\t1\n2\t3\n4\t5\n")
        self.assertEqual(self.text("x.npy-metadata.tsv"), "class\ta\tb\n1\tx\t1\n0\ty\t2\n1\tz\t3\n")
        self.assertEqual(png_size(self.out / "x.npy-sprite.png"), (4, 4))
        config = json.loads(self.text("projector_config.json"))["embeddings"][0]
        self.assertEqual((config["tensorName"], config["tensorShape"]), ("x.npy", [3, 2]))
        self.assertEqual(config["sprite"], {"imagePath": "x.npy-sprite.png", "singleImageDim": [2, 2]})
        self.accepted("export", "--format", "projector", self.x, "--bytes", "--out", self.out)
        self.assertEqual((self.out / "x.npy-tensor.bytes").read_bytes(), struct.pack("<6f", *range(6)))

    def test_tensor_for_tensorboard(self):
        said = self.accepted("export", "--format", "tensorboard", self.x, "--labels", self.labels, "--out", self.out)
        self.assertEqual(said, "")
        self.assertIn('tensor_path: "x.npy-tensor.tsv"', self.text("projector_config.pbtxt"))
        self.assertEqual(self.text("x.npy-metadata.tsv"), "1\n0\n1\n")
        self.accepted("events", "check", self.out)

    def run_directory(self):
        """A run as DirectorySink leaves it, of two epochs of an embedding, a scalar, a histogram and a picture."""
        run = self.path("run")
        (run / "fc1").mkdir(parents=True)
        listed = []

        def artifact(kind, step, parts, picture=None):
            name = f"fc1/{kind}-{step:06}.json"
            files = [name] + ([f"fc1/{picture}"] if picture else [])
            (run / name).write_text(json.dumps({"format": "layerscope-artifact", "version": 1, "kind": kind,
                                                "name": "fc1", "step": step, "attributes": [], "parts": parts,
                                                "picture": picture}))
            listed.append({"name": "fc1", "kind": kind, "step": step, "files": files})

        def array(dtype, shape, data):
            return {"dtype": dtype, "shape": shape, "data": data}

        for step in (1, 0):
            artifact("embedding", step, [{
                "type": "points", "name": "points", "coordinates": array("float32", [2, 2], [step, 0.5, 3, -1e-3]),
                "labels": array("int64", [2], [0, 1]), "class_names": ["a", "b\tc"], "ids": array("int64", [2], [4, 7])}])
        artifact("scalar", 1, [{"type": "series", "name": "value", "series": "fc1", "x": array("float64", [2], [0, 1]),
                                "y": array("float64", [2], [0.25, "NaN"])}])
        npy(run / "fc1/h.npy", [3, 4], "<u8", "Q")
        artifact("histogram", 1, [{"type": "histogram", "name": "h", "edges": array("float64", [3], [0, 1, 2]),
                                   "counts": {"dtype": "uint64", "shape": [2], "file": "h.npy"}}])
        self.accepted("heatmap", self.x, "--out", run / "fc1/p.png")
        artifact("heatmap", 1, [], "p.png")
        (run / "manifest.json").write_text(json.dumps({"format": "layerscope-run", "version": 1, "artifacts": listed}))
        return run

    def test_run_for_the_page_alone(self):
        self.accepted("export", "--format", "projector", self.run_directory(), "--out", self.out)
        self.assertEqual(self.text("fc1-metadata.tsv"), "class\tid\na\t4\nb\\tc\t7\n")
        states = json.loads(self.text("fc1-bookmarks.json"))
        self.assertEqual([state["label"] for state in states], ["step 0", "step 1"])
        self.assertEqual(states[1]["projections"], [{"umap-0": 1, "umap-1": 0.5}, {"umap-0": 3, "umap-1": -0.001}])

    def test_run_for_tensorboard(self):
        self.accepted("export", "--format", "tensorboard", self.run_directory(), "--out", self.out)
        self.accepted("events", "check", self.out)
        listed = self.accepted("events", "list", self.out)
        for tag in ("fc1", "histogram/fc1", "heatmap/fc1"):
            self.assertIn(tag, listed)
        self.assertIn("step 1", (self.out / "embeddings/fc1/fc1-bookmarks.json").read_text())

    def test_refusals(self):
        run = self.run_directory()
        self.refused("export", self.x, "--out", self.out)
        self.refused("export", "--format", "excel", self.x, "--out", self.out, saying="excel")
        self.refused("export", "--format", "projector", self.path("no.npy"), "--out", self.out, saying="no.npy")
        self.refused("export", "--format", "tensorboard", self.x, "--bytes", "--out", self.out, saying="--bytes")
        self.refused("export", "--format", "projector", self.x, self.x, "--labels", self.labels, "--out", self.out,
                     saying="2 given")
        self.refused("export", "--format", "projector", run, "--labels", self.labels, "--out", self.out,
                     saying="belong to a tensor")
        self.path("m.tsv").write_text("a\nb\n")
        self.refused("export", "--format", "projector", self.x, "--metadata", self.path("m.tsv"), "--out", self.out,
                     saying="2 cells; expected 3")
        self.path("m.tsv").write_text("a\tb\nc\n")
        self.refused("export", "--format", "projector", self.x, "--metadata", self.path("m.tsv"), "--out", self.out,
                     saying="row 1 has 1 cells; expected 2")
        npy(self.labels, [float("nan")] * 6, shape=(3, 2))
        self.refused("export", "--format", "projector", self.labels, "--out", self.out, saying="row 0, column 0 is nan")
        for broken, saying in (("{}", "format"), ("{", "manifest.json"),
                               ('{"format": "layerscope-run", "artifacts": [{"step": 0, "files": ["../x.json"]}]}', "../x")):
            (run / "manifest.json").write_text(broken)
            self.refused("export", "--format", "tensorboard", run, "--out", self.out, saying=saying)


class RealFiles(Case):
    def setUp(self):
        super().setUp()
        if DATA == Path() or not (DATA / "mnist").is_dir():
            self.skipTest("no data directory")
        self.images = DATA / "mnist/t10k-images-idx3-ubyte.gz"
        self.weights = DATA / "burn_mnist/mnist.safetensors"

    def tensor_names(self):
        data = self.weights.read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        return {k: v["shape"] for k, v in json.loads(data[8 : 8 + length]).items() if k != "__metadata__"}

    def test_mnist(self):
        found = json.loads(self.accepted("stats", self.images))
        self.assertEqual(found["shape"], [10000, 28, 28])
        pixels = gzip.decompress(self.images.read_bytes())[16:]
        counts = [0] * 256
        for value in pixels:
            counts[value] += 1
        mean = sum(value * count for value, count in enumerate(counts)) / len(pixels)
        self.assertAlmostEqual(found["mean"], mean, places=10)
        self.assertEqual(found["zeros"], counts[0])

    def test_mnist_embedding(self):
        png, report = self.path("p.png"), self.path("r.json")
        labels = DATA / "mnist/t10k-labels-idx1-ubyte.gz"
        self.accepted("embed", self.images, "--labels", labels, "--png", png, "--report", report)
        png_size(png)
        found = json.loads(report.read_text())
        self.assertEqual((found["n"], found["d"]), (10000, 784))
        # numpy.linalg.eigvalsh(numpy.cov(rows.T)) in float64: the two largest over the sum.
        for ours, theirs in zip(found["explained_variance_ratio"], NUMPY_RATIO):
            self.assertAlmostEqual(ours, theirs, places=6)

    def test_glove(self):
        out = self.path("y.npy")
        self.accepted("embed", DATA / "glove/glove_twitter_25d_f32.npy", "--dims", "3", "--out", out)
        self.assertEqual(read_npy(out)[0], (11925, 3))

    def test_safetensors(self):
        shapes = self.tensor_names()
        kernel = next(name for name, shape in shapes.items() if len(shape) == 4)
        out = self.path("w.png")
        self.accepted("heatmap", f"{self.weights}:{kernel}", "--layout", "OIHW", "--out", out)
        png_size(out)
        self.refused("heatmap", f"{self.weights}:{kernel}", "--layout", "OI", "--out", out)
        found = json.loads(self.accepted("stats", f"{self.weights}:{kernel}"))
        self.assertEqual(found["shape"], shapes[kernel])
        self.refused("stats", f"{self.weights}:no.such.tensor", saying="no.such.tensor")


NUMPY_RATIO = (0.10047663, 0.07544487)

if __name__ == "__main__":
    TOOL = sys.argv[1]
    DATA = Path(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else Path()
    unittest.main(argv=sys.argv[:1])
