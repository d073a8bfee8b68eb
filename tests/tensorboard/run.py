"""Makes a Python environment with TensorBoard and one with a driver for Chromium, and runs check.py in the former.

Usage: run.py <build folder> <program that makes the cases> <torch_mnist or ""> <data directory or "">

Exit status 77, with a line that says what is missing, where Python's venv, pip, Node or Chromium are absent; 1 instead
where the environment variable CI is set.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BROWSER = HERE.parent / "browser"


def leave(reason):
    print(f"{'failed' if os.environ.get('CI') else 'skipped'}: {reason}")
    sys.exit(1 if os.environ.get("CI") else 77)


def do(what, *command, **options):
    start = time.monotonic()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n")
        leave(f"{what}: {command[0]} ended with {done.returncode}")
    print(f"{what}: {time.monotonic() - start:.1f} s", flush=True)


def made_from(folder, *files):
    """Whether `folder` was made from these files already; mark(folder) says so afterwards."""
    text = hashlib.sha256(b"".join(file.read_bytes() for file in files) + sys.version.encode()).hexdigest()
    stamp = folder / ".layerscope-stamp"
    return (stamp.exists() and stamp.read_text() == text), lambda: stamp.write_text(text)


def python_environment(folder):
    requirements = HERE / "requirements.txt"
    ready, mark = made_from(folder, requirements)
    if not ready:
        shutil.rmtree(folder, ignore_errors=True)
        do("virtual environment", sys.executable, "-m", "venv", folder)
        do("TensorBoard", folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
           "--no-deps", "--requirement", requirements)
        mark()
    return folder / "bin/python"


def browser_environment(folder):
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        leave("Node.js and npm are not installed")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        leave("Chromium is not installed")
    lock = BROWSER / "package-lock.json"
    ready, mark = made_from(folder, lock)
    if not ready:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(BROWSER / name, folder)
        do("browser driver", npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
        mark()
    for script in BROWSER.glob("*.mjs"):
        shutil.copy(script, folder)
    return node, chromium


def main():
    build, *programs = sys.argv[1:]
    build = Path(build).resolve()
    python = python_environment(build / "python")
    node, chromium = browser_environment(build / "browser")
    output = build / "output"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    environment = dict(os.environ, LAYERSCOPE_NODE=node, LAYERSCOPE_CHROMIUM=chromium)
    done = subprocess.run([python, "-B", HERE / "check.py", build / "browser", output, *programs], env=environment,
                          check=False)
    sys.exit(done.returncode)


main()
