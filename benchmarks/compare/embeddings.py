"""layerscope's tool beside other libraries, in turn within one run: neighbours, UMAP and t-SNE.

    python3 embeddings.py <layerscope program> <folder of the data sets>
        [--tasks knn umap tsne] [--sets mnist mnist50 optdigits glove synthetic] [--rows 2000 10000] [--k 15 90]
        [--methods layerscope faiss …] [--repeats 3] [--threads 2] [--venv FOLDER] [--keep FOLDER]

Makes an environment beside it (or in --venv) with the Python peers, and asks apt-get for the R ones where it may. A peer
that does not install, or fails, is named below the table. Every run is a process of its own.

Columns: seconds are those of the search or of the layout from rows in memory, after a small run that compiles what a peer
compiles; those of layerscope's layouts include starting, reading and writing. Processor seconds are user and system time.
Memory is the largest resident set of the process, interpreter and input included. Ratios are the median over the repeats
of ours by theirs, of runs that followed each other.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = ["numpy", "scikit-learn", "faiss-cpu", "pynndescent", "hnswlib", "umap-learn", "openTSNE", "scranpy"]
R_PACKAGES = {"uwot": "r-cran-uwot", "Rtsne": "r-cran-rtsne"}
METHODS = {
    "knn": ["layerscope", "layerscope-exact", "faiss", "pynndescent", "hnswlib", "scikit-learn"],
    "umap": ["layerscope", "umap-learn", "umappp", "uwot", "uwot-batch"],
    "tsne": ["layerscope", "openTSNE", "qdtsne", "qdtsne-leaves", "Rtsne", "scikit-learn"],
}
# These compare all pairs, or nearly, and take hours where others take minutes.
MOST_ROWS = {("tsne", "scikit-learn"): 10000, ("tsne", "Rtsne"): 20000, ("knn", "scikit-learn"): 20000}


def make_environment(folder):
    """The Python of an environment with the peers; what could not be installed is told by the peer's own run."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        for package in PACKAGES:
            done = subprocess.run([python, "-m", "pip", "install", "--quiet", package], capture_output=True, text=True)
            if done.returncode != 0:
                print(f"{package} does not install: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        missing = [package for name, package in R_PACKAGES.items() if not has_r_package(name)]
        if missing:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            subprocess.run(["apt-get", "update", "-qq"], **quiet)
            for package in missing:
                subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], **quiet)
    return python


def has_r_package(name):
    if not shutil.which("Rscript"):
        return False
    return subprocess.run(["Rscript", "-e", f"library({name})"], capture_output=True).returncode == 0


class Failure(Exception):
    pass


