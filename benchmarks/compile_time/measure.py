#!/usr/bin/env python3
"""What each public header costs to include, as a table in docs/performance/compile_time.md.

    python3 benchmarks/compile_time/measure.py [--compiler g++] [--repeats 3] [--flags "-isystem /usr/include/stb ..."]

A translation unit with one #include is run through the compiler with -O0 -fsyntax-only; the figure is the processor time
(user and system, which other work on the machine hardly moves), the median of the repeats. Exits 1 when a header is over
its budget.
"""

import argparse
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "hygiene"))

from tree import Tree, public_headers  # noqa: E402

# First pattern that matches: budget in seconds, compiled mode. Headers without one are listed for information.
BUDGETS = [
    ("layerscope/layerscope.hpp", 2.0),
    ("layerscope/fwd.hpp", 0.6),
    ("layerscope/config.hpp", 0.6),
    ("layerscope/version.hpp", 0.6),
    ("layerscope/core/dtype.hpp", 0.6),
    ("layerscope/core/shape.hpp", 0.6),
    ("layerscope/core/tensor_view.hpp", 0.6),
    ("layerscope/core/adapter.hpp", 0.6),
    ("layerscope/core/", 1.0),
    ("layerscope/sinks/sink.hpp", 1.0),
]


def seconds(command, header):
    """Processor time of one compilation of a file that includes `header` (nothing when empty)."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "unit.cpp"
        source.write_text(f"#include <{header}>\n" if header else "", encoding="utf-8")
        process = subprocess.Popen([*command, str(source)])
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"{header} does not compile")
        return usage.ru_utime + usage.ru_stime


def budget_of(header):
    return next((budget for prefix, budget in BUDGETS if header.startswith(prefix)), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--flags", default="-isystem /usr/include/eigen3 -isystem /usr/include/stb")
    parser.add_argument("--output", default=str(ROOT / "docs" / "performance" / "compile_time.md"))
    arguments = parser.parse_args()

    base = [arguments.compiler, "-std=c++20", "-O0", "-fsyntax-only", f"-I{ROOT / 'include'}", *shlex.split(arguments.flags)]
    modes = {"compiled": [*base, "-DLAYERSCOPE_COMPILED"], "header-only": base}
    headers = ["", *public_headers(Tree(ROOT))]
    # In turn rather than in blocks, so that a slow minute of the machine touches all alike.
    samples = {(header, mode): [] for header in headers for mode in modes}
    for _ in range(arguments.repeats):
        for header in headers:
            for mode, command in modes.items():
                samples[header, mode].append(seconds(command, header))
    median = {key: statistics.median(values) for key, values in samples.items()}

    over = []
    rows = []
    for header in headers:
        budget = budget_of(header)
        light = median[header, "compiled"]
        verdict = ""
        if budget is not None:
            verdict = f"{budget:.1f}" if light <= budget else f"**{budget:.1f}, exceeded**"
            if light > budget:
                over.append(header)
        name = f"`{header}`" if header else "(empty file)"
        rows.append(f"| {name} | {light:.2f} | {verdict} | {median[header, 'header-only']:.2f} |")

    version = subprocess.run([arguments.compiler, "--version"], capture_output=True, text=True, check=True)
    text = f"""# Compile time

What one `#include` costs: seconds of processor time of `-O0 -fsyntax-only`, median of {arguments.repeats}, with
{version.stdout.splitlines()[0]} on {platform.machine()}. Written by

    python3 benchmarks/compile_time/measure.py

Budgets hold for the compiled mode (`layerscope::compiled`), which is what a large project wants: types and views at most
0.6 s, other headers of core at most 1.0 s, the whole umbrella at most 2 s. Header-only adds the bodies, with Eigen,
nlohmann/json and stb behind them.

| header | compiled | budget | header-only |
|---|---|---|---|
""" + "\n".join(rows) + "\n"
    output = Path(arguments.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    print(text)
    for header in over:
        print(f"over its budget: {header}", file=sys.stderr)
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
