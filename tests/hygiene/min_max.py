"""Writes a translation unit that defines `min` and `max` as macros before the umbrella, as <windows.h> does.

The headers of the standard library and of the other libraries are included first: some undefine the macros, some do not
survive them, and neither says anything about ours.

Usage: min_max.py <project root> <output> [header_only|compiled]
"""

import sys
from pathlib import Path

from tree import Tree

MACROS = """
#ifdef min
#error "a header above defines min"
#endif
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#include <layerscope/layerscope.hpp>
#ifndef min
#error "a header of layerscope undefines min"
#endif

int main() {
  return max(0, 1) - 1;
}
"""


def foreign_headers(tree, compiled):
    reached = tree.reachable("layerscope/layerscope.hpp", compiled)
    foreign = {path for header in reached for _, path in tree.includes(header) if not path.startswith("layerscope/")}
    return sorted(p for p in foreign if "LAYERSCOPE" not in p)


def translation_unit(tree, compiled):
    # Some exist on some platforms only; the meaning of stb hangs on macros that its includer sets.
    first = [p for p in foreign_headers(tree, compiled) if not p.startswith("stb_")]
    return "".join(f"#if __has_include(<{p}>)\n#include <{p}>\n#endif\n" for p in first) + MACROS


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(translation_unit(Tree(sys.argv[1]), sys.argv[3:] == ["compiled"]), encoding="utf-8")
