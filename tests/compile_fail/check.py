"""Wrong uses stop the compiler, with words that help. Each source compiles as it stands and must not once WRONG is
defined; the message must hold the text of each `// expected:` line (compilers that differ: `one | other`) and stay short.

Usage: check.py <project root> <compiler> <source> [-isystem…]
"""

import re
import subprocess
import sys
from pathlib import Path

LONGEST_MESSAGE = 40  # lines; a static_assert costs about ten, a pile of overloads 65


def main():
    root, compiler, source = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    expected = re.findall(r"^// expected: (.+)$", source.read_text(encoding="utf-8"), re.MULTILINE)
    command = [compiler, "-std=c++20", "-fsyntax-only", "-DLAYERSCOPE_COMPILED", f"-I{root / 'include'}"]
    command += [*sys.argv[4:], str(source)]
    right = subprocess.run(command, capture_output=True, text=True, check=False)
    wrong = subprocess.run([*command, "-DWRONG"], capture_output=True, text=True, check=False)

    problems = []
    if not expected:
        problems.append("no '// expected:' line")
    if right.returncode != 0:
        problems.append(f"does not compile without WRONG:\n{right.stderr}")
    if wrong.returncode == 0:
        problems.append("compiles with WRONG")
    for text in expected:
        if not any(part in wrong.stderr for part in text.split(" | ")):
            problems.append(f"the message lacks '{text}':\n{wrong.stderr}")
    lines = wrong.stderr.count("\n")
    if lines > LONGEST_MESSAGE:
        problems.append(f"the message has {lines} lines; expected at most {LONGEST_MESSAGE}:\n{wrong.stderr}")
    for problem in problems:
        print(f"{source.name}: {problem}")
    print(f"{source.name}: {lines} lines of message, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
