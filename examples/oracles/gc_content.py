#!/usr/bin/env python3
"""An oracle for Thermoflow: scores a DNA string by its share of G and C. Start your own from here.

Thermoflow starts this program and keeps it running. The protocol is one JSON object a line:

    on standard input    {"id": 7, "x": ["ACGT", "GG", "A"]}
    on standard output   {"id": 7, "y": [0.5, 1.0, 0.0]}

- Answer every request with its own id and one number per object, in the same order. Use null for an object that
  cannot be scored; it is counted and never trained on.
- A request has at most `batch` objects and must be answered within `timeout_seconds`; a program that is late, dies or
  writes anything else is ended and started again.
- Print nothing else to standard output. Messages belong on standard error: Thermoflow repeats the last of them when
  something goes wrong.
- Flush after every answer, or it will stay in a buffer.
- End when standard input ends.

Load a model or other large data before the loop: it is done once per instance, and `instances` of this program run in
parallel. Try it by hand:

    echo '{"id": 1, "x": ["ACGT", "GG"]}' | python3 examples/oracles/gc_content.py
"""

import json
import sys


def score(string):
    """The share of G and C in a string, from 0 to 1. Larger is better."""
    return sum(letter in "GC" for letter in string) / len(string)


def main():
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"id": request["id"], "y": [score(string) for string in request["x"]]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
