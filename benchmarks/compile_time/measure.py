#!/usr/bin/env python3
"""What each public header costs to include, as a table in docs/performance/compile_time.md.

    python3 benchmarks/compile_time/measure.py [--compiler g++] [--repeats 5] [--flags "-isystem /usr/include/stb ..."]

A translation unit with one #include is run through the compiler with -O0 -fsyntax-only; the figure is the processor time
(user and system), the median of the repeats; header-only, which takes far longer, once. Exits 1 when a header is over its
budget on the machine that budgets are for: tests/hygiene/compile_time.py states both.
"""

import argparse
import platform
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "hygiene"))

import compile_time  # noqa: E402
from tree import Tree  # noqa: E402

# Not ours: what the table is to be read beside.
OTHERS = {
    "`<memory>`": "#include <memory>\n",
    "`<functional>`": "#include <functional>\n",
    "`<stop_token>`": "#include <stop_token>\n",
    "`<Eigen/Core>`": "#include <Eigen/Core>\n",
    "`<nlohmann/json.hpp>`": "#include <nlohmann/json.hpp>\n",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--flags", default="-isystem /usr/include/eigen3 -isystem /usr/include/stb")
    parser.add_argument("--output", default=str(ROOT / "docs" / "performance" / "compile_time.md"))
    arguments = parser.parse_args()

    tree = Tree(ROOT)
    header_only = [*compile_time.base_command(tree, arguments.compiler), *shlex.split(arguments.flags)]
    compiled = [*header_only, "-DLAYERSCOPE_COMPILED"]
    units = list(compile_time.units(tree))
    measured = [(unit.name, unit.text, unit.action) for unit in units]
    measured += [(name, text, compile_time.SYNTAX) for name, text in OTHERS.items()]

    # In turn rather than in blocks, so that a slow minute of the machine touches all alike; the anchor more often, as
    # everything is divided by it.
    samples = {name: [] for name, _, _ in measured}
    anchors = []
    for _ in range(arguments.repeats):
        for number, (name, text, action) in enumerate(measured):
            if number % 8 == 0:
                anchors.append(compile_time.processor_seconds([*compiled, *compile_time.SYNTAX], compile_time.ANCHOR))
            samples[name].append(compile_time.processor_seconds([*compiled, *action], text))
    median = {name: statistics.median(values) for name, values in samples.items()}
    anchor = statistics.median(anchors)

    over = []
    rows = []
    for unit in units:
        scaled = median[unit.name] / anchor * compile_time.ANCHOR_SECONDS
        if scaled > unit.budget:
            over.append(unit.name)
        bold = "**" if scaled > unit.budget else ""
        whole = compile_time.processor_seconds([*header_only, *unit.action], unit.text)
        name = f"`{unit.name}`" if unit.name.startswith("layerscope/") else unit.name
        rows.append(f"| {name} | {median[unit.name]:.2f} | {bold}{scaled:.2f}{bold} | {unit.budget:.1f} | {whole:.1f} |")
    others = [f"| {name} | {median[name]:.2f} | {median[name] / anchor * compile_time.ANCHOR_SECONDS:.2f} | | |" for name in OTHERS]

    version = subprocess.run([arguments.compiler, "--version"], capture_output=True, text=True, check=True)
    text = f"""# What a header costs to include

Seconds of processor time of `-O0 -fsyntax-only` on a file with one `#include`, median of {arguments.repeats}, with
{version.stdout.splitlines()[0]} on {platform.machine()}. Written by

    python3 benchmarks/compile_time/measure.py

Budgets hold for the compiled mode (`layerscope::compiled`), which is what a large project wants: types and views 0.6 s,
other headers of core 1.0 s, the umbrella and a program that uses it 2 s, the rest 1.2 s. They are meant for a machine on
which `<span>`, `<vector>`, `<array>` and `<string_view>` together take {compile_time.ANCHOR_SECONDS} s; on this one they took {anchor:.2f} s, and the
third column is scaled by that. The test `hygiene/compile_time` holds the same ratios, and fails a header that exceeds its
budget by a third. Header-only adds the bodies, with Eigen, nlohmann/json and stb behind them, measured once.

| header | compiled | scaled | budget | header-only |
|---|---|---|---|---|
""" + "\n".join(rows + others) + "\n"
    output = Path(arguments.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    print(text)
    for name in over:
        print(f"over its budget: {name}", file=sys.stderr)
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
