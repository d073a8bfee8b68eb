"""layerscope's TensorBoard beside tensorboardX's SummaryWriter: scalars a second, in turn within one run.

    python3 tensorboard.py <tensorboard_bench program> [rounds]

Makes a virtual environment with tensorboardX and TensorBoard at pinned versions in a temporary folder. Both write the
same scalars to fresh directories of one file system; the time is that from opening to closing. What layerscope wrote is
then read by TensorBoard's own reader.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import venv

PINNED = ["tensorboardX==2.6.2.2", "tensorboard==2.19.0", "numpy==1.26.4", "setuptools==69.5.1"]
COUNT = {"layerscope": 1_000_000, "tensorboardX": 50_000}

WRITE = """
import sys, time
from tensorboardX import SummaryWriter
begin = time.perf_counter()
writer = SummaryWriter(sys.argv[1])
for step in range(int(sys.argv[2])):
    writer.add_scalar("train/loss", 1 / (1 + step), step)
writer.close()
print(time.perf_counter() - begin)
"""

READ = """
import glob, sys
import numpy as np
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
values = [(e.step, v.simple_value) for path in sorted(glob.glob(sys.argv[1] + "/*tfevents*"))
          for e in LegacyEventFileLoader(path).Load() for v in e.summary.value]
expected = [(step, float(np.float32(1 / (1 + step)))) for step in range(int(sys.argv[2]))]
assert values == expected, "TensorBoard read something else"
print(len(values))
"""


def output_of(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


program = sys.argv[1]
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    output_of(python, "-m", "pip", "install", "--quiet", *PINNED)
    rates = {"layerscope": [], "tensorboardX": []}
    ratios = []
    for index in range(rounds + 1):
        ours = float(output_of(program, folder / f"ours{index}", "--scalars", COUNT["layerscope"]))
        theirs = float(output_of(python, "-c", WRITE, folder / f"theirs{index}", COUNT["tensorboardX"]))
        if index == 0:  # the first warms both up
            continue
        rates["layerscope"].append(COUNT["layerscope"] / ours)
        rates["tensorboardX"].append(COUNT["tensorboardX"] / theirs)
        ratios.append(rates["layerscope"][-1] / rates["tensorboardX"][-1])
    output_of(program, folder / "read", "--scalars", 20_000)
    read = output_of(python, "-c", READ, folder / "read", 20_000).strip()
    ratio = statistics.median(ratios)
    for who, each in rates.items():
        print(f"{who}: {statistics.median(each):,.0f} scalars a second")
    print(f"ratio {ratio:.1f} ({min(ratios):.1f} to {max(ratios):.1f}), wanted 10: {'met' if ratio >= 10 else 'NOT met'}")
    print(f"TensorBoard's reader agrees on {read} scalars")
