#!/usr/bin/env python3
"""A slow oracle for Thermoflow: the scores of gc_content.py, after a pause for each object.

It stands for a simulation or a measurement that takes its time. gc_content.py explains the protocol. Try it by hand:

    echo '{"id": 1, "x": ["ACGT", "GG"]}' | python3 examples/oracles/slow.py --seconds 1
"""

import argparse
import json
import sys
import time

from gc_content import score


def slow_score(string, seconds):
    time.sleep(seconds)
    return score(string)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.05, help="pause per object (default: %(default)s)")
    seconds = parser.parse_args().seconds
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"id": request["id"], "y": [slow_score(string, seconds) for string in request["x"]]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
