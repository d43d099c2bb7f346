#!/usr/bin/env python3
"""Makes src/task/data/rna_turner2004.json, the energies of the rna tasks, from the PyPI package viennarna 2.8.0.

    pip install viennarna==2.8.0                        best in a virtual environment
    python3 tools/make_rna_parameters.py                writes the file
    python3 tools/make_rna_parameters.py --check        compares with the file in the repository, writes nothing

The file: free energies at 37 °C in units of 0.01 kcal/mol, as nested lists. Pairs are in the order CG GC GU UG AU UA,
bases in the order A C G U; `bulge` starts with loops of one base, `interior` with loops of two. ViennaRNA's entries for
unknown bases and all enthalpies are left out. Needs Python 3.9 or later.
"""

import argparse
import hashlib
import json
import pathlib
import re
import sys
import tempfile

VERSION = "2.8.0"
# a test in src/task/rna/model.rs holds the same sum
DATA_SHA256 = "fd64bc32143e825bb4057d0ac84fdf08650f56425dadd79421ee9592b8c42990"
DATA = pathlib.Path(__file__).resolve().parent.parent / "src" / "task" / "data" / "rna_turner2004.json"
PAIRS = 6
BASES = 4
LONGEST_LOOP = 30
# What DEF in a parameter file stands for.
DEFAULT = -50
# Our name, the section of the parameter file, what its axes are: pairs (p) and bases (b), of which ViennaRNA has one
# more, for unknown ones; P and B are axes without it.
TABLES = [
    ("stack", "stack", "pp"),
    ("mismatch_interior", "mismatch_internal", "pbb"),
    ("mismatch_one_by_many", "mismatch_internal_1n", "pbb"),
    ("mismatch_two_by_three", "mismatch_internal_23", "pbb"),
    ("mismatch_exterior", "mismatch_exterior", "pbb"),
    ("dangle5", "dangle5", "pb"),
    ("dangle3", "dangle3", "pb"),
    ("one_by_one", "int11", "ppbb"),
    ("two_by_one", "int21", "ppbbb"),
    ("two_by_two", "int22", "PPBBBB"),
]


def parameter_text():
    """Returns the default parameters of the installed viennarna as the text of a parameter file."""
    import RNA

    expect(RNA.__version__ == VERSION, f"viennarna is {RNA.__version__}, {VERSION} is needed")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "default.par"
        RNA.params_save(str(path))
        return path.read_text("ascii")


def read_sections(text):
    """Returns {section: its words} of a parameter file."""
    sections = {}
    for part in re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL).split("\n# ")[1:]:
        name, _, body = part.partition("\n")
        sections[name.strip()] = body.split()
    return sections


def number(word):
    """Returns the energy that a word of a parameter file means."""
    return DEFAULT if word == "DEF" else int(word)


def nest(words, axes):
    """Returns `words` (an iterator) as nested lists along `axes`, without the entries for unknown pairs and bases."""
    if not axes:
        return next(words)
    # Unknown bases come first, unknown pairs last.
    entries = {"p": PAIRS + 1, "P": PAIRS, "b": BASES + 1, "B": BASES}[axes[0]]
    known = {"p": slice(0, PAIRS), "b": slice(1, None)}.get(axes[0], slice(None))
    return [nest(words, axes[1:]) for _ in range(entries)][known]


def energies(sections):
    """Returns {our name: energies} of what a duplex needs."""
    found = {}
    for name, section, axes in TABLES:
        words = map(number, sections[section])
        found[name] = nest(words, axes)
        expect(next(words, None) is None, f"section {section} has more entries than {axes} has")
    for name, first in (("bulge", 1), ("interior", 2)):
        words = sections["internal" if name == "interior" else name]
        expect(len(words) == LONGEST_LOOP + 1, f"section {name} has {len(words)} entries")
        found[name] = [number(word) for word in words[first:]]
    found["asymmetry"], found["asymmetry_most"] = (int(sections["NINIO"][place]) for place in (0, 2))
    found["duplex_start"], found["terminal_au"] = (int(sections["Misc"][place]) for place in (0, 2))
    return found


def encode(found):
    """Returns the bytes of the file: JSON, a line per outermost entry."""
    lines = []
    for name, value in found.items():
        rows = value if isinstance(value, list) and isinstance(value[0], list) else None
        compact = [json.dumps(row, separators=(",", ":")) for row in rows or [value]]
        lines.append(f'"{name}":' + ("[\n" + ",\n".join(compact) + "]" if rows else compact[0]))
    return ("{" + ",\n".join(lines) + "}\n").encode("ascii")


def expect(condition, message):
    """Ends the program with `message` unless `condition` holds."""
    if not condition:
        sys.exit(f"error: {message}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=DATA, help="where to write (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="compare with the file at --out instead of writing it")
    arguments = parser.parse_args()
    data = encode(energies(read_sections(parameter_text())))
    expect(hashlib.sha256(data).hexdigest() == DATA_SHA256, "the data differ from what this script should make")
    if arguments.check:
        expect(arguments.out.read_bytes() == data, f"{arguments.out} differs from what viennarna {VERSION} gives")
        print(f"{arguments.out} is what viennarna {VERSION} gives")
    else:
        arguments.out.write_bytes(data)
        print(f"{len(data)} bytes written to {arguments.out}")


if __name__ == "__main__":
    main()
