"""What no file of the repository may hold: absolute paths of somebody's machine, unfinished work, tabs in sources,
trailing blanks.

Usage: text.py <project root>
"""

import re
import subprocess
import sys
from pathlib import Path

from tree import report

SOURCES = {".hpp", ".cpp", ".inc", ".cmake", ".py", ".sh", ".ts", ".md", ".txt", ".json", ".in"}
RULES = [
    ("a path of one machine", None, re.compile(r"(?<![\w.$}/-])/(home|Users|root|work|mnt|media|builds|workspace)/[\w.-]+")),
    ("a temporary file at a fixed place", {".sh", ".py", ".cpp", ".hpp", ".cmake"}, re.compile(r"(?<![\w.$}/-])/tmp/[\w-]")),
    ("unfinished work", {".hpp", ".cpp", ".inc", ".cmake", ".py", ".sh", ".ts"}, re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")),
    ("trailing blanks", SOURCES - {".md"}, re.compile(r"[ \t]+$", re.MULTILINE)),
    ("a tab", {".hpp", ".cpp", ".inc", ".cmake", ".py", ".sh"}, re.compile(r"\t")),
]


def files_of(root):
    """Tracked files; every file where there is no git."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        paths = [root / name for name in listed.stdout.decode("utf-8").split("\0") if name]
    else:
        paths = [p for p in root.rglob("*") if ".git" not in p.parts]
    return [p for p in paths if p.is_file()]


def problems_of(root):
    problems = []
    for path in files_of(root):
        data = path.read_bytes()
        if b"\0" in data:
            continue
        text = data.decode("utf-8", errors="replace")
        for what, suffixes, pattern in RULES:
            if suffixes is not None and path.suffix not in suffixes:
                continue
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                problems.append(f"{path.relative_to(root)}:{line}: {what}: {match.group(0).strip()!r}")
    return problems


if __name__ == "__main__":
    checked = Path(sys.argv[1]).resolve()
    report("text", problems_of(checked), len(files_of(checked)))
