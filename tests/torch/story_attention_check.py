"""Runs the example story_attention and checks the story, the attention it writes and the pictures of its steps.

usage: story_attention_check.py <story_attention> <directory of stories260K>
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from run_files import check_png, read_npy

PROGRAM, DATA = map(os.path.abspath, sys.argv[1:3])
TOKENS = 34  # a few more than the golden arrays have


def run(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], text=True, capture_output=True, timeout=600)


def published():
    """The story of temperature 0 in the description of the network."""
    text = (Path(DATA) / "stories260K.md").read_text(encoding="utf-8")
    return text.split("-t 0.0\n", 1)[1].split("\n```", 1)[0]


def check_refusals():
    for arguments, words in (
        ([], "--data: missing"),
        (["--data", DATA, "--tokens", "1"], "--tokens: 1 given; expected a whole number from 2 to 512"),
        (["--data", DATA, "--help"], "--help: unknown option"),
        (["--data", "/nowhere"], "/nowhere/stories260K.safetensors"),
    ):
        result = run(*arguments)
        assert result.returncode == 2 and words in result.stderr, (arguments, result)


def check_attention(folder, tokens):
    """The first 32 tokens as the golden arrays have them; rows sum to 1, and no token looks ahead."""
    _, golden = read_npy(Path(DATA) / "golden_attn_first32.npy")
    for layer in range(5):
        shape, weights = read_npy(folder / f"attention_layer{layer}.npy")
        assert shape == [8, tokens, tokens], shape
        worst = 0
        for head in range(8):
            for query in range(tokens):
                start = (head * tokens + query) * tokens
                row = weights[start:start + tokens]
                assert abs(sum(row) - 1) < 1e-5 and not any(row[query + 1:]), (layer, head, query)
                if query < 32:
                    start = ((layer * 8 + head) * 32 + query) * 32
                    expected = golden[start:start + 32]
                    worst = max(worst, max(abs(a - b) for a, b in zip(row, expected)))
        assert worst <= 1e-4, (layer, worst)


def check_run(folder, tokens):
    """Every step of every layer is there with its tokens, and every picture is whole."""
    pictures = list(folder.rglob("*.png"))
    # A picture a step and layer; the whole story a layer; a timeline each; three of all layers.
    assert len(pictures) == 5 * tokens + 5 + 10 + 3, len(pictures)
    for path in pictures[::7]:
        check_png(path)
    artifacts = [json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob("*.json")]
    pieces = json.loads((Path(DATA) / "golden_first32.json").read_text(encoding="utf-8"))["pieces"]
    pieces[0] = "<s>"
    seen = set()
    for artifact in artifacts:
        if artifact.get("kind") != "attention" or artifact["name"].startswith("story/"):
            continue
        assert not artifact["warnings"], artifact["warnings"]
        parts = {part["name"]: part for part in artifact["parts"]}
        keys = parts["key tokens"]["columns"][0]["texts"]
        assert keys[:32] == pieces[:len(keys)], keys
        assert parts["query tokens"]["columns"][0]["texts"] == keys[-1:], keys
        assert len(keys) == artifact["step"] + 1
        seen.add((artifact["name"], artifact["step"]))
    assert seen == {(f"layer{i}", step) for i in range(5) for step in range(tokens)}, len(seen)


def main():
    check_refusals()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        result = run("--data", DATA, "--tokens", TOKENS, "--out", folder / "short")
        assert result.returncode == 0, result.stderr
        *story, last = result.stdout.splitlines()
        story = "\n".join(story)
        assert len(story) > 60 and published().startswith(story), story
        counts = json.loads(last)
        assert counts["tokens"] == TOKENS and counts["dropped"] == counts["failed"] == 0, counts
        check_attention(folder / "short", TOKENS)
        check_run(folder / "short", TOKENS)


main()
print("story_attention: as it should be")
