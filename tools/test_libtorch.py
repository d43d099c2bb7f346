"""Tests of libtorch.py, wheels.py and cpu_only.py: no network, and no PyTorch."""

import contextlib
import hashlib
import http.server
import io
import os
import shutil
import sys
import tempfile
import threading
import unittest
import zipfile
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cpu_only
import libtorch
import wheels

CONTENT = bytes(range(256)) * 20_000
FILENAME = "torch-2.13.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
WHEEL = wheels.Wheel(FILENAME, hashlib.sha256(CONTENT).hexdigest())


class Workplace(unittest.TestCase):
    """Gives each test a folder, an empty cache in it, and no LIBTORCH; keeps the terminal quiet."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.link = self.folder / ".libtorch"
        self.said = io.StringIO()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LIBTORCH")}
        ours = {"XDG_CACHE_HOME": str(self.folder), "no_proxy": "*"}
        self.patch(mock.patch.dict(os.environ, {**kept, **ours}, clear=True))
        self.patch(contextlib.redirect_stderr(self.said))
        self.patch(mock.patch("time.sleep"))
        self.patch(mock.patch("libtorch.importable", return_value=None))

    def patch(self, context):
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def make_libtorch(self, directory, version=None, cuda=False):
        """A folder that looks like libtorch."""
        library = "libtorch.dylib" if sys.platform == "darwin" else "libtorch.so"
        for part in ("include/torch/csrc/api/include/torch/torch.h", "lib/" + library):
            (directory / part).parent.mkdir(parents=True)
            (directory / part).touch()
        if version:
            (directory / "build-version").write_text(version + "\n")
        if cuda:
            (directory / "lib" / "libtorch_cuda.so").touch()
        return directory


class Names(unittest.TestCase):
    def test_a_wheel_is_told_to_pip_by_its_file_name(self):
        self.assertEqual(WHEEL.requirement, "torch==2.13.0")
        options = " ".join(WHEEL.pip_options())
        self.assertIn("--abi cp311 --implementation cp --python-version 311", options)
        self.assertIn("--platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64", options)

    def test_every_pinned_hash_is_a_sha256_of_its_own(self):
        pins = [pin for _, hashes in libtorch.TORCH.values() for pin in hashes.values()]
        pins += [wheel.sha256 for pair in libtorch.CUDA.values() for wheel in pair]
        self.assertEqual(len(pins), len(set(pins)))
        for pin in pins:
            self.assertRegex(pin, "^[0-9a-f]{64}$")

    def test_an_unknown_machine_is_told_to_set_libtorch(self):
        with mock.patch("platform.machine", return_value="sparc"):
            with self.assertRaisesRegex(wheels.Failure, "Set LIBTORCH"):
                libtorch.torch_wheel()

    def test_the_url_is_found_in_what_pip_says(self):
        for line in (
            f"  Found link https://host.example/a1/{FILENAME} (from https://host.example/simple/), version: 2.13.0",
            f"  Found link https://host.example/a1/{FILENAME}#sha256=12 (from -f), version: 2.13.0",
            f"  Skipping link: none of the wheel's tags are compatible: https://host.example/a1/{FILENAME} (from x)",
        ):
            self.assertEqual(wheels.url_in(line, FILENAME), f"https://host.example/a1/{FILENAME}")
        self.assertIsNone(wheels.url_in(f"Found link https://host.example/{FILENAME}.metadata (from x)", FILENAME))
        self.assertIsNone(wheels.url_in(f"Found link https://me:****@host.example/{FILENAME} (from x)", FILENAME))


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, with the faults that a test asks for."""

    ranges = True
    refuse = 0
    #: Bytes after which each of the next connections is cut.
    cuts = []
    #: The first byte that each request asked for.
    asked = []

    def do_GET(self):
        start = int(self.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
        self.asked.append(start)
        start = start if self.ranges else 0
        if self.refuse or start >= len(CONTENT):
            self.send_error(self.refuse or 416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.cuts.pop(0)] if self.cuts else body)

    def log_message(self, *_):
        pass


