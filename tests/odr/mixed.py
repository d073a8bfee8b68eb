"""Translation units in different modes, or with different options, fail to link; in the same they link and run.

Usage: mixed.py <project root> <compiler>
"""

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

MODES = {
    "header-only": [],
    "compiled": ["-DLAYERSCOPE_COMPILED"],
    "header-only with zlib": ["-DLAYERSCOPE_WITH_ZLIB"],
}


def main():
    root = Path(sys.argv[1])
    compiler = sys.argv[2]
    here = root / "tests" / "odr"
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        @cache
        def compiled(source, mode):
            output = folder / f"{Path(source).stem}-{mode.replace(' ', '-')}.o"
            flags = ["-std=c++20", f"-I{root / 'include'}", *MODES[mode], "-c", str(source), "-o", str(output)]
            subprocess.run([compiler, *flags], check=True)
            return str(output)

        # The bodies that the compiled mode needs, without the rest of the library.
        bodies = folder / "bodies.cpp"
        names = ["format", "shape", "tensor_view", "tensor"]
        bodies.write_text("".join(f"#include <layerscope/impl/{n}_inl.hpp>\n" for n in names), encoding="utf-8")
        library = compiled(bodies, "compiled")

        for user in MODES:
            for provider in MODES:
                program = folder / "program"
                parts = [compiled(here / "mixed_main.cpp", user), compiled(here / "mixed_library.cpp", provider), library]
                linked = subprocess.run([compiler, *parts, "-o", str(program)], capture_output=True, text=True, check=False)
                if user == provider:
                    good = linked.returncode == 0 and subprocess.run([program], check=False).returncode == 0
                    expected = "links and runs"
                else:
                    good = linked.returncode != 0 and "elements(layerscope::" in linked.stderr
                    expected = "does not link"
                failures += not good
                print(f"{'ok' if good else 'FAILED'}: {user} main, {provider} library: {expected}")
                if not good:
                    print(linked.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
