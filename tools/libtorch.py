#!/usr/bin/env python3
"""Provides libtorch, the C++ half of PyTorch, which Thermoflow is linked against.

Looks in this order and downloads only if nothing is there:

1. the environment's LIBTORCH, which cargo then uses as well;
2. the link `.libtorch` of an earlier run;
3. PyTorch, where this Python can import the right version;
4. the user's cache, $XDG_CACHE_HOME/thermoflow or ~/.cache/thermoflow, which all checkouts share.

A download is 0.5 GB, can be interrupted and goes on where it stopped; unpacked it takes 0.6 GB. It serves the CPU (and
Metal on a Mac). `--cuda` fetches PyTorch whole, with CUDA: 3 GB, unpacked 5 GB.
"""

import argparse
import contextlib
import fcntl
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Iterator, Optional

import cpu_only
from wheels import Failure, Wheel, fetch, pip, say

VERSION = "2.13.0"
ROOT = Path(__file__).resolve().parent.parent
LINK = ROOT / ".libtorch"

#: PyTorch's wheels: (system, machine) -> end of the file name, and SHA-256 by Python. Each has the same libtorch; the
#: one for the Python at hand can be imported too.
TORCH = {
    ("Linux", "x86_64"): (
        "manylinux_2_28_x86_64",
        {
            "cp310": "c78b7b4d04461855a764cf01bae9a462bb88bc93defcfa11235cbc8fdf3e12c4",
            "cp311": "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
            "cp312": "796633c4cdf0fe2cdced72d8f88f22e73dbcfce83132763162f6d4bff13b820b",
            "cp313": "a3a9a21312872af8a26950b2c15680335a386a1f56ed03e780653d78b9607e9e",
            "cp314": "49f1ea385c754e54919408a9bb3b5a72b0b755bbe2c916c1d6f70afbec4908a2",
        },
    ),
    ("Linux", "aarch64"): (
        "manylinux_2_28_aarch64",
        {
            "cp310": "0ab4b69f3ee03a62a002cfbf77b1ca5e88aceb4ea64cb4388bb28f638ddbb045",
            "cp311": "092790c696a760c729fd5722835f50b9d81fd7c8f141571f3f3cf4081a8f664c",
            "cp312": "572df8be8ffb4599c88cbd6a0726f1f854f4da65d2e3c09f0e2c2283333cd6d4",
            "cp313": "1e09d6a722504957c694faceca843acde562786df1144ebcc5a74075ec7f6005",
            "cp314": "a3893dc2da0a972a8ca5d698c85a9f967559ac5f8ee1797b77408aa8734d073c",
        },
    ),
    ("Darwin", "arm64"): (
        "macosx_14_0_arm64",
        {
            "cp310": "94f0de129916f77b8dc2c7a8eff644cfeddfe59e39c9f55e9f6e17543410281d",
            "cp311": "e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8",
            "cp312": "2fe228aba290d14b9f31b049be550dbd469c3fd3013d7a19705b30454da97027",
            "cp313": "33449899ce5496c1b84b4853179d94fd102028ae1407314d9fb956bb79e70d09",
            "cp314": "d849b390e07d8d333ce8ecaf91b273c656c598379a19c9acf1318a883f6b391c",
        },
    ),
}
#: The wheel to take where there is none for the Python at hand.
ANY_PYTHON = "cp312"

