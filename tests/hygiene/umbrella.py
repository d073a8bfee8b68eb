"""The umbrella is complete: every public header except optional adapters is reachable from layerscope.hpp, and no
optional adapter is.

Usage: umbrella.py <project root>
"""

import sys

from tree import Tree, is_optional_adapter, public_headers, report

UMBRELLA = "layerscope/layerscope.hpp"


def problems_of(tree):
    reached = tree.reachable(UMBRELLA)
    missing = [f"{h} is not reachable from {UMBRELLA}" for h in public_headers(tree) if h not in reached]
    extra = [f"{h} is reachable from {UMBRELLA}; expected no optional adapter" for h in reached if is_optional_adapter(h)]
    return missing + sorted(extra)


if __name__ == "__main__":
    checked = Tree(sys.argv[1])
    report("umbrella", problems_of(checked), len(public_headers(checked)))
