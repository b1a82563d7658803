"""inv in a checkout of its own, with a false invoke (a wheel made here), so that no network is needed."""

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.host.left import Left
from tests.host.mirror import Mirror
from tests.project import ROOT

# An environment costs three seconds of a processor: all tests here share one, so they run in one process.
pytestmark = pytest.mark.xdist_group("inv")

PROGRAM = "import os, sys; print(os.getcwd(), sys.argv[1:])"


@dataclass(frozen=True)
class Checkout:
    root: Path
    wheels: Path

    def lock(self, version: str, digest: str = "") -> None:
        file = self.wheels / f"invoke-{version}-py3-none-any.whl"
        with zipfile.ZipFile(file, "w") as wheel:
            info = f"invoke-{version}.dist-info"
            texts = {
                "invoke/__init__.py": f"version = '{version}'\n",
                "invoke/__main__.py": f"print('{version}'); {PROGRAM}\n",
                f"{info}/METADATA": f"Metadata-Version: 2.1\nName: invoke\nVersion: {version}\n",
                f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            }
            for name, text in texts.items():
                wheel.writestr(zipfile.ZipInfo(name), text)  # without the time: the same bytes again
            record = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in texts.items())
            wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD"), f"{record}{info}/RECORD,,\n")
        digest = digest or hashlib.sha256(file.read_bytes()).hexdigest()
        (self.root / "requirements.lock").write_text(f"invoke=={version} --hash=sha256:{digest}\n")

    def start(
        self, *arguments: str, env: Mapping[str, str] = {}, cwd: Path | None = None, start_new_session: bool = False
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.root / "inv", *arguments],
            cwd=cwd or self.root,
            env={**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.wheels.as_uri(), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=start_new_session,
        )

    def run(self, *arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
        process = self.start(*arguments, cwd=cwd)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("a b") / "it's", tmp_path_factory.mktemp("wheels"))
    made.root.mkdir()
    shutil.copy(ROOT / "inv", made.root)
    made.lock("1")
    return made


def test_two_at_once_make_one_environment(checkout: Checkout) -> None:
    running = [checkout.start("x", f"a b{number}") for number in range(2)]
    ended = [(*process.communicate(timeout=120), process.returncode) for process in running]
    assert [status for *_, status in ended] == [0, 0]
    assert sum("making .venv" in err for _, err, _ in ended) == 1
    for number, (out, _, _) in enumerate(ended):
        assert f"['--search-root', \"{checkout.root}\", 'x', 'a b{number}']" in out


def test_nothing_is_made_again(checkout: Checkout, tmp_path: Path) -> None:
    checkout.run()
    before = (checkout.root / ".venv").stat().st_ino
    status, out, err = checkout.run("x", cwd=tmp_path)
    assert (status, err) == (0, "") and str(tmp_path) in out
    assert (checkout.root / ".venv").stat().st_ino == before


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_list_of_tasks(checkout: Checkout, arguments: list[str]) -> None:
    assert "'--list']" in checkout.run(*arguments)[1]


def test_help_of_a_task_is_passed_on(checkout: Checkout) -> None:
    assert "'--help', 'build']" in checkout.run("--help", "build")[1]


@pytest.mark.parametrize(
    "words", [["build", "-r", "offline"], ["boot", "-c"], ["test", "--overlay", "sudo", "-k", "x"]]
)
def test_a_short_option_is_refused(checkout: Checkout, words: list[str]) -> None:
    """invoke would take it for one of its own, wherever it stands, and the task would do something else."""
    status, out, err = checkout.run(*words)
    assert (status, out) == (1, "")
    assert f": there are no short options; ./inv --help {words[0]} lists" in err


def test_options_of_invoke_come_before_the_task(checkout: Checkout) -> None:
    assert "'-e', 'build', '-h'" in checkout.run("-e", "build", "-h")[1]


def test_a_package_with_another_hash(checkout: Checkout) -> None:
    checkout.lock("1")
    checkout.run()
    checkout.lock("2", digest="0" * 64)
    status, _, err = checkout.run("x")
    assert status != 0 and "DO NOT MATCH THE HASHES" in err and err.strip().endswith(".venv was not changed")
    assert not (checkout.root / ".venv.new").exists()
    checkout.lock("1")
    assert checkout.run("x")[1].startswith("1\n")


def test_the_lock_file_changes(checkout: Checkout) -> None:
    checkout.lock("1")
    assert checkout.run("x")[1].startswith("1\n")
    checkout.lock("2")
    status, out, err = checkout.run("x")
    assert status == 0 and out.startswith("2\n") and "making .venv" in err


def test_the_line_to_run_for_an_ordinary_user(checkout: Checkout, tmp_path: Path) -> None:
    """Without newuidmap on the PATH, and with an `id` that says so."""
    for name in ("readlink", "dirname", "sha256sum", "cut", "cat", "flock", "setsid", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    process = checkout.start("x", env={"PATH": str(tmp_path)})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and out == ""
    assert err.splitlines()[-1].endswith(" && sudo apt-get install --no-install-recommends uidmap")


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_stopped_while_the_environment_is_made(checkout: Checkout, name: Literal["INT", "TERM"]) -> None:
    """At once, though pip waits for an index that does not answer; what there was stays, and works."""
    before = checkout.run("x")
    assert before[0] == 0
    lock = (checkout.root / "requirements.lock").read_text()
    left = Left(checkout.root)
    (checkout.root / "requirements.lock").write_text(f"absent==1 --hash=sha256:{'0' * 64}\n")
    silent = Mirror(lambda _: None)
    silent.faults["."] = "silent"
    with silent.serving():
        environment = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": f"{silent.uri}/"}
        process = checkout.start("x", env=environment, start_new_session=True)
        while not silent.asked:
            assert process.poll() is None
            time.sleep(0.05)
        if name == "INT":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.terminate()
        _, err = process.communicate(timeout=30)
    assert process.returncode == {"INT": 130, "TERM": 143}[name]
    assert err == "inv: making .venv (once)\ninv: interrupted\n"
    assert left.behind() == [] and not (checkout.root / ".venv.new").exists()
    (checkout.root / "requirements.lock").write_text(lock)
    assert checkout.run("x") == (*before[:2], "")
