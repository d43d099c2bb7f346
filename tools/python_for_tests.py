#!/usr/bin/env python3
"""Provides the Python that the tests use to read our files as others would: TensorBoard, safetensors, pandas …

It is a virtual environment in the user's cache (see libtorch.py), named after what is in requirements-test.txt, so that
all checkouts share it; the link `.venv-test` points at it. It can import PyTorch too where libtorch.py has fetched it.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from libtorch import ROOT, cache, locked, point, share_with, this_python
from wheels import Failure, pip, say

REQUIREMENTS = Path(__file__).resolve().with_name("requirements-test.txt")
LINK = ROOT / ".venv-test"


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    try:
        environment = cache() / name()
        with locked():
            if not works(environment):
                make(environment)
        if LINK.resolve() != environment:
            point(LINK, environment)
        say(f"Python for tests: {LINK.name} -> {environment}")
        offer_torch(environment)
    except (Failure, OSError) as failure:
        say(f"error: {failure}")
        return 1
    return 0


def name() -> str:
    """The environment's name, another for other requirements, another Python or another place of that Python."""
    content = REQUIREMENTS.read_bytes() + f"{this_python()} {sys.base_prefix}".encode()
    return f"venv-test-{this_python()}-{hashlib.sha256(content).hexdigest()[:12]}"


def works(environment: Path) -> bool:
    """Whether the environment is there, and so is the Python that it was made from."""
    python = environment / "bin" / "python"
    return python.exists() and subprocess.run([python, "-c", "import numpy"], capture_output=True).returncode == 0


def make(environment: Path) -> None:
    """Makes the environment; it appears at once and complete. Works without Debian's package python3-venv."""
    say("installing what the tests read our files with")
    with tempfile.TemporaryDirectory(dir=cache(), prefix="unpack-") as folder:
        unfinished = Path(folder, "venv")
        venv.create(unfinished, symlinks=True, with_pip=False)
        python = unfinished / "bin" / "python"
        query = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = subprocess.run([python, "-c", query], check=True, capture_output=True, text=True).stdout.strip()
        options = ["--quiet", "--target", packages, "--only-binary=:all:", "--no-deps"]
        pip("install", *options, "--requirement", str(REQUIREMENTS))
        shutil.rmtree(environment, ignore_errors=True)
        unfinished.rename(environment)


def offer_torch(environment: Path) -> None:
    """Lets the environment import PyTorch, if that is possible; tests that want it do without otherwise."""
    try:
        share_with(str(environment / "bin" / "python"))
    except Failure as failure:
        say(f"note: tests with PyTorch are left out: {failure}")


if __name__ == "__main__":
    sys.exit(main())
