"""Every C++ file is formatted as .clang-format says, by the version that the project settled on.

Usage: formatting.py <project root> <clang-format-14>
"""

import subprocess
import sys
from pathlib import Path

from text import files_of
from tree import report


def sources_of(root):
    return [p for p in files_of(root) if p.suffix in {".hpp", ".cpp"} and "generated" not in p.name]


def problems_of(root, clang_format):
    style = f"--style=file:{root / '.clang-format'}"
    command = [clang_format, style, "--dry-run", "-Werror", *map(str, sources_of(root))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    return [line for line in done.stderr.splitlines() if "error:" in line] or [done.stderr.strip()]


if __name__ == "__main__":
    checked = Path(sys.argv[1]).resolve()
    report("formatting", problems_of(checked, sys.argv[2]), len(sources_of(checked)))
