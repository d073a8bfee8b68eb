"""Runs the example uncertain_digits with and without snapshots and checks what it prints and what it leaves behind.

usage: uncertain_digits_check.py <uncertain_digits> <directory of the MNIST files>
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM, DATA = map(os.path.abspath, sys.argv[1:3])


def trained(*arguments):
    """The JSON object of the last line."""
    command = [PROGRAM, "--data", DATA, "--epochs", "2", "--limit", "2000", *map(str, arguments)]
    result = subprocess.run(command, text=True, capture_output=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


with tempfile.TemporaryDirectory() as folder:
    out = Path(folder, "run")
    recorded = trained("--out", out)
    plain = trained("--no-snapshots", "--out", Path(folder, "none"))
    assert recorded["loss_bits"] == plain["loss_bits"], (recorded, plain)
    assert recorded["accuracy"] > 0.8 and 0 <= recorded["ece"] < 0.3, recorded
    assert recorded["failed"] == 0, recorded
    assert not Path(folder, "none").exists()
    names = sorted(path.name for path in out.rglob("*.png"))
    for kind in ("calibration", "uncertainty"):
        found = [name for name in names if name.startswith(kind)]
        assert len(found) == 3, (kind, names)  # before the first epoch, and after both
print("uncertain_digits: the same loss bits, three diagrams and three tables")
