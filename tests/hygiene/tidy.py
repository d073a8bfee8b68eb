"""clang-tidy has nothing to say about our own code, by the checks of .clang-tidy: every source of the compiled library, and
with them every body in impl/, and two programs that use it.

Usage: tidy.py <project root> <build folder with compile_commands.json> <clang-tidy>
"""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tree import report

USERS = ["examples/custom_sink.cpp", "examples/layerscope.cpp"]
FINDING = re.compile(r"^(?:.*: )?(?:error|warning): .*")


def units(root, build):
    """The files to check, those that take longest first."""
    database = json.loads((Path(build) / "compile_commands.json").read_text(encoding="utf-8"))
    known = {Path(entry["directory"], entry["file"]).resolve() for entry in database}
    wanted = [(Path(root) / user).resolve() for user in reversed(USERS)]
    wanted += sorted(path.resolve() for path in (Path(root) / "src").glob("*.cpp"))
    return [path for path in wanted if path in known]


def findings_of(path, build, clang_tidy):
    # g++'s flags are in the compile commands; clang need not know them all.
    command = [clang_tidy, "--quiet", "-p", str(build), "--extra-arg=-Wno-unknown-warning-option", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if FINDING.match(line)]
    if done.returncode != 0 and not found:
        found.append(f"{path}: clang-tidy ended with {done.returncode}: {done.stderr.strip()}")
    return found


def problems_of(root, build, clang_tidy):
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda path: findings_of(path, build, clang_tidy), units(root, build))
    # A header is seen from several units.
    return sorted({line for lines in found for line in lines})


if __name__ == "__main__":
    project, folder, program = sys.argv[1:4]
    report("tidy", problems_of(project, folder, program), len(units(project, folder)))