class Download(Workplace):
    def setUp(self):
        super().setUp()
        self.faults = type("Faults", (Server,), {"asked": [], "cuts": []})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.faults)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_address[1]}/{FILENAME}"
        self.wheels = self.folder / "wheels"
        self.part = self.wheels / (FILENAME + ".part")
        self.patch(mock.patch("wheels.tls_context", return_value=None))
        self.patch(mock.patch("wheels.locate", side_effect=lambda wheel: self.url))

    def leave_part(self, content):
        self.wheels.mkdir()
        self.part.write_bytes(content)

    def fetch(self):
        path = wheels.fetch(WHEEL, self.wheels)
        self.assertEqual(path.read_bytes(), CONTENT)
        self.assertFalse(self.part.exists())

    def test_goes_on_where_a_killed_run_stopped(self):
        self.leave_part(CONTENT[:3000])
        self.fetch()
        self.assertEqual(self.faults.asked, [3000])

    def test_goes_on_when_the_connection_is_cut(self):
        self.faults.cuts += [100_000, 200_000]
        self.fetch()
        self.assertEqual(self.faults.asked, [0, 100_000, 300_000])

    def test_begins_again_where_the_server_knows_no_ranges(self):
        self.faults.ranges = False
        self.leave_part(CONTENT[:3000])
        self.fetch()

    def test_begins_again_when_the_part_is_too_long(self):
        self.leave_part(CONTENT + b"more")
        self.fetch()

    def test_a_complete_part_is_kept_only_if_it_is_right(self):
        self.leave_part(b"x" + CONTENT[1:])
        self.fetch()
        self.assertEqual(self.faults.asked, [len(CONTENT), 0])

    def test_a_damaged_download_is_deleted_and_named(self):
        self.leave_part(b"damaged")
        with self.assertRaisesRegex(wheels.Failure, f"{FILENAME}.* has SHA-256 .*deleted; run this again"):
            wheels.fetch(WHEEL, self.wheels)
        self.assertEqual(list(self.wheels.iterdir()), [])
        self.fetch()

    def test_gives_up_after_failures_in_a_row(self):
        self.faults.refuse = 503
        with self.assertRaisesRegex(wheels.Failure, "stopped at 0 MB.*503"):
            wheels.fetch(WHEEL, self.wheels)
        self.assertEqual(len(self.faults.asked), wheels.ATTEMPTS)

    def test_lets_pip_download_where_we_are_refused(self):
        self.faults.refuse = 401

        def download(*arguments):
            self.assertEqual(arguments[0], "download")
            (self.wheels / FILENAME).write_bytes(CONTENT)

        self.patch(mock.patch("wheels.pip", side_effect=download))
        self.fetch()

    def test_what_pip_downloads_is_checked_too(self):
        self.url = None
        self.patch(mock.patch("wheels.pip", side_effect=lambda *_: (self.wheels / FILENAME).write_bytes(b"other")))
        with self.assertRaisesRegex(wheels.Failure, "SHA-256"):
            wheels.fetch(WHEEL, self.wheels)

    def test_a_wheel_that_is_there_is_used(self):
        self.wheels.mkdir()
        (self.wheels / FILENAME).write_bytes(CONTENT)
        self.fetch()
        self.assertEqual(self.faults.asked, [])

    def test_a_local_file_can_be_the_source(self):
        source = self.folder / FILENAME
        source.write_bytes(CONTENT)
        self.url = source.as_uri()
        self.fetch()


class Choice(Workplace):
    """Where libtorch is taken from."""

    def setUp(self):
        super().setUp()
        self.downloads = []
        self.patch(mock.patch("libtorch.torch_wheel", return_value=("cp311", WHEEL)))
        self.patch(mock.patch("libtorch.fetch", side_effect=self.fetch))
        self.patch(mock.patch("cpu_only.unpack", side_effect=lambda *a: self.make_libtorch(a[2] / "torch")))
        self.patch(mock.patch("cpu_only.extract", side_effect=lambda _, site: self.make_libtorch(site / "torch")))

    def fetch(self, wheel, folder):
        self.downloads.append(wheel.filename)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / wheel.filename
        path.touch()
        return path

    def provide(self, cuda=False):
        libtorch.provide(cuda, self.link)
        return self.link.resolve()

    def test_a_libtorch_of_the_users_own_wins(self):
        os.environ["LIBTORCH"] = str(self.make_libtorch(self.folder / "own", "2.13.0+cpu"))
        self.provide()
        self.assertFalse(os.path.lexists(self.link))
        self.assertEqual(self.downloads, [])

    def test_a_wrong_libtorch_of_the_users_own_is_an_error(self):
        os.environ["LIBTORCH"] = str(self.folder / "own")
        with self.assertRaisesRegex(wheels.Failure, "LIBTORCH .*/own has no lib/"):
            self.provide()
        self.make_libtorch(self.folder / "own", "2.12.1+cpu")
        with self.assertRaisesRegex(wheels.Failure, "is version 2.12.1, not 2.13.0: correct it, or unset it"):
            self.provide()
        os.environ["LIBTORCH_BYPASS_VERSION_CHECK"] = "1"
        self.provide()

    def test_a_folder_in_the_links_place_is_left_alone(self):
        self.link.mkdir()
        with self.assertRaisesRegex(wheels.Failure, "remove it"):
            self.provide()
        self.make_libtorch(self.link)
        self.provide()
        self.assertFalse(self.link.is_symlink())

    def test_an_importable_pytorch_is_linked(self):
        installed = self.make_libtorch(self.folder / "site-packages" / "torch")
        libtorch.importable.return_value = installed
        self.assertEqual(self.provide(), installed)

    def test_the_first_run_downloads_and_the_next_checkout_does_not(self):
        first = self.provide()
        self.assertEqual(first, self.folder / "thermoflow" / "torch-2.13.0-cpu-cp311" / "torch")
        count = len(self.downloads)
        self.assertGreaterEqual(count, 1)
        self.assertEqual(list((self.folder / "thermoflow" / "wheels").iterdir()), [])
        self.provide()
        self.link.unlink()
        self.assertEqual(self.provide(), first)
        self.assertEqual(len(self.downloads), count)

    def test_a_link_to_nowhere_is_renewed(self):
        self.link.symlink_to(self.folder / "gone")
        self.assertEqual(self.provide().name, "torch")

    def test_remains_of_a_killed_run_are_removed(self):
        (self.folder / "thermoflow" / "unpack-1" / "torch").mkdir(parents=True)
        self.provide()
        self.assertEqual(list((self.folder / "thermoflow").glob("unpack-*")), [])

    def test_a_failure_while_unpacking_leaves_no_libtorch(self):
        cpu_only.unpack.side_effect = cpu_only.extract.side_effect = wheels.Failure("the disk is full")
        with self.assertRaises(wheels.Failure):
            self.provide()
        self.assertFalse(os.path.lexists(self.link))
        self.assertIsNone(libtorch.cached(False))

    def test_of_runs_at_the_same_time_one_downloads(self):
        links = [self.folder / f"checkout-{n}" / ".libtorch" for n in range(8)]
        threads = [threading.Thread(target=libtorch.provide, args=(False, link)) for link in links]
        for link in links:
            link.parent.mkdir()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len({link.resolve(strict=True) for link in links}), 1)
        self.assertEqual(self.downloads.count(FILENAME), 1)

    def test_cuda_is_not_content_with_a_libtorch_for_the_cpu(self):
        self.provide()
        gpu = self.make_libtorch(libtorch.package(True, "cp311") / "torch", cuda=True)
        self.assertEqual(self.provide(cuda=True), gpu)
        # But a GPU build serves the CPU.
        self.assertEqual(self.provide(), gpu)


