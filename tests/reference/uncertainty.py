"""Values of uncertainty and calibration by their definitions with numpy; writes uncertainty.txt beside itself.

    pip install numpy==2.*
    python3 uncertainty.py

`logits` [5 members, 12 rows, 3 classes]; mutual information is the mean Kullback-Leibler divergence of the members from
their mean. `forecasts` [200 rows, 4 classes] are multiples of 1/16, so that many are equal and sums are exact; ECE and MCE
from masks of (low, high] bins; ACE by repeating every row as often as there are ranges, with the outcome of a row replaced
by the mean of those with the same probability, so that each range is a whole slice.
"""
import pathlib

import numpy as np

random = np.random.default_rng(23)


def text(values):
    return " ".join(f"{value:.17g}" for value in np.ravel(values))


def entropy(p):
    return -np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0), axis=-1)


logits = np.round(2 * random.standard_normal((5, 12, 3)), 3)
p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
mean = p.mean(0)
lines = [f"# numpy {np.__version__}", f"logits {text(logits)}", f"mean {text(mean)}", f"variance {text(p.var(0))}"]
lines.append(f"predictive_entropy {text(entropy(mean))}")
lines.append(f"expected_entropy {text(entropy(p).mean(0))}")
lines.append(f"mutual_information {text(np.sum(p * np.log(p / mean), axis=-1).mean(0))}")
lines.append(f"predicted {text(mean.argmax(1))}")

n, classes = 200, 4
forecasts = random.multinomial(16, [0.6, 0.2, 0.1, 0.1], n)
forecasts = np.array([row[random.permutation(classes)] for row in forecasts]) / 16
labels = np.array([random.choice(classes, p=0.7 * row + 0.3 / classes) for row in forecasts])
lines += [f"forecasts {text(forecasts)}", f"labels {text(labels)}"]
confidence = forecasts.max(1)
right = (forecasts.argmax(1) == labels).astype(float)
for bins in (1, 8, 10, 15):
    ece, mce = 0.0, 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            ece += inside.mean() * gap
            mce = max(mce, gap)
    lines.append(f"ece{bins} {text([ece, mce])}")
for ranges in (1, 3, 15, 50):
    errors = []
    for c in range(classes):
        outcome = (labels == c).astype(float)
        q = forecasts[:, c]
        smooth = np.array([outcome[q == value].mean() for value in q])
        order = np.argsort(q, kind="stable")
        q, smooth = np.repeat(q[order], ranges), np.repeat(smooth[order], ranges)
        errors += [abs(smooth[i:i + n].mean() - q[i:i + n].mean()) for i in range(0, n * ranges, n)]
    lines.append(f"ace{ranges} {text(np.mean(errors))}")
truth = np.eye(classes)[labels]
lines.append(f"brier {text(np.mean(np.sum((forecasts - truth) ** 2, axis=1)))}")
lines.append(f"nll {text(np.mean(-np.log(np.maximum(forecasts[np.arange(n), labels], 2.0**-52))))}")
lines.append(f"accuracy {text(right.mean())}")
lines.append(f"confidence {text(confidence.mean())}")
lines.append(f"impossible {np.sum(forecasts[np.arange(n), labels] == 0)}")
pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
