"""The embeddings of a run of torch_mnist, aligned against from scratch, as a table.

    torch_mnist --data DIR --epochs 10 --embedding pca,pca-frozen,umap,umap-separate,tsne,tsne-separate --report epochs.json
    python3 epochs.py epochs.json

Means over the epochs after the first two steps (the untrained network, and its first epoch, when everything moves); the
seconds of the aligned ones against those of the first step, which is from scratch.
"""
import json
import statistics
import sys

runs = json.load(open(sys.argv[1], encoding="utf-8"))
print(f"{'embedding':18}{'stability':>11}{'trustworthiness':>17}{'kept':>7}{'overlap':>9}{'layout':>9}{'total':>8}")
for name, steps in runs.items():
    later = [step for step in steps if step["step"] >= 2]

    def mean(what):
        return statistics.mean(step[what] for step in later)

    line = f"{name:18}{mean('stability'):11.3f}{mean('trustworthiness'):17.4f}{mean('neighbor preservation'):7.3f}"
    line += f"{mean('layout overlap'):9.3f}"
    if "layout seconds" in steps[0]:
        layout = statistics.median(step["layout seconds"] for step in later) / steps[0]["layout seconds"]
        total = statistics.median(step["method seconds"] for step in later) / steps[0]["method seconds"]
        line += f"{layout:9.3f}{total:8.3f}"
    print(line)
