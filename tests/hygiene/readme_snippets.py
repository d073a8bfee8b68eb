"""Takes the C++ programs out of the README, so that they are compiled and run: each ```cpp block with a main function
becomes snippet_<line>.cpp. A block that includes adapters/torch.hpp becomes torch_snippet_<line>.cpp.

Usage: readme_snippets.py <project root> <output folder>; prints the files, one a line.
"""

import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^```cpp\n(.*?)^```", re.MULTILINE | re.DOTALL)


def snippets(text):
    for match in BLOCK.finditer(text):
        if re.search(r"\bint main\s*\(", match.group(1)):
            yield text.count("\n", 0, match.start()) + 1, match.group(1)


if __name__ == "__main__":
    readme = Path(sys.argv[1]) / "README.md"
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for line, code in snippets(readme.read_text(encoding="utf-8")):
        prefix = "torch_" if "adapters/torch" in code else ""
        path = folder / f"{prefix}snippet_{line}.cpp"
        if not path.exists() or path.read_text(encoding="utf-8") != code:
            path.write_text(code, encoding="utf-8")
        print(path)
