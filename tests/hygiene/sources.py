"""The compiled library is complete: every body with functions that are not inline there is part of exactly one source
file, and no source file has anything but includes.

Usage: sources.py <project root>
"""

import re
import sys

from tree import INCLUDE, Tree, report


def problems_of(tree):
    users = {}
    problems = []
    for source in sorted((tree.root / "src").glob("*.cpp")):
        text = source.read_text(encoding="utf-8")
        for line in re.sub(r"//.*", "", text).splitlines():
            if line.strip() and not INCLUDE.match(line):
                problems.append(f"src/{source.name}: '{line.strip()}'; expected includes only")
        for _, path in INCLUDE.findall(text):
            for header in tree.reachable(path, compiled=True):
                users.setdefault(header, set()).add(source.name)
    for body in bodies(tree):
        found = sorted(users.get(body, []))
        if len(found) != 1:
            problems.append(f"{body}: in {found or 'no source file'} of src/; expected exactly one")
    return problems


def bodies(tree):
    return [
        h
        for h in tree.headers()
        if h.endswith("_inl.hpp") and re.search(r"^(LAYERSCOPE_INLINE|#include LAYERSCOPE|.*for_each_level)", tree.text(h), re.M)
    ]


if __name__ == "__main__":
    checked = Tree(sys.argv[1])
    report("sources", problems_of(checked), len(bodies(checked)))
