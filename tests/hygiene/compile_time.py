"""What a public header costs to include stays within its budget, or at most a third above it.

Budgets are seconds of processor time of `-O0 -fsyntax-only` on a file with one #include, compiled mode, on a machine where
ANCHOR takes ANCHOR_SECONDS. Each is held as a ratio to the anchor compiled in the same run, so that neither a slower
processor nor other work on the machine fails it. What is over is measured again, in turn with the anchor; noise only ever
adds time, so the shortest of each counts.

Usage: compile_time.py <project root> <compiler>
"""

import os
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import readme_snippets
from tree import Tree, public_headers, report

ANCHOR = "#include <array>\n#include <span>\n#include <string_view>\n#include <vector>\n"
ANCHOR_SECONDS = 0.17
TOLERANCE = 4 / 3
REPEATS = 4
UMBRELLA_BUDGET = 2.0

# The first prefix that matches.
BUDGETS = [
    ("layerscope/layerscope.hpp", UMBRELLA_BUDGET),
    ("layerscope/fwd.hpp", 0.6),
    ("layerscope/config.hpp", 0.6),
    ("layerscope/version.hpp", 0.6),
    ("layerscope/core/dtype.hpp", 0.6),
    ("layerscope/core/shape.hpp", 0.6),
    ("layerscope/core/tensor_view.hpp", 0.6),
    ("layerscope/core/adapter.hpp", 0.6),
    ("layerscope/core/", 1.0),
    ("layerscope/sinks/sink.hpp", 1.0),
    ("layerscope/adapters/std.hpp", 1.0),
    ("layerscope/", 1.2),
]

# A translation unit: what a report calls it, its text, what the compiler does with it, and the seconds it may take.
Unit = namedtuple("Unit", "name text action budget")
SYNTAX = ("-fsyntax-only",)
OBJECT = ("-c", "-o", os.devnull)


def units(tree):
    """One unit a public header, and the README's first program as the use of the umbrella."""
    for header in public_headers(tree):
        budget = next(budget for prefix, budget in BUDGETS if header.startswith(prefix))
        yield Unit(header, f"#include <{header}>\n", SYNTAX, budget)
    readme = tree.root / "README.md"
    if readme.is_file():
        _, program = next(readme_snippets.snippets(readme.read_text(encoding="utf-8")))
        yield Unit("the README's first program, to an object file", program, OBJECT, UMBRELLA_BUDGET)


def base_command(tree, compiler):
    return [compiler, "-std=c++20", "-O0", f"-I{tree.include_dir}"]


def processor_seconds(command, text):
    """User and system time of one run of the compiler on this text."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "unit.cpp"
        source.write_text(text, encoding="utf-8")
        process = subprocess.Popen([*command, str(source)])
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"does not compile:\n{text}")
        return usage.ru_utime + usage.ru_stime


def problems_of(tree, compiler, seconds=processor_seconds):
    compiled = [*base_command(tree, compiler), "-DLAYERSCOPE_COMPILED"]

    def anchor():
        return seconds([*compiled, *SYNTAX], ANCHOR)

    first_anchor = min(anchor() for _ in range(5))
    problems = []
    for unit in units(tree):
        limit = unit.budget / ANCHOR_SECONDS * TOLERANCE
        command = [*compiled, *unit.action]
        if seconds(command, unit.text) <= limit * first_anchor:
            continue
        pairs = [(seconds(command, unit.text), anchor()) for _ in range(REPEATS)]
        ratio = min(pair[0] for pair in pairs) / min(pair[1] for pair in pairs)
        if ratio > limit:
            problems.append(
                f"{unit.name}: costs {ratio:.1f} times the anchor; expected at most {limit:.1f}, which is its budget of "
                f"{unit.budget} s and a third"
            )
    return problems


if __name__ == "__main__":
    checked = Tree(sys.argv[1])
    report("compile_time", problems_of(checked, sys.argv[2]), len(list(units(checked))))
