"""Runs the example torch_mnist with and without snapshots and checks what it prints and what it leaves behind.

usage: torch_mnist_check.py <torch_mnist> <directory of the MNIST files>
"""
import json
import math
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

from run_files import check_png, read_array

PROGRAM, DATA = map(os.path.abspath, sys.argv[1:3])
SMALL = ["--data", DATA, "--epochs", "1", "--limit", "3000"]


def run(*arguments, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], text=True, capture_output=True, timeout=600, **options)


def trained(*arguments):
    """The JSON object of the last line."""
    result = run(*SMALL, *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("\n") == 10 and "\r" not in result.stderr, "one plain line per tenth: " + result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def check_overview(parts, folder):
    """The picture of all layers holds what other artifacts of the run tell."""
    columns = {column["name"]: column for column in parts["layers"]["columns"]}
    assert columns["layer"]["texts"] == ["conv1", "conv2", "fc1", "fc2"], columns
    _, steps = read_array(parts["steps"], folder)
    assert steps == [0, 1], steps
    for measure in ("output mean", "output spread", "dead units", "gradient norm", "weight norm", "weight change"):
        shape, numbers = read_array(parts[measure], folder)
        _, recorded = read_array(parts[measure + " recorded"], folder)
        assert shape == [4, 2] and all(map(math.isfinite, numbers)), measure
        expected = [not (step == 0 and measure in ("gradient norm", "weight change") or
                         layer == "fc2" and measure in ("output mean", "output spread", "dead units"))
                    for layer in columns["layer"]["texts"] for step in steps]
        assert list(map(bool, recorded)) == expected, (measure, recorded)
    return columns["marks"]["texts"]


def check_numbers(artifact, folder):
    """The range equals that of the numbers beside it, and these are as many as they have to be."""
    parts = {part["name"]: part for part in artifact["parts"]}
    if artifact["kind"] == "overview":
        return check_overview(parts, folder)
    if artifact["kind"] == "histogram_timeline":
        (steps, bins), counts = read_array(parts["counts"], folder)
        _, edges = read_array(parts["edges"], folder)
        assert len(edges) == bins + 1 and edges == sorted(edges), artifact["name"]
        columns = {column["name"]: read_array(column["numbers"], folder)[1] for column in parts["steps"]["columns"]}
        for step in range(steps):
            everywhere = sum(counts[step * bins:(step + 1) * bins]) + columns["below"][step] + columns["above"][step]
            assert everywhere == PARAMETERS[artifact["name"]], (artifact["name"], step)
        return
    what = f"{artifact['kind']} of {artifact['name']} at {artifact['step']}"
    lowest, highest = artifact["range"]["min"], artifact["range"]["max"]
    if artifact["kind"] in ("activations", "filters"):
        tensors = [part for part in parts.values() if part["type"] == "tensor"]
        _, numbers = read_array(tensors[0], folder)
        assert (min(numbers), max(numbers)) == (lowest, highest), what
    elif artifact["kind"] in ("histogram", "gradients"):
        histogram = next(part for part in parts.values() if part["type"] == "histogram")
        _, edges = read_array(histogram["edges"], folder)
        _, counts = read_array(histogram["counts"], folder)
        assert len(edges) == len(counts) + 1 and edges == sorted(edges), what
        assert edges[0] <= lowest and highest <= edges[-1], what
        assert sum(counts) == PARAMETERS[artifact["name"]], what
    elif artifact["kind"] == "statistics":
        count = next(fact["value"] for fact in artifact["attributes"] if fact["name"] == "count")
        assert count == TEST_DIGITS * OUTPUTS[artifact["name"]], what
    elif artifact["kind"] == "scalar":
        series = next(part for part in parts.values() if part["type"] == "series")
        _, y = read_array(series["y"], folder)
        assert (min(y), max(y)) == (lowest, highest), what
    elif artifact["kind"] == "embedding":
        points = next(part for part in parts.values() if part["type"] == "points")
        shape, coordinates = read_array(points["coordinates"], folder)
        _, labels = read_array(points["labels"], folder)
        assert shape == [2000, 2] and all(map(math.isfinite, coordinates)), what
        assert sorted(set(labels)) == list(range(10)), what
    else:
        raise AssertionError(f"{what}: unexpected kind")


PARAMETERS = {"conv1/weight": 8 * 25, "conv1/bias": 8, "conv2/weight": 16 * 8 * 25, "conv2/bias": 16,
              "fc1/weight": 128 * 256, "fc1/bias": 128, "fc2/weight": 10 * 128, "fc2/bias": 10}
OUTPUTS = {"conv1": 8 * 24 * 24, "conv2": 16 * 8 * 8, "fc1": 128}  # numbers of one digit
TEST_DIGITS = 2000
EXPECTED = ({(kind, name) for kind in ("histogram", "histogram_timeline", "gradients") for name in PARAMETERS} |
            {("statistics", name) for name in OUTPUTS} | {("overview", "layers")} |
            {("filters", name) for name in PARAMETERS if name.endswith("weight")} |
            {("activations", name) for name in ("conv1", "conv2", "fc1")} |
            {("embedding", "fc1"), ("scalar", "test/accuracy"), ("scalar", "test/loss")})


def check_run(directory, result):
    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["counts"]["failed"] == 0 and manifest["failures"] == [], manifest["failures"]
    assert manifest["counts"]["written"] == result["written"]
    found = {}
    listed = {directory / "manifest.json"}
    ranges = {}
    for entry in manifest["artifacts"]:
        found.setdefault((entry["kind"], entry["name"]), set()).add(entry["step"])
        files = [directory / file for file in entry["files"]]
        assert sum(file.stat().st_size for file in files) == entry["bytes"], entry
        listed.update(files)
        for file in files:
            if file.suffix == ".png":
                check_png(file)
        assert any(file.suffix == ".png" for file in files) != (entry["kind"] == "statistics"), f"picture: {entry}"
        described = next(file for file in files if file.suffix == ".json")
        artifact = json.loads(described.read_text())
        assert [artifact[key] for key in ("kind", "name", "step", "range")] == \
               [entry[key] for key in ("kind", "name", "step", "range")], entry
        assert artifact["picture_error"] is None
        check_numbers(artifact, described.parent)
        ranges[entry["kind"], entry["name"], entry["step"]] = entry["range"]
    assert set(found) == EXPECTED, set(found) ^ EXPECTED
    for key, steps in found.items():
        # A waiting embedding may give way to the newer one; what grows with the run is whole in its last artifact: a
        # scalar's series, a timeline, the overview. Before the first epoch there are no gradients.
        late = ("embedding", "scalar", "histogram_timeline", "overview", "gradients")
        assert steps == {0, 1} or key[0] in late and 1 in steps, (key, steps)
        assert key[0] != "gradients" or steps == {1}, (key, steps)
    for kind, name, step in ranges:
        if kind == "filters":
            # A dense layer may be shown in part, as it may have more rows than the recorder's cap.
            whole, shown = ranges["histogram", name, step], ranges[kind, name, step]
            assert whole["min"] <= shown["min"] and shown["max"] <= whole["max"], (name, step)
            assert name.startswith("fc") or whole == shown, (name, step, whole, shown)
    assert {path for path in directory.rglob("*") if path.is_file()} == listed, "files that the manifest does not list"


def check_refusals():
    with tempfile.TemporaryDirectory() as empty:
        for arguments, words in [([], "--data"), (["--data"], "value missing"), (["--data", empty + "/none"], "none"),
                                 (["--data", empty], "train-images"), (["--data", DATA, "--epochs", "0"], "--epochs"),
                                 (["--data", DATA, "--epochs", "three"], "three"), (["--colour"], "unknown option"),
                                 (["--data", DATA, "--learning-rate", "0"], "--learning-rate"),
                                 (["--data", DATA, "--limit", "-1"], "--limit"), (["--data", DATA, "--seed", ""], "--seed")]:
            result = run(*arguments, cwd=empty)
            assert result.returncode == 2, (arguments, result)
            assert result.stderr.count("\n") == 1 and words in result.stderr, (arguments, result.stderr)
            assert result.stdout == "" and os.listdir(empty) == [], (arguments, result.stdout)


def check_bar():
    """On a terminal the progress is one line that redraws itself."""
    reader, writer = pty.openpty()
    process = subprocess.Popen([PROGRAM, "--data", DATA, "--epochs", "1", "--limit", "640", "--no-snapshots"],
                               stderr=writer, stdout=subprocess.DEVNULL)
    os.close(writer)
    shown = b""
    try:
        while chunk := os.read(reader, 4096):
            shown += chunk
    except OSError:
        pass  # how Linux says that the other end was closed
    os.close(reader)
    assert process.wait() == 0
    assert shown.count(b"\r") > 5 and b"[=" in shown and b"\n" not in shown, shown


def check_failing(folder):
    """A learning rate a hundred times too high is marked in the overview; that of the example is not."""
    trained("--out", folder / "failing", "--learning-rate", "0.1")
    found = {}
    for name in ("first", "failing"):
        path = max((folder / name / "layers").glob("overview-*.json"))
        parts = {part["name"]: part for part in json.loads(path.read_text())["parts"]}
        found[name] = check_overview(parts, path.parent)
    assert found["first"] == [""] * 4, found
    assert any("dead" in words for words in found["failing"]), found


def main():
    check_refusals()
    check_bar()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        first = trained("--out", folder / "first")
        again = trained("--out", folder / "again")
        plain = trained("--out", folder / "plain", "--no-snapshots")
        other = trained("--seed", "2", "--no-snapshots")
        assert first["loss_bits"] == again["loss_bits"] == plain["loss_bits"] != other["loss_bits"]
        assert first["accuracy"] == again["accuracy"] == plain["accuracy"] > 0.6, first
        assert first["dropped"] <= 1 and first["failed"] == 0 and plain["written"] == 0, first
        assert 0 < first["library_share"] <= first["snapshot_share"] < 1, first
        assert not (folder / "plain").exists()
        check_failing(folder)
        for name, result in (("first", first), ("again", again)):
            check_run(folder / name, result)


main()
print("torch_mnist: as it should be")
