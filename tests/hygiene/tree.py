"""What the checks of this folder share: the headers, who includes whom, and how a check reports."""

import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
HEADER_ONLY_PART = re.compile(r"^#ifdef LAYERSCOPE_HEADER_ONLY$.*?^#endif$", re.MULTILINE | re.DOTALL)
HEADER_SUFFIXES = {".hpp", ".inc"}


class Tree:
    """A checkout, or a small made-up one in the tests of the checks."""

    def __init__(self, root):
        self.root = Path(root)
        self.include_dir = self.root / "include"

    def headers(self):
        """Paths as they are included: layerscope/core/shape.hpp."""
        return sorted(
            path.relative_to(self.include_dir).as_posix()
            for path in self.include_dir.rglob("*")
            if path.suffix in HEADER_SUFFIXES
        )

    def text(self, header):
        return (self.include_dir / header).read_text(encoding="utf-8")

    def includes(self, header):
        """(quote, path) of every #include, inactive branches too."""
        return INCLUDE.findall(self.text(header))

    def reachable(self, start, compiled=False):
        """Headers of ours that `start` includes, directly or not; itself too. In compiled mode a header does not
        include its body."""
        seen = set()
        waiting = [start]
        while waiting:
            header = waiting.pop()
            if header in seen or not (self.include_dir / header).is_file():
                continue
            seen.add(header)
            text = HEADER_ONLY_PART.sub("", self.text(header)) if compiled else self.text(header)
            waiting += [path for _, path in INCLUDE.findall(text) if path.startswith("layerscope/")]
        return seen


def is_internal(header):
    return "/impl/" in header or "/detail/" in header or header.endswith(".inc")


def is_optional_adapter(header):
    return header.startswith("layerscope/adapters/") and header != "layerscope/adapters/std.hpp"


def public_headers(tree):
    """What a user may include without another library than the required ones."""
    return [h for h in tree.headers() if not is_internal(h) and not is_optional_adapter(h)]


def report(check, problems, examined):
    """Prints and exits. A check that looked at nothing has failed."""
    for problem in problems:
        print(f"{check}: {problem}")
    if not examined:
        print(f"{check}: examined nothing")
    print(f"{check}: {examined} examined, {len(problems)} problems")
    sys.exit(1 if problems or not examined else 0)
