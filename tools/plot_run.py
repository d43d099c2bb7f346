#!/usr/bin/env python3
"""Draws modes, top-100 mean and losses of runs from their metrics.jsonl. Needs matplotlib.

Example: python3 tools/plot_run.py runs/a runs/b --out docs/images/runs.png
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first)

PANELS = [
    ("modes", "modes found", False),
    ("top100_y", "mean y of the best 100", False),
    ("loss_online", "TB loss, online", True),
]
# Modes of the published code, logit, seed 0, one run.
PUBLISHED = [(50, 10), (100, 21), (150, 37), (200, 58), (250, 82), (300, 108), (400, 153), (500, 196), (600, 220),
             (750, 246), (950, 267), (1000, 273), (1250, 292), (1500, 306), (1750, 313), (2000, 318)]


def rows(run: Path) -> list[dict]:
    """The reports of a run."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def smooth(values: list[float], width: int = 25) -> list[float]:
    """Running mean, so that a noisy loss can be read."""
    return [sum(values[max(0, i - width + 1): i + 1]) / min(i + 1, width) for i in range(len(values))]


def main() -> None:
    """Reads the command line and draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("run.png"))
    parser.add_argument("--published", action="store_true", help="mark the published code's curve (TFBind8)")
    args = parser.parse_args()
    figure, axes = plt.subplots(1, len(PANELS), figsize=(13, 3.6), layout="constrained")
    for run in args.runs:
        data = rows(run)
        for axis, (key, _, noisy) in zip(axes, PANELS):
            points = [(row["round"], row[key]) for row in data if row.get(key) is not None]
            x, y = zip(*points)
            axis.plot(x, smooth(list(y)) if noisy else y, label=run.name, linewidth=1.4)
    if args.published:
        axes[0].plot(*zip(*PUBLISHED), "k--", linewidth=1, label="published code")
    for axis, (_, title, noisy) in zip(axes, PANELS):
        axis.set(xlabel="round", title=title, yscale="log" if noisy else "linear")
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, dpi=130)
    print(args.out)


if __name__ == "__main__":
    main()
