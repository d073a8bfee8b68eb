"""A run as its directory has it, as TensorBoard's reader has it and as its server has it, all in one form:

(plugin, tag) -> step -> a number, the rows of a histogram, a list of pictures as arrays, or words.
"""

import html
import io
import json
import urllib.parse
from pathlib import Path

import numpy as np
from PIL import Image


class Latest(dict):
    """Steps of which the directory keeps the last, and TensorBoard all."""


def pixels(source):
    return np.array(Image.open(source).convert("RGB"))


def array(value, folder):
    """An array of numbers in the JSON of an artifact."""
    if "file" in value:
        return np.load(folder / value["file"])
    names = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}
    data = [names.get(number, number) if isinstance(number, str) else number for number in value["data"]]
    return np.array(data, value["dtype"]).reshape(value["shape"])


def artifacts(directory):
    """The JSON of each artifact, with its folder."""
    for entry in json.loads((directory / "manifest.json").read_text())["artifacts"]:
        path = directory / next(file for file in entry["files"] if file.endswith(".json"))
        yield json.loads(path.read_text()), path.parent


def run_expected(directory):
    """What a run directory makes TensorBoard show."""
    run = {}

    def put(plugin, tag, step, value):
        run.setdefault((plugin, tag), Latest() if kind == "overview" else {})[step] = value

    for artifact, folder in artifacts(directory):
        kind, name, step = artifact["kind"], artifact["name"], artifact["step"]
        tag = f"{kind}/{name}"
        if kind == "histogram_timeline":
            continue  # TensorBoard makes its own of the histograms
        if kind == "scalar":
            line = artifact["parts"][0]
            for x, y in zip(array(line["x"], folder), array(line["y"], folder), strict=True):
                put("scalars", name, int(x), float(np.float32(y)))
            continue
        shown = any(part["type"] == "histogram" for part in artifact["parts"])
        taken = shown or bool(artifact["picture"])  # the tag without a part's name

        def words(part, value):
            nonlocal taken
            put("text", f"{tag}/{part['name']}" if taken else tag, step, value)
            taken = True

        for part in artifact["parts"]:
            if part["type"] == "histogram":
                edges, counts = array(part["edges"], folder), array(part["counts"], folder)
                put("histograms", tag, step, np.stack([edges[:-1], edges[1:], counts], 1).astype(float))
            if part["type"] == "text":
                words(part, part["text"])
            if part["type"] == "table":  # in Markdown; the cells of the first column are names or whole numbers
                first = part["columns"][0]
                words(part, first["texts"] if "texts" in first else
                      [str(int(number)) for number in array(first["numbers"], folder)])
        if artifact["picture"] and not shown:
            put("images", tag, step, [pixels(folder / artifact["picture"])])
        if not artifact["picture"] and all(part["type"] == "table" for part in artifact["parts"]):
            for fact in artifact["attributes"]:
                if not isinstance(fact["value"], str):
                    put("scalars", f"{tag}/{fact['name']}", step, float(np.float32(fact["value"])))
        for part in artifact["parts"]:
            if part["type"] == "image" and not artifact["picture"]:
                put("images", tag, step, [pixels(folder / part["file"])])
    return run


def embeddings_of(directory):
    """Name -> step -> coordinates, classes and ids as the projector shows them."""
    found = {}
    for artifact, folder in artifacts(directory):
        for part in artifact["parts"]:
            if part["type"] != "points":
                continue
            names = part["class_names"]
            labels = [names[label] if label < len(names) else str(label) for label in array(part["labels"], folder)]
            ids = [str(id) for id in array(part["ids"], folder)]
            found.setdefault(artifact["name"], {})[artifact["step"]] = array(part["coordinates"], folder), labels, ids
    return {name: dict(sorted(steps.items())) for name, steps in found.items()}


def read_by_tensorboard(directory):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    events = EventAccumulator(str(directory), size_guidance={"tensors": 0, "scalars": 0, "images": 0, "histograms": 0})
    events.Reload()
    run = {}
    for tag in events.Tags()["tensors"]:
        plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
        for event in events.Tensors(tag):
            value = tensor_util.make_ndarray(event.tensor_proto)
            if plugin == "scalars":
                value = float(value)
            elif plugin == "text":
                value = value.reshape(-1)[0].decode()
            elif plugin == "images":
                stated = int(value[0]), int(value[1])
                value = [pixels(io.BytesIO(png)) for png in value[2:]]
                if stated != value[0].shape[1::-1]:
                    raise AssertionError(f"{tag}: states {stated}, is {value[0].shape}")
            run.setdefault((plugin, tag), {})[event.step] = value
    for tag in events.Tags()["scalars"]:
        run[("scalars", tag)] = {event.step: event.value for event in events.Scalars(tag)}
    return run


def read_by_server(board, name):
    run = {}
    for tag in board.plugin("scalars/tags").get(name, {}):
        values = board.plugin("scalars/scalars", run=name, tag=tag)
        run[("scalars", tag)] = {step: float(value) for _, step, value in values}  # "NaN" is a string
    for tag in board.plugin("histograms/tags").get(name, {}):
        values = board.plugin("histograms/histograms", run=name, tag=tag)
        run[("histograms", tag)] = {step: np.array(rows) for _, step, rows in values}
    for tag, info in board.plugin("images/tags").get(name, {}).items():
        for sample in range(info["samples"]):
            for value in board.plugin("images/images", run=name, tag=tag, sample=sample):
                shown = pixels(io.BytesIO(board.get("/data/plugin/images/individualImage?" + value["query"])))
                run.setdefault(("images", tag), {}).setdefault(value["step"], []).append(shown)
    for tag in board.plugin("text/tags").get(name, []):
        values = board.plugin("text/text", run=name, tag=tag)
        run[("text", tag)] = {value["step"]: value["text"] for value in values}
    return run


def same(plugin, found, expected):
    if plugin == "scalars":
        return found == expected or (np.isnan(found) and np.isnan(expected))
    if plugin == "histograms":
        return found.shape == expected.shape and bool((found == expected).all())
    if plugin == "images":
        return len(found) == len(expected) and all(
            a.shape == b.shape and bool((a == b).all()) for a, b in zip(found, expected))
    if isinstance(expected, list):
        return len(expected) > 0 and all(cell in html.unescape(found) for cell in expected)
    if found.startswith("<"):  # the server makes HTML of Markdown
        return found == f"<p>{expected.replace('**', '<strong>', 1).replace('**', '</strong>', 1)}</p>"
    return found == expected


def run_differences(found, expected):
    """What is wrong, in words; one line for each tag."""
    problems = [f"missing: {key}" for key in expected.keys() - found.keys()]
    problems += [f"not expected: {key}" for key in found.keys() - expected.keys()]
    for key in expected.keys() & found.keys():
        last = isinstance(expected[key], Latest)
        if [step for step in found[key] if not last or step in expected[key]] != sorted(expected[key]):
            problems.append(f"{key}: steps {list(found[key])}, expected {sorted(expected[key])}")
            continue
        wrong = [step for step in expected[key] if not same(key[0], found[key][step], expected[key][step])]
        if wrong:
            problems.append(f"{key}: wrong at steps {wrong}")
    return problems
