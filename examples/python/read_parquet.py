"""Asks a replay in Parquet files with polars or pyarrow, which read only the columns and the rows that are needed.

Example: thermoflow replay export runs/a --out a.parquet
         python3 read_parquet.py a.parquet --min-beta 2 --min-y 0.5

Several files are read as one table. `thermoflow replay schema` explains the columns.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

BEST = ["x", "y", "beta", "actor", "received_us", "actions"]
NEEDED = [*BEST, "log_reward"]
COUNT = 5


class Question(NamedTuple):
    """Which trajectories, and how wide a bin of β is."""

    min_beta: float
    max_beta: float
    min_y: float
    width: float


def check_columns(there: list[str]) -> None:
    """Refuses files that were exported without a column that is asked for."""
    missing = [name for name in NEEDED if name not in there]
    if missing:
        raise ValueError(f"there is no column {', '.join(missing)}; export with --columns {','.join(NEEDED)}, or all")


def ask_polars(files: list[Path], question: Question) -> dict[str, pl.DataFrame]:
    """Means by β and the best trajectories, by polars. Nothing is read before `collect_all`."""
    import polars as pl

    everything = pl.scan_parquet(files)
    check_columns(everything.collect_schema().names())
    replay = everything.filter(
        pl.col("beta") >= question.min_beta, pl.col("beta") <= question.max_beta, pl.col("y") >= question.min_y
    )
    by_beta = replay.group_by(from_beta=(pl.col("beta").cast(pl.Float64) / question.width).floor() * question.width).agg(
        trajectories=pl.len(),
        distinct_x=pl.col("x").n_unique(),
        mean_y=pl.col("y").mean(),
        mean_log_reward=pl.col("log_reward").mean(),
    )
    best = replay.select(BEST).sort("y", "received_us", descending=[True, False]).head(COUNT)
    tables = pl.collect_all([by_beta.sort("from_beta"), best], engine="streaming")
    return dict(zip(["by β", "best"], tables))


def ask_pyarrow(files: list[Path], question: Question) -> dict[str, pa.Table]:
    """The same as [`ask_polars`], by pyarrow. Columns come when asked for, the best from one batch after the other."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    beta, y = pc.field("beta"), pc.field("y")
    everything = ds.dataset(files)
    check_columns(everything.schema.names)
    replay = everything.filter((beta >= question.min_beta) & (beta <= question.max_beta) & (y >= question.min_y))
    width = pa.scalar(question.width)
    columns = {
        "from_beta": pc.multiply(pc.floor(pc.divide(beta.cast(pa.float64()), width)), width),
        "x": pc.field("x").cast(pa.string()),
        "y": y,
        "log_reward": pc.field("log_reward"),
    }
    aggregates = [("x", "count"), ("x", "count_distinct"), ("y", "mean"), ("log_reward", "mean")]
    by_beta = replay.to_table(columns).group_by("from_beta").aggregate(aggregates).sort_by("from_beta")
    by_beta = by_beta.rename_columns(["from_beta", "trajectories", "distinct_x", "mean_y", "mean_log_reward"])
    best = None
    for batch in replay.to_batches(columns=BEST):
        batch = pa.Table.from_batches([batch])
        candidates = pa.concat_tables([best, batch]) if best else batch
        best = candidates.sort_by([("y", "descending"), ("received_us", "ascending")]).slice(0, COUNT)
    return {"by β": by_beta, "best": best}


def ask(files: list[Path], question: Question, library: str) -> dict[str, Any]:
    """What is to be printed, by the library of that name."""
    if library == "pyarrow":
        return {title: table.to_pandas().to_string() for title, table in ask_pyarrow(files, question).items()}
    from polars.exceptions import PolarsError

    try:
        return ask_polars(files, question)
    except PolarsError as error:
        raise ValueError(str(error)) from error


def is_parquet(file: Path) -> bool:
    """Whether there is such a file, and it begins as Parquet files do."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(4) == b"PAR1"


def main() -> None:
    """Reads the command line and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="what `thermoflow replay export --format parquet` wrote")
    parser.add_argument("--with", dest="library", choices=["polars", "pyarrow"], default="polars", help="[polars]")
    parser.add_argument("--min-beta", type=float, default=0.0)
    parser.add_argument("--max-beta", type=float, default=math.inf)
    parser.add_argument("--min-y", type=float, default=-math.inf)
    parser.add_argument("--bin", type=float, default=0.25, help="width of the bins of β [0.25]")
    args = parser.parse_args()
    if not args.bin > 0:
        parser.error(f"--bin is {args.bin}; it must be positive")
    question = Question(args.min_beta, args.max_beta, args.min_y, args.bin)
    for file in args.files:
        if not is_parquet(file):
            raise SystemExit(f"error: {file} is not a Parquet file")
    try:
        tables = ask(args.files, question, args.library)
    except ImportError as error:
        raise SystemExit(f"error: {error}; pip install -r examples/python/requirements.txt") from error
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise SystemExit(f"error: {', '.join(map(str, args.files))}: {reason}") from error
    for title, table in tables.items():
        print(f"{title}\n{table}\n")


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