class CpuOnly(Workplace):
    def test_unpacks_all_but_what_is_left_out(self):
        wheel = self.folder / FILENAME
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("torch/lib/libtorch_cpu.so", "cpu")
            archive.writestr("torch/lib/libtorch_cuda.so", "cuda")
            archive.writestr("torch/lib/libtorch_cuda_linalg.so", "cuda")
            program = zipfile.ZipInfo("torch/bin/program")
            program.external_attr = 0o755 << 16
            archive.writestr(program, "program")
        site = self.folder / "site"
        cpu_only.extract(wheel, site, cpu_only.LEFT_OUT)
        found = sorted(str(path.relative_to(site)) for path in site.rglob("*") if path.is_file())
        self.assertEqual(found, ["torch/bin/program", "torch/lib/libtorch_cpu.so"])
        self.assertTrue(os.access(site / "torch/bin/program", os.X_OK))

    def test_takes_the_libraries_out_of_cudas_wheels(self):
        wheel = self.folder / FILENAME
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("nvidia/cu13/lib/libcudart.so.13", "runtime")
            archive.writestr("nvidia/cu13/include/cuda.h", "header")
        cpu_only.extract_flat(wheel, cpu_only.CUDA_LIBRARIES, self.folder)
        self.assertEqual((self.folder / "libcudart.so.13").read_text(), "runtime")
        self.assertFalse((self.folder / "cuda.h").exists())

    @unittest.skipUnless(sys.platform == "linux" and shutil.which("cc"), "needs Linux and a C compiler")
    def test_stand_ins_have_the_symbols_that_are_missing(self):
        libraries = self.folder / "site" / "torch" / "lib"
        libraries.mkdir(parents=True)
        cpu_only.make_library(libraries / "libtorch_cpu.so", "void at_home(void) {}")
        python_half = (
            "void at_home(void); void PyList_New(void); void puts(const char *);\n"
            'void cuda(void) __asm__("_ZN2at4cuda5sleepEl");\n'
            'extern char type[] __asm__("_ZTIN4c10d16ProcessGroupNCCLE");\n'
            'extern char table[] __asm__("_ZTVN5torch3jit10tensorexpr11CudaCodeGenE");\n'
            "char *use(void) { at_home(); PyList_New(); puts(type); cuda(); return table; }\n"
        )
        cpu_only.make_library(libraries / "libtorch_python.so", python_half)
        wanted = {"_ZN2at4cuda5sleepEl", "_ZTIN4c10d16ProcessGroupNCCLE", "_ZTVN5torch3jit10tensorexpr11CudaCodeGenE"}
        self.assertEqual(cpu_only.missing_symbols(libraries), wanted)

        cpu_only.make_importable(self.folder / "site")
        folder = self.folder / "site" / cpu_only.STAND_INS
        made = cpu_only.symbols(folder / "libtorch_cuda.so", undefined=False)
        self.assertLessEqual(wanted | set(cpu_only.AT_IMPORT), made)
        self.assertLessEqual(set(cpu_only.EMPTY_STAND_INS), {path.name for path in folder.iterdir()})

    def test_a_failing_compiler_is_quoted(self):
        with self.assertRaisesRegex(wheels.Failure, "is missing: install gcc"):
            cpu_only.run(["no-such-compiler"])


if __name__ == "__main__":
    unittest.main()
