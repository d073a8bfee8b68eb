"""No heavy header behind the light ones: core/, fwd.hpp and sinks/sink.hpp, preprocessed in compiled mode, open none of
Eigen, nlohmann/json, stb, <thread>, <mutex>, <chrono>, <iostream>, <fstream> (and what else the table names).

Usage: leaks.py <project root> <compiler>
"""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tree import Tree, public_headers, report

# A whole header name below an include folder; <bits/chrono.h> and the like are parts of the light ones.
HEAVY = re.compile(
    r"/(Eigen/\w+|nlohmann/\S+|stb_\w+\.h|c\+\+/\d+/(thread|mutex|shared_mutex|condition_variable|chrono|iostream|fstream|sstream"
    r"|filesystem|regex|random|future)|(libdeflate|zlib)\.h|omp\.h)$"
)


def is_light(header):
    return header.startswith("layerscope/core/") or header in ("layerscope/fwd.hpp", "layerscope/sinks/sink.hpp")


def opened(tree, header, compiler, extra=()):
    """Every file that the preprocessor opens for `header` alone."""
    command = [compiler, "-std=c++20", "-DLAYERSCOPE_COMPILED", f"-I{tree.include_dir}", *extra, "-M", "-x", "c++", "-"]
    source = f"#include <{header}>\n"
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{header}: {done.stderr.strip()}")
    return done.stdout.replace("\\\n", " ").split()[1:]


def problems_of(tree, compiler, extra=()):
    light = [h for h in public_headers(tree) if is_light(h)]
    with ThreadPoolExecutor(2) as pool:
        files = list(pool.map(lambda h: opened(tree, h, compiler, extra), light))
    return [
        f"{header}: opens {Path(path).name} ({path})"
        for header, paths in zip(light, files)
        for path in paths
        if HEAVY.search(path)
    ]


if __name__ == "__main__":
    checked = Tree(sys.argv[1])
    report("leaks", problems_of(checked, sys.argv[2]), sum(map(is_light, public_headers(checked))))
