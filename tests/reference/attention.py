"""Attention rollout and flow of small models, for the tests of attention_rollout; writes attention.txt beside itself.

    python3 attention.py

Rollout by NumPy in float64; flow by networkx's maximum_flow_value, one pair of tokens at a time, as Abnar and Zuidema
define it: edges from each token of a layer to those of the layer below, of the capacities of the mean over the heads
with the residual connection. A line is `<model> <what> <layers> <heads> <tokens> <numbers>`; the weights are given too,
rounded first, so that both sides compute with the same numbers.
"""
import pathlib

import networkx as nx
import numpy as np

rng = np.random.default_rng(7)


def weights(layers, heads, n, causal):
    scores = 1.5 * rng.standard_normal((layers, heads, n, n))
    if causal:
        scores = np.where(np.tril(np.ones((n, n), bool)), scores, -np.inf)
    exp = np.exp(scores)
    return np.round(exp / exp.sum(-1, keepdims=True), 6)


def mixed(a, residual):
    a = (1 - residual) * a.mean(1) + residual * np.eye(a.shape[-1])
    return a / a.sum(-1, keepdims=True)


def rollout(hat):
    result = hat[0]
    for layer in hat[1:]:
        result = layer @ result
    return result


def flow(hat):
    layers, n, _ = hat.shape
    graph = nx.DiGraph()
    for level in range(layers):
        for i in range(n):
            for j in range(n):
                graph.add_edge((level + 1, i), (level, j), capacity=hat[level, i, j])
    return np.array([[nx.maximum_flow_value(graph, (layers, i), (0, j)) for j in range(n)] for i in range(n)])


def text(values):
    return " ".join(f"{v:.12g}" for v in np.ravel(values))


lines = [f"# numpy {np.__version__}, networkx {nx.__version__}"]
for name, layers, heads, n, causal, residual in (
    ("self", 3, 2, 6, False, 0.5),
    ("causal", 4, 3, 7, True, 0.5),
    ("bare", 3, 1, 5, False, 0.0),
):
    a = weights(layers, heads, n, causal)
    hat = mixed(a, residual)
    head = f"{name} %s {layers} {heads} {n} "
    lines.append(head % "weights" + text(a))
    lines.append(head % "rollout" + text(rollout(hat)))
    lines.append(head % "flow" + text(flow(hat)))
(pathlib.Path(__file__).parent / "attention.txt").write_text("\n".join(lines) + "\n")
