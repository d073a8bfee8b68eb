"""The embeddings of a run of torch_mnist, aligned against from scratch, as a table.

    torch_mnist --data DIR --epochs 10 --embedding pca,pca-frozen,umap,umap-separate,tsne,tsne-separate --report epochs.json
    python3 epochs.py epochs.json

Means over the epochs from the second on, apart from the untrained network and its first epoch, when everything moves. Wall
time of an aligned step as a ratio with one from scratch, medians over the same epochs.
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
    scratch = [step for step in runs.get(name + "-separate", []) if step["step"] >= 2]
    for what in ("layout seconds", "method seconds") if scratch else ():
        ratio = statistics.median(step[what] for step in later) / statistics.median(step[what] for step in scratch)
        line += f"{ratio:{9 if what[0] == 'l' else 8}.3f}"
    print(line)