class Launcher:
    """Runs a command; gives (last line of the output, seconds, processor seconds, largest resident set in bytes)."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, HERE / "launch.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, command, environment=None):
        request = {"command": [str(part) for part in command], "environment": environment}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if answer["status"] != 0:
            raise Failure(f"ended with {answer['status']}: {answer['error'] or answer['line'] or 'no output'}")
        return answer["line"], answer["seconds"], answer["processor"], answer["peak"]


def ours(finish, arguments, task, method, files, k):
    common = ["--threads", arguments.threads, "--seed", 0, "--out", files["out"]]
    if task == "knn":
        how = "exact" if method.endswith("-exact") else "approximate"
        report = files["folder"] / "report.json"
        command = [arguments.program, "knn", files["x"], "-k", k, "--method", how, "--report", report]
        _, _, processor, peak = finish(command + common)
        return json.loads(report.read_text())["seconds"]["neighbors"], processor, peak
    command = [arguments.program, "embed", files["x"], "--method", task, "--dims", 2]
    _, seconds, processor, peak = finish(command + common)
    return seconds, processor, peak


def theirs(finish, arguments, task, method, files, k):
    threads = str(arguments.threads)
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RCPP_PARALLEL_NUM_THREADS"]
    environment = {**os.environ, **{name: threads for name in names}}
    command = [sys.executable, HERE / "peers.py", task, method, files["x"], k, threads, files["out"]]
    if method.startswith(("uwot", "Rtsne")):
        if not shutil.which("Rscript"):
            raise Failure("no Rscript here")
        command = ["Rscript", HERE / "peers.R", method, files["raw"], *files["shape"], threads, files["raw_out"]]
    line, _, _, peak = finish(command, environment)
    seconds, processor = json.loads(line)
    if command[0] == "Rscript":
        import numpy as np

        np.save(files["out"], np.fromfile(files["raw_out"], np.float64).reshape(-1, 2))
    return seconds, processor, peak


def compare(finish, arguments, task, name, rows, k, folder):
    import numpy as np

    import data_sets
    import measures

    x, labels = data_sets.load(name, arguments.data, rows)
    files = {
        "folder": folder,
        "x": folder / "x.npy",
        "raw": folder / "x.raw",
        "raw_out": folder / "y.raw",
        "shape": x.shape,
        "out": folder / "out.npy",
    }
    np.save(files["x"], x)
    x.tofile(files["raw"])
    judge = measures.Judge(task, x, labels, k)
    wanted = [m for m in METHODS[task] if not arguments.methods or m in arguments.methods]
    runs = {method: [] for method in wanted if len(x) <= MOST_ROWS.get((task, method), len(x))}
    quality, failures = {}, {}
    for _ in range(arguments.repeats):
        for method, taken in runs.items():
            if method in failures:
                continue
            run = ours if method.startswith("layerscope") else theirs
            try:
                files["out"].unlink(missing_ok=True)
                taken.append(run(finish, arguments, task, method, files, k))
                if method not in quality:
                    quality[method] = judge(np.load(files["out"]))
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(files["out"], arguments.keep / f"{task}-{name}-{len(x)}-{k}-{method}.npy")
            except (Failure, OSError, ValueError) as error:
                failures[method] = str(error)
    case = f"{task} {name} {x.shape[0]}×{x.shape[1]}" + (f" k={k}" if task == "knn" else "")
    for method, taken in runs.items():
        if method in failures or not taken:
            continue
        middle = [statistics.median(run[i] for run in taken) for i in range(3)]
        ratios = ["–", "–"]
        if "layerscope" in runs and "layerscope" not in failures and method != "layerscope":
            ratios = [
                f"{statistics.median(mine[i] / run[i] for mine, run in zip(runs['layerscope'], taken)):.2f}"
                for i in (0, 1)
            ]
        print(
            f"| {case} | {method} | {middle[0]:.2f} | {middle[1]:.2f} | {middle[2] / 1e6:.0f} | {quality[method]} "
            f"| {ratios[0]} | {ratios[1]} |",
            flush=True,
        )
    return [f"{case}: {method} {reason}" for method, reason in failures.items()]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--tasks", nargs="+", choices=METHODS, default=list(METHODS))
    sets = ["mnist", "mnist50", "optdigits", "glove", "synthetic"]
    parser.add_argument("--sets", nargs="+", choices=sets, default=sets)
    parser.add_argument("--rows", nargs="+", type=int, default=[2000, 10000], help="of the sets that have as many")
    parser.add_argument("--k", nargs="+", type=int, default=[15], help="neighbours, for knn")
    parser.add_argument("--methods", nargs="+", default=[])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--venv", type=pathlib.Path, default=HERE / ".venv")
    parser.add_argument("--keep", type=pathlib.Path, help="where the last result of each method goes")
    return parser.parse_args()


def main(arguments):
    launcher = Launcher()  # before this process is large
    import data_sets
    import measures

    print("| case | method | seconds | processor seconds | memory MB | quality | ours by it: seconds | processor |")
    print("|---|---|---|---|---|---|---|---|")
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.sets:
            for rows in data_sets.sizes(name, arguments.rows):
                for task in arguments.tasks:
                    for k in arguments.k if task == "knn" else [15]:
                        failures += compare(launcher, arguments, task, name, rows, k, pathlib.Path(folder))
    print("\n" + measures.LEGEND)
    for line in failures:
        print("failed:", line)


if __name__ == "__main__":
    given = parse()
    if "LAYERSCOPE_COMPARE" in os.environ:
        main(given)
    else:
        inner = [make_environment(given.venv), __file__, *sys.argv[1:]]
        sys.exit(subprocess.run(inner, env={**os.environ, "LAYERSCOPE_COMPARE": "1"}).returncode)
