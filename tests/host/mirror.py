"""A Debian archive on loopback that fails on purpose: small and signed by a key of the test's own, or a real one's."""

import contextlib
import hashlib
import http.server
import os
import re
import shutil
import socketserver
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Literal

import pytest

from image.paths import Paths
from image.toolbox import Toolbox, is_built
from tests.project import ROOT

#: What becomes of a file: not there; its first half, as if it were all; cut off in the middle; a page of a captive
#: portal in its place; one byte of it changed; the server in trouble; no answer at all.
Fault = Literal["missing", "half", "cut", "portal", "flipped", "trouble", "silent"]
PORTAL = b"<!DOCTYPE html><html><body>Please accept our terms of use.</body></html>\n"


class Mirror:
    """A server of files; `faults` are regular expressions of paths, and what becomes of those."""

    def __init__(self, content: Callable[[str], bytes | None]) -> None:
        self.faults: dict[str, Fault] = {}
        self.asked: list[str] = []
        self._content = content
        self._ended = threading.Event()
        self.port = 0

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        self.asked.append(path)
        fault = next((fault for pattern, fault in self.faults.items() if re.search(pattern, path)), None)
        if fault == "silent":
            self._ended.wait()
            return
        content = PORTAL if fault == "portal" else self._content(path)
        if fault == "trouble" or fault == "missing" or content is None:
            request.send_error(503 if fault == "trouble" else 404)
            return
        if fault == "half":
            content = content[: len(content) // 2]
        elif fault == "flipped":
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[: len(content) // 2] if fault == "cut" else content)

    @contextlib.contextmanager
    def serving(self) -> Iterator["Mirror"]:
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with contextlib.suppress(OSError):
                    mirror._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

        with Server(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_port
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield self
            finally:
                self._ended.set()
                server.shutdown()
                thread.join()


def of_folder(folder: Path) -> Mirror:
    """An archive that lies in a folder."""

    def content(path: str) -> bytes | None:
        file = folder / path.lstrip("/")
        return file.read_bytes() if file.is_file() else None

    return Mirror(content)


def of_archives(archives: Mapping[str, str]) -> Mirror:
    """Real archives, by the first part of the path, passed on."""

    def content(path: str) -> bytes | None:
        first, _, rest = path.lstrip("/").partition("/")
        try:
            with urllib.request.urlopen(f"{archives[first]}/{rest}", timeout=60) as answer:
                return bytes(answer.read())
        except (urllib.error.URLError, KeyError):
            return None

    return Mirror(content)


class SignedArchive:
    """The folder of an archive with one package in its suite forky, signed by a key made here."""

    def __init__(self, folder: Path, deb: Path) -> None:
        self.folder = folder
        self.keyring = folder / "key.gpg"
        self._home = folder / "gnupg"
        self._home.mkdir(parents=True, mode=0o700)
        self._gpg, self._gpgconf = _gpg()
        self._run("--quick-generate-key", "--passphrase", "", "a@test", "ed25519", "sign", "never")
        self.keyring.write_bytes(self._run("--export"))
        arch = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
        self.architecture = arch.stdout.strip()
        (folder / "pool").mkdir()
        shutil.copy(deb, folder / "pool" / "mkosi.deb")
        content = deb.read_bytes()
        control = subprocess.run(["dpkg-deb", "-f", deb], capture_output=True, text=True, check=True).stdout
        stanza = f"Filename: pool/mkosi.deb\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
        self.release("forky", f"{control.strip()}\n{stanza}\n")
        for suite in ("forky-updates", "forky-security"):
            self.release(suite, "")

    def release(self, suite: str, packages: str, date: float | None = None, valid_until: float | None = None) -> None:
        """Write a suite's index with these packages, and sign it. Times are in seconds since 1970."""
        base, index = self.folder / "dists" / suite, f"main/binary-{self.architecture}/Packages"
        file = base / index
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(packages)
        digest = hashlib.sha256(packages.encode()).hexdigest()
        text = f"Origin: Test\nSuite: {suite}\nCodename: {suite}\nDate: {formatdate(date)}\nComponents: main\n"
        if valid_until is not None:
            text += f"Valid-Until: {formatdate(valid_until)}\n"
        text += f"SHA256:\n {digest} {len(packages)} {index}\n"
        (base / "Release").write_text(text)
        (base / "InRelease").unlink(missing_ok=True)
        self._run("--clearsign", "--output", str(base / "InRelease"), str(base / "Release"))

    def _run(self, *arguments: str) -> bytes:
        command = [*self._gpg, "--batch", "--quiet", "--homedir", str(self._home), *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def close(self) -> None:
        """End the agent that gpg has started."""
        command = [*self._gpgconf, "--homedir", str(self._home), "--kill", "all"]
        subprocess.run(command, capture_output=True, check=False)


def _gpg() -> tuple[list[str], list[str]]:
    """gpg and gpgconf of this host, else of the tools tree."""
    if shutil.which("gpg") and shutil.which("gpgconf"):
        return ["gpg"], ["gpgconf"]
    toolbox = Toolbox.load(Paths.of(ROOT).cache) if is_built(Paths.of(ROOT).cache) else None
    if toolbox is None or not (toolbox.tree / "usr/bin/gpg").exists() or os.environ.get("TAU_NO_GPG"):
        pytest.skip("no gpg to sign an archive with, neither on this host nor in the tools tree")
    return toolbox.command("gpg"), toolbox.command("gpgconf")