#: CUDA's libraries that the CPU half needs on Linux.
CUDA = {
    "x86_64": (
        Wheel(
            "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
        ),
        Wheel(
            "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
            "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
        ),
    ),
    "aarch64": (
        Wheel(
            "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_aarch64.manylinux_2_17_aarch64.whl",
            "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55",
        ),
        Wheel(
            "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_aarch64.whl",
            "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151",
        ),
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuda", action="store_true", help="want PyTorch with CUDA, for a machine with an NVIDIA GPU")
    parser.add_argument(
        "--python", metavar="PATH", help="instead: let that Python import the PyTorch at hand; downloads nothing"
    )
    arguments = parser.parse_args()
    try:
        if arguments.python:
            share_with(arguments.python)
        else:
            say(provide(arguments.cuda))
    except (Failure, OSError) as failure:
        say(f"error: {failure}")
        return 1
    except KeyboardInterrupt:
        say("interrupted: the next run goes on from here")
        return 130
    return 0


def provide(cuda: bool, link: Path = LINK) -> str:
    """Sees to it that cargo finds libtorch, and says where it is."""
    set_by_user = from_environment()
    if set_by_user is not None:
        demand(set_by_user, cuda, "LIBTORCH", "unset it")
        return f"libtorch: {set_by_user} (LIBTORCH)"
    if link.exists() and not link.is_symlink():
        demand(link, cuda, "the folder", "remove it")
    if fault(link, cuda) is not None:
        point(link, importable(cuda) or cached(cuda) or downloaded(cuda))
    return f"libtorch: {link.name} -> {link.resolve()}"


def from_environment() -> Optional[Path]:
    """What the user has set LIBTORCH to; as `torch-sys` sees it, which cargo runs elsewhere."""
    value = os.environ.get("LIBTORCH")
    return ROOT / value if value else None


def demand(directory: Path, cuda: bool, what: str, undo: str) -> None:
    """Fails, for a directory of the user's own, with what is wrong with it."""
    wrong = fault(directory, cuda)
    if wrong is not None:
        raise Failure(f"{what} {directory} {wrong}: correct it, or {undo} to have libtorch {VERSION} fetched")


def fault(directory: Path, cuda: bool = False) -> Optional[str]:
    """What keeps `directory` from being a libtorch that we can link; None if nothing does."""
    library = "libtorch.dylib" if platform.system() == "Darwin" else "libtorch.so"
    for part in ("lib/" + library, "include/torch/csrc/api/include/torch/torch.h"):
        if not (directory / part).is_file():
            return f"has no {part}"
    version = version_of(directory)
    if version not in (None, VERSION) and "LIBTORCH_BYPASS_VERSION_CHECK" not in os.environ:
        return f"is version {version}, not {VERSION}"
    if cuda and not (directory / "lib" / "libtorch_cuda.so").is_file():
        return "is for the CPU alone (no lib/libtorch_cuda.so)"
    return None


def version_of(directory: Path) -> Optional[str]:
    """A libtorch's version, from the file that the zip archive or the Python package has; None: it has neither."""
    for name, pattern in (("build-version", r"([\d.]+)"), ("version.py", r"__version__ = '([\d.]+)")):
        path = directory / name
        found = re.search(pattern, path.read_text()) if path.is_file() else None
        if found:
            return found[1].rstrip(".")
    return None


def importable(cuda: bool) -> Optional[Path]:
    """The folder of the PyTorch that this Python would import, if it will do."""
    spec = importlib.util.find_spec("torch")
    directory = Path(spec.origin).parent if spec and spec.origin else None
    return directory if directory and fault(directory, cuda) is None else None


def cache() -> Path:
    """The user's folder of what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "thermoflow"


def package(cuda: bool, python: str) -> Path:
    """Where in the cache PyTorch for that Python (`cp311`) is kept, as a folder of Python packages."""
    return cache() / f"torch-{VERSION}-{'cuda' if cuda else 'cpu'}-{python}"


def cached(cuda: bool) -> Optional[Path]:
    """A libtorch in the cache; for linking it does not matter for which Python it was made."""
    sites = [package(cuda, this_python()), *sorted(cache().glob(package(cuda, "cp*").name))]
    return next((site / "torch" for site in sites if fault(site / "torch", cuda) is None), None)


def downloaded(cuda: bool) -> Path:
    """Fetches and unpacks PyTorch into the cache. Of runs at the same time, one does it and the others wait."""
    with locked():
        found = cached(cuda)
        if found is not None:
            return found
        for leftover in cache().glob("unpack-*"):
            shutil.rmtree(leftover)
        tag, wheel = torch_wheel()
        if cuda and tag != this_python():
            raise Failure(f"there is no PyTorch {VERSION} for this Python: use Python 3.10 to 3.14, or set LIBTORCH")
        wheels = cache() / "wheels"
        path = fetch(wheel, wheels)
        runtime = [] if cuda or platform.system() != "Linux" else [fetch(w, wheels) for w in CUDA[platform.machine()]]
        site = package(cuda, tag)
        unpack(path, runtime, site, cuda)
        # What was unpacked is complete: nothing will ask for the wheels again.
        for used in [path, *runtime]:
            used.unlink()
        return site / "torch"


def unpack(wheel: Path, runtime: list, site: Path, cuda: bool) -> None:
    """Makes `site` out of the wheels; it appears at once and complete."""
    unfinished = Path(tempfile.mkdtemp(prefix="unpack-", dir=cache()))
    unfinished.chmod(0o755)
    if cuda:
        say("installing PyTorch with CUDA, 3 GB: this takes minutes, and says nothing in between")
        pip("install", "--quiet", "--target", str(unfinished), "--only-binary=:all:", str(wheel))
    else:
        say(f"unpacking {wheel.name}")
        if platform.system() == "Linux":
            cpu_only.unpack(wheel, runtime, unfinished)
        else:
            cpu_only.extract(wheel, unfinished)
    wrong = fault(unfinished / "torch", cuda)
    if wrong is not None:
        raise Failure(f"{wheel.name}, unpacked, {wrong}")
    os.sync()
    shutil.rmtree(site, ignore_errors=True)
    unfinished.rename(site)


def torch_wheel() -> tuple:
    """The wheel to download on this machine, and the Python that it is for."""
    machine = (platform.system(), platform.machine())
    if machine not in TORCH or (machine[0] == "Linux" and platform.libc_ver()[0] != "glibc"):
        known = ", ".join(" ".join(key) for key in TORCH)
        raise Failure(
            f"no libtorch {VERSION} is known for {' '.join(machine)} (there is for: {known}; on Linux with glibc). "
            "Set LIBTORCH to a directory with its include/ and lib/"
        )
    ending, hashes = TORCH[machine]
    tag = this_python() if this_python() in hashes else ANY_PYTHON
    return tag, Wheel(f"torch-{VERSION}-{tag}-{tag}-{ending}.whl", hashes[tag])


def this_python() -> str:
    """This Python in the words of wheels: `cp311`; `cp313t` for one without a global lock."""
    free_threaded = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return f"cp{sys.version_info[0]}{sys.version_info[1]}{free_threaded}"


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Keeps other runs out of the cache; the system undoes it if we are killed."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run that is filling the cache")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def point(link: Path, target: Path) -> None:
    """Makes `link` a symbolic link to `target`, in one step even if it exists."""
    with tempfile.TemporaryDirectory(dir=link.parent, prefix=f"{link.name}-") as folder:
        new = Path(folder, "link")
        new.symlink_to(target)
        os.replace(new, link)


def share_with(python: str) -> None:
    """Lets the interpreter `python` import the PyTorch that is here, if one is made for it."""
    query = "import sys, sysconfig as s; print(s.get_config_var('EXT_SUFFIX'), s.get_path('purelib'), sep='\\n')"
    suffix, packages = cpu_only.run([python, "-c", query]).split("\n")[:2]
    libtorch = from_environment() or LINK
    sites = [libtorch.resolve().parent, *sorted(cache().glob(f"torch-{VERSION}-*"))]
    site = next((site for site in sites if (site / "torch" / ("_C" + suffix)).is_file()), None)
    if site is None:
        raise Failure(f"there is no PyTorch here that {python} could import (Thermoflow itself needs none)")
    entry = Path(packages, "thermoflow-torch.pth")
    if entry.is_file() and entry.read_text().strip() == str(site):
        return
    if site.name.startswith(package(False, "").name) and platform.system() == "Linux":
        with locked():
            cpu_only.make_importable(site)
    entry.write_text(f"{site}\n")
    attempt = subprocess.run([python, "-c", "import torch"], capture_output=True, text=True)
    if attempt.returncode != 0:
        entry.unlink()
        reason = (attempt.stderr.strip().splitlines() or [f"exit status {attempt.returncode}"])[-1]
        raise Failure(f"{python} cannot import {site / 'torch'}: {reason}")
    say(f"{python} imports PyTorch from {site}")


if __name__ == "__main__":
    sys.exit(main())
