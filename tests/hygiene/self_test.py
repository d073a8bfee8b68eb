"""Every check of this folder finds what it is there to find: each is run on a small tree that is in order, and again
with one thing broken.

Usage: self_test.py <compiler> [<clang-format-14>] [<clang-tidy-14>]
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import compile_time
import formatting
import include_graph
import leaks
import min_max
import readme_snippets
import sources
import text
import tidy
import umbrella
from tree import Tree

COMPILER = sys.argv.pop(1) if len(sys.argv) > 1 else "c++"
CLANG_TOOLS = {Path(path).name.removesuffix("-14"): path for path in sys.argv[1:]}
CLANG_FORMAT = CLANG_TOOLS.get("clang-format", "")
CLANG_TIDY = CLANG_TOOLS.get("clang-tidy", "")

GOOD = {
    "include/layerscope/version.hpp": "#pragma once\n",
    "include/layerscope/config.hpp": "#pragma once\n#include <layerscope/version.hpp>\n",
    "include/layerscope/fwd.hpp": "#pragma once\n#include <layerscope/config.hpp>\n",
    "include/layerscope/core/a.hpp": (
        "#pragma once\n#include <layerscope/config.hpp>\n#include <vector>\n"
        "#ifdef LAYERSCOPE_HEADER_ONLY\n#include <layerscope/impl/a_inl.hpp>\n#endif\n"
    ),
    "include/layerscope/impl/a_inl.hpp": (
        "#pragma once\n#include <layerscope/core/a.hpp>\n#include <mutex>\nLAYERSCOPE_INLINE void f() {}\n"
    ),
    "include/layerscope/sinks/sink.hpp": "#pragma once\n#include <layerscope/core/a.hpp>\n",
    "include/layerscope/algorithms/x.hpp": "#pragma once\n#include <layerscope/core/a.hpp>\n",
    "include/layerscope/algorithms/detail/y.hpp": "#pragma once\n#include <Eigen/Core>\n",
    "include/layerscope/adapters/torch.hpp": "#pragma once\n#include <torch/torch.h>\n",
    "include/layerscope/layerscope.hpp": (
        "#pragma once\n#include <layerscope/algorithms/x.hpp>\n#include <layerscope/fwd.hpp>\n"
        "#include <layerscope/sinks/sink.hpp>\n"
    ),
    "src/core.cpp": "// Bodies.\n#include <layerscope/impl/a_inl.hpp>\n",
}


class Broken(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        self.tree = Tree(self.root)
        for path, content in GOOD.items():
            self.write(path, content)

    def write(self, path, content):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(content, encoding="utf-8")

    def add(self, path, line):
        self.write(path, (self.root / path).read_text(encoding="utf-8") + line + "\n")

    def assert_found(self, problems, what):
        self.assertTrue(any(what in problem for problem in problems), problems)

    def test_good_tree(self):
        self.assertEqual(include_graph.problems_of(self.tree), [])
        self.assertEqual(umbrella.problems_of(self.tree), [])
        self.assertEqual(sources.problems_of(self.tree), [])
        self.assertEqual(leaks.problems_of(self.tree, COMPILER), [])
        self.assertEqual(text.problems_of(self.root), [])

    def test_include_graph(self):
        for path, line, what in [
            ("include/layerscope/core/a.hpp", "#include <layerscope/sinks/sink.hpp>", "core includes"),
            ("include/layerscope/core/a.hpp", "#include <mutex>", "includes <mutex>"),
            ("include/layerscope/algorithms/x.hpp", "#include <layerscope/sinks/sink.hpp>", "algorithms includes"),
            ("include/layerscope/algorithms/x.hpp", "#include <Eigen/Core>", "<Eigen/Core>"),
            ("include/layerscope/algorithms/x.hpp", "#include <layerscope/layerscope.hpp>", "umbrella"),
            ("include/layerscope/algorithms/x.hpp", '#include "y.hpp"', "in quotes"),
            ("include/layerscope/algorithms/x.hpp", "#include <layerscope/core/gone.hpp>", "does not exist"),
            ("include/layerscope/sinks/sink.hpp", "#include <layerscope/algorithms/detail/y.hpp>", "private"),
            ("include/layerscope/impl/a_inl.hpp", "#include <layerscope/algorithms/x.hpp>", "core includes"),
            ("include/layerscope/adapters/torch.hpp", "#include <opencv2/core.hpp>", "<opencv2/core.hpp>"),
        ]:
            with self.subTest(path=path, line=line):
                before = (self.root / path).read_text(encoding="utf-8")
                self.add(path, line)
                self.assert_found(include_graph.problems_of(self.tree), what)
                self.write(path, before)

    def test_include_graph_knows_every_zone(self):
        self.write("include/layerscope/elsewhere/z.hpp", "#pragma once\n")
        self.assert_found(include_graph.problems_of(self.tree), "no zone")

    def test_umbrella(self):
        self.write("include/layerscope/algorithms/new.hpp", "#pragma once\n")
        self.assert_found(umbrella.problems_of(self.tree), "new.hpp is not reachable")
        self.add("include/layerscope/layerscope.hpp", "#include <layerscope/adapters/torch.hpp>")
        self.assert_found(umbrella.problems_of(self.tree), "expected no optional adapter")

    def test_sources(self):
        self.write("src/twice.cpp", "#include <layerscope/impl/a_inl.hpp>\n")
        self.assert_found(sources.problems_of(self.tree), "expected exactly one")
        self.write("src/twice.cpp", "int x;\n")
        self.assert_found(sources.problems_of(self.tree), "expected includes only")
        self.write("src/core.cpp", "\n")
        self.assert_found(sources.problems_of(self.tree), "no source file")

    def test_leaks(self):
        for header in ["thread", "mutex", "chrono", "iostream", "fstream"]:
            self.write("include/layerscope/core/b.hpp", f"#pragma once\n#include <{header}>\n")
            self.assert_found(leaks.problems_of(self.tree, COMPILER), f"opens {header}")
        for header in ["Eigen/Core", "nlohmann/json.hpp", "stb_image_write.h"]:
            self.write(f"foreign/{header}", "")
            self.write("include/layerscope/core/b.hpp", f"#pragma once\n#include <{header}>\n")
            found = leaks.problems_of(self.tree, COMPILER, [f"-I{self.root / 'foreign'}"])
            self.assert_found(found, f"opens {Path(header).name}")

    def test_compile_time(self):
        loops = "for (int i = 0; i < 1000; ++i) for (int j = 0; j < 500; ++j) sum += j;"
        dear = "static_assert([] { long sum = 0; " + loops + " return sum; }() > 0);"
        self.add("include/layerscope/fwd.hpp", dear)
        found = compile_time.problems_of(self.tree, COMPILER)
        self.assert_found(found, "layerscope/fwd.hpp: costs")
        self.assertFalse(any("core/a.hpp" in problem for problem in found), found)

    def test_compile_time_is_a_ratio(self):
        def machine(slowness, excess):
            def seconds(_, text):
                return slowness * (0.17 if text == compile_time.ANCHOR else 0.6 * excess)

            return [p.split(":")[0] for p in compile_time.problems_of(self.tree, COMPILER, seconds)]

        light = [f"layerscope/{name}.hpp" for name in ("config", "fwd", "version")]
        for slowness in (0.3, 1, 5):
            self.assertEqual(machine(slowness, 1.3), [])
            self.assertEqual(machine(slowness, 1.4), light)

    def test_text(self):
        for content in ["see /ho" "me/somebody/x", "cd /wo" "rk/main", "x = 1  ", "\tx", "// TO" "DO: later"]:
            with self.subTest(content=content):
                self.write("src/note.cpp", content + "\n")
                self.assert_found(text.problems_of(self.root), "src/note.cpp:1")

    @unittest.skipUnless(CLANG_FORMAT, "no clang-format-14")
    def test_formatting(self):
        self.write(".clang-format", "BasedOnStyle: Google\n")
        self.write("src/core.cpp", "int x;\n")
        self.assertEqual([p for p in formatting.problems_of(self.root, CLANG_FORMAT) if "core.cpp" in p], [])
        self.write("src/core.cpp", "int   x;\n")
        self.assert_found(formatting.problems_of(self.root, CLANG_FORMAT), "core.cpp")

    @unittest.skipUnless(CLANG_TIDY, "no clang-tidy-14")
    def test_tidy(self):
        checks = Path(__file__).resolve().parents[2] / ".clang-tidy"
        self.write(".clang-tidy", checks.read_text(encoding="utf-8"))
        entry = {"directory": str(self.root), "file": "src/core.cpp",
                 "command": f"c++ -std=c++20 -DLAYERSCOPE_INLINE=inline -I{self.tree.include_dir} -c src/core.cpp"}
        self.write("compile_commands.json", json.dumps([entry]))
        self.assertEqual(len(tidy.units(self.root, self.root)), 1)
        self.assertEqual(tidy.problems_of(self.root, self.root, CLANG_TIDY), [])
        self.add("include/layerscope/impl/a_inl.hpp", "inline bool none(const std::vector<int>& x) { return x.size() == 0; }")
        found = tidy.problems_of(self.root, self.root, CLANG_TIDY)
        self.assert_found(found, "readability-container-size-empty")
        self.assertEqual(len(found), 1, found)
        self.add("src/core.cpp", "nonsense")
        self.assert_found(tidy.problems_of(self.root, self.root, CLANG_TIDY), "clang-diagnostic-error")

    def test_min_max(self):
        body = "#pragma once\n#include <algorithm>\ninline int f(int a) {{ return {}(a, 1); }}\n"
        for call, expected in [("(std::max)", 0), ("std::max", 1)]:
            self.write("include/layerscope/core/a.hpp", body.format(call))
            unit = min_max.translation_unit(self.tree, compiled=False)
            command = [COMPILER, "-std=c++20", "-fsyntax-only", f"-I{self.tree.include_dir}", "-x", "c++", "-"]
            done = subprocess.run(command, input=unit, capture_output=True, text=True, check=False)
            self.assertEqual(min(done.returncode, 1), expected, done.stderr)

    def test_compile_fail(self):
        check = Path(__file__).resolve().parents[1] / "compile_fail" / "check.py"
        wrong = '#ifdef WRONG\nstatic_assert(false, "no such tensor");\n#endif\n'
        for source, expected in [
            ("// expected: no such tensor\n" + wrong, 0),
            ("// expected: no such layout\n" + wrong, 1),
            ("// expected: no such tensor\n", 1),
            ("// expected: no such tensor\nint x = y;\n" + wrong, 1),
            (wrong, 1),
        ]:
            self.write("wrong.cpp", source)
            command = [sys.executable, "-B", str(check), str(self.root), COMPILER, str(self.root / "wrong.cpp")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, expected, done.stdout)

    def test_readme_snippets(self):
        readme = "text\n```cpp\nint x;\n```\n```cpp\nint main() {}\n```\n"
        self.assertEqual(list(readme_snippets.snippets(readme)), [(5, "int main() {}\n")])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
