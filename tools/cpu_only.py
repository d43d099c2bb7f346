"""Turns PyTorch's wheel for Linux, a CUDA build of 1.5 GB that needs 2 GB more, into one for the CPU alone (0.6 GB).

The wheel's libraries name CUDA's as needed, so it is not enough to leave those out. Three things take their place:
`libtorch.so` is made anew without the GPU half; the small runtime and profiling libraries that `libtorch_cpu.so`
calls come from wheels of their own; and for `import torch` the rest are stand-ins, whose functions end the program if
they are ever called. The stand-ins lie where only Python's half looks for them, because `torch-sys` takes a
`libtorch_cuda.so` beside `libtorch.so` for a GPU build.
"""

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path
from typing import Iterable, List, Set

from wheels import Failure

#: What a program on the CPU does not need of the wheel: 1 GB.
LEFT_OUT = (
    "torch/lib/libtorch.so",
    "torch/lib/libtorch_cuda*.so",
    "torch/lib/libtorch_nvshmem.so",
    "torch/lib/libcaffe2_nvrtc.so",
)
#: What libtorch_cpu.so needs of CUDA's wheels.
CUDA_LIBRARIES = ("*/libcudart.so.*", "*/libcupti.so.*")
#: Where the wheel's libraries look for CUDA's, from the folder that holds the package `torch`.
STAND_INS = Path("nvidia", "cu13", "lib")
#: CUDA libraries that Python's half names as needed; what it calls in them, the stand-in for libtorch_cuda.so has too.
EMPTY_STAND_INS = ("libcudnn.so.9", "libcufile.so.0", "libnccl.so.2")
#: What must not be mistaken for CUDA's: some of these symbols are called without their version.
SYSTEM_LIBRARIES = ("libstdc++.so.6", "libc.so.6", "libdl.so.2")


def unpack(torch: Path, cuda: Iterable[Path], site: Path) -> None:
    """Makes `site` a folder of Python packages with a CPU-only `torch`, from its wheel and those of CUDA."""
    extract(torch, site, LEFT_OUT)
    libraries = site / "torch" / "lib"
    for wheel in cuda:
        extract_flat(wheel, CUDA_LIBRARIES, libraries)
    needed = ["-L.", "-Wl,--no-as-needed", "-ltorch_cpu", "-lc10", "-Wl,-rpath,$ORIGIN"]
    make_library(libraries / "libtorch.so", "", needed)


def extract(wheel: Path, site: Path, left_out: Iterable[str] = ()) -> None:
    """Unpacks a wheel as pip would, without the members that match a pattern of `left_out`."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if any(fnmatch(member.filename, pattern) for pattern in left_out):
                continue
            path = archive.extract(member, site)
            if not member.is_dir() and member.external_attr >> 16 & 0o111:
                os.chmod(path, 0o755)


def extract_flat(wheel: Path, patterns: Iterable[str], folder: Path) -> None:
    """Unpacks the members that match one of `patterns` into `folder` itself."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if any(fnmatch(name, pattern) for pattern in patterns):
                with archive.open(name) as source, (folder / Path(name).name).open("wb") as target:
                    shutil.copyfileobj(source, target)


def make_importable(site: Path) -> None:
    """Adds the stand-ins that `import torch` needs to an unpacked `site`, unless they are there."""
    folder, libraries = site / STAND_INS, site / "torch" / "lib"
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        unfinished = Path(temporary, "lib")
        unfinished.mkdir()
        for name in EMPTY_STAND_INS:
            make_library(unfinished / name, "")
        source = stand_in_source(sorted(missing_symbols(libraries)))
        make_library(unfinished / "libtorch_cuda.so", source, ["-Wl,--no-as-needed", "-lstdc++"])
        unfinished.rename(folder)


def missing_symbols(libraries: Path) -> Set[str]:
    """What Python's half of torch calls and no library here has: CUDA's functions, classes and tables."""
    missing = symbols(libraries / "libtorch_python.so", undefined=True)
    system = [Path(run([*compiler(), f"-print-file-name={name}"]).strip()) for name in SYSTEM_LIBRARIES]
    for library in [*libraries.glob("*.so*"), *filter(Path.exists, system)]:
        missing -= symbols(library, undefined=False)
    return {name for name in missing if not name.startswith(("Py", "_Py"))}


