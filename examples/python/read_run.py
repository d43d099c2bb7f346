"""Reads a run of Thermoflow with pandas or polars: what was found, at which β and when. Prints tables and draws them.

Example: python3 read_run.py runs/a --out run.png

Works on a run directory or a replay.sqlite, also while the learner writes: the database is opened read-only. From ten
million trajectories on, `thermoflow replay export --format parquet` and read_parquet.py take less time and memory.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

# The view `replay` has a row per trajectory; `thermoflow replay schema` explains its columns.
QUERY = "SELECT round, beta, x, y, log_reward, received_us FROM replay ORDER BY received_us, round, idx"
BINS = 8
BEST = 5


def read_replay(path: Path, library: Any) -> pd.DataFrame | pl.DataFrame:
    """All trajectories in the order they came, as a frame of `library`, which is the module pandas or polars."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        if library.__name__ == "pandas":
            return library.read_sql_query(QUERY, connection)
        return library.read_database(QUERY, connection, infer_schema_length=None)
    finally:
        connection.close()


def read_metrics(path: Path, *keys: str) -> dict[str, list]:
    """Series of a metrics.jsonl, None where a report has none; without a last line that is still being written."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.endswith("\n")]
    return {key: [row.get(key) for row in rows] for key in keys}


def bins(values: pd.Series | pl.Series) -> np.ndarray:
    """The lower edge of the bin of each value, of `BINS` bins of the same width from the least to the greatest."""
    edges = np.linspace(values.min(), values.max(), BINS + 1)
    return edges[np.searchsorted(edges[1:-1], values, side="right")]


def tables_with_pandas(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The best x, and means by β and over rounds. `duplicates` is the share whose x had come before, in whatever row."""
    frame = frame.assign(
        duplicate=frame.duplicated("x"),
        from_beta=bins(frame["beta"]).round(3),
        from_round=np.ceil(bins(frame["round"])).astype(int),
    )
    means = {
        "trajectories": ("x", "size"),
        "mean_y": ("y", "mean"),
        "max_y": ("y", "max"),
        "mean_log_reward": ("log_reward", "mean"),
        "duplicates": ("duplicate", "mean"),
    }
    objects = frame.groupby("x").agg(y=("y", "max"), first_round=("round", "first"), seen=("y", "size"))
    return {
        "best x": objects.reset_index().sort_values(["y", "x"], ascending=[False, True]).head(BEST),
        "by β": frame.groupby("from_beta", as_index=False).agg(**means),
        "over time": frame.groupby("from_round", as_index=False).agg(**means),
    }


def tables_with_polars(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The same as [`tables_with_pandas`], by polars."""
    import polars as pl

    frame = frame.with_columns(
        duplicate=~pl.col("x").is_first_distinct(),
        from_beta=bins(frame["beta"]).round(3),
        from_round=np.ceil(bins(frame["round"])).astype(int),
    )
    means = {
        "trajectories": pl.len(),
        "mean_y": pl.col("y").mean(),
        "max_y": pl.col("y").max(),
        "mean_log_reward": pl.col("log_reward").mean(),
        "duplicates": pl.col("duplicate").mean(),
    }
    objects = frame.group_by("x").agg(y=pl.col("y").max(), first_round=pl.col("round").first(), seen=pl.len())
    return {
        "best x": objects.sort("y", "x", descending=[True, False]).head(BEST),
        "by β": frame.group_by("from_beta").agg(**means).sort("from_beta"),
        "over time": frame.group_by("from_round").agg(**means).sort("from_round"),
    }


def draw(frame: pd.DataFrame | pl.DataFrame, metrics: dict[str, list], out: Path) -> None:
    """y against β, and modes and the best 100 over rounds, to an image file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    density, modes, best = figure.subplots(1, 3)
    cells = density.hexbin(frame["beta"].to_numpy(), frame["y"].to_numpy(), gridsize=40, bins="log", mincnt=1)
    figure.colorbar(cells, ax=density, label="trajectories")
    density.set(xlabel="β", ylabel="y", title="y against β")
    for axes, key, title in [(modes, "modes", "modes found"), (best, "top100_y", "mean y of the best 100")]:
        axes.plot(metrics["round"], [np.nan if value is None else value for value in metrics[key]])
        axes.set(xlabel="round", title=title)
        axes.grid(alpha=0.3)
    figure.savefig(out, dpi=130)


def report(run: Path, library_name: str, out: Path | None) -> None:
    """Prints and draws what is to be told of a run."""
    database = run / "replay.sqlite" if run.is_dir() else run
    if not database.is_file():
        raise FileNotFoundError(f"not a run, there is no {database}")
    frame = read_replay(database, importlib.import_module(library_name))
    if len(frame) == 0:
        raise ValueError("it holds no trajectories yet")
    seconds = (frame["received_us"].max() - frame["received_us"].min()) / 1e6
    distinct = len(frame["x"].unique())
    print(f"{len(frame)} trajectories, {distinct} distinct x, {1 - distinct / len(frame):.1%} duplicates, {seconds:.1f} s")
    tables = tables_with_pandas(frame) if library_name == "pandas" else tables_with_polars(frame)
    for title, table in tables.items():
        print(f"\n{title}\n{table}")
    if out:
        draw(frame, read_metrics(database.with_name("metrics.jsonl"), "round", "modes", "top100_y"), out)
        print(f"\ndrawn to {out}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run directory, or the replay.sqlite in it")
    parser.add_argument("--with", dest="library", choices=["pandas", "polars"], default="pandas", help="[pandas]")
    parser.add_argument("--out", type=Path, help="also draw to this file (.png, .svg, .pdf)")
    args = parser.parse_args()
    try:
        report(args.run, args.library, args.out)
    except ImportError as error:
        raise SystemExit(f"error: {error}; pip install -r examples/python/requirements.txt") from error
    except BrokenPipeError:
        raise
    except (OSError, ValueError, sqlite3.Error) as error:
        raise SystemExit(f"error: {args.run}: {error}") from error


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