def symbols(library: Path, undefined: bool) -> Set[str]:
    """The symbols that a library needs, or those that it has.

    Those that it needs leave out what it can do without (weak) and what is marked as the C and C++ libraries'.
    """
    listing = run(["readelf", "-W", "--dyn-syms", str(library)])
    rows = [line.split() for line in listing.splitlines()]
    # Columns: number, value, size, type, binding, visibility, section, name[@version].
    rows = [row for row in rows if len(row) >= 8 and row[0].rstrip(":").isdigit()]
    if undefined:
        names = [row[7] for row in rows if row[6] == "UND" and row[4] == "GLOBAL"]
        return {name.split("@")[0] for name in names if not re.search("@(GLIBC|GLIBCXX|CXXABI|GCC)_", name)}
    return {row[7].split("@")[0] for row in rows if row[6] != "UND"}


#: How every stand-in ends the program, and the three whose work starts already at `import torch`.
STAND_IN_PRELUDE = """
#include <stdio.h>
#include <stdlib.h>

static void refuse(const char *name) {
    fprintf(stderr, "%s: this PyTorch was set up for the CPU alone\\n", name);
    abort();
}

/* The C++ library's table for classes without bases. */
extern void *class_type_info[] __asm__("_ZTVN10__cxxabiv117__class_type_infoE");

/* Returns a reference to a function pointer, which is assigned to. */
static void *checker;
void *get_gil_checker(void) __asm__("_ZN4c10d15get_gil_checkerEv");
void *get_gil_checker(void) { return &checker; }

/* Constructs a default argument, whose class Python then asks for. */
static void nothing(void) {}
static void *options_type[] = {class_type_info + 2, "Options"};
static void *options_table[] = {0, options_type, nothing, nothing, nothing, nothing, nothing, nothing, nothing};
void make_options(void **self, char high_priority) __asm__("_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb");
void make_options(void **self, char high_priority) { (void)high_priority; *self = options_table + 2; }
"""
AT_IMPORT = ("_ZN4c10d15get_gil_checkerEv", "_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb")


def stand_in_source(names: List[str]) -> str:
    """C source that defines every one of the symbols `names`, given as the C++ compiler spells them."""
    lines = [STAND_IN_PRELUDE]
    for number, name in enumerate(name for name in names if name not in AT_IMPORT):
        if name.startswith("_ZTI"):  # A class: its kind and its name.
            lines.append(f'void *s{number}[] __asm__("{name}") = {{class_type_info + 2, "{name[4:]}"}};')
        elif name.startswith("_ZTV"):  # A class's table of functions.
            lines.append(f'void *s{number}[64] __asm__("{name}");')
        else:
            lines.append(f'void s{number}(void) __asm__("{name}");\nvoid s{number}(void) {{ refuse("{name}"); }}')
    return "\n".join(lines) + "\n"


def make_library(path: Path, source: str, options: Iterable[str] = ()) -> None:
    """Compiles C `source` to the shared library `path`; `options` are as seen from its folder."""
    with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
        file.write(source)
        file.flush()
        arguments = ["-shared", "-fPIC", "-o", path.name, f"-Wl,-soname,{path.name}", file.name, *options]
        run([*compiler(), *arguments], folder=path.parent)


def compiler() -> List[str]:
    """The C compiler's command."""
    return os.environ.get("CC", "cc").split()


def run(command: List[str], folder: Path = Path(".")) -> str:
    """A tool's output. It speaks English, so that it can be read."""
    try:
        environment = dict(os.environ, LC_ALL="C")
        return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise Failure(f"`{command[0]}` is missing: install gcc, g++ and binutils (`apt install build-essential`)")
    except subprocess.CalledProcessError as error:
        raise Failure(f"`{' '.join(command)}` failed:\n{error.stderr.strip()}")
