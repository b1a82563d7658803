"""What the tests of the sandbox share with those of the build system (hypothesis' settings), and with each other."""

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

import tests.conftest  # noqa: F401
from image.paths import Paths
from image.plan import Plan
from image.toolbox import Toolbox, is_built
from overlays.sandboxd.author.bundled import assemble
from overlays.sandboxd.author.samples import SAMPLES
from overlays.sandboxd.author.tools import Tools
from qemu.machine import Machine
from qemu.terminal import Terminal
from tests.project import ROOT

APP = "org.example.app"
#: An app that runs what it is told to, or says what it is.
PROGRAM = '#!/bin/sh\n[ $# -gt 0 ] || exec echo "hello from $0"\nexec "$@"\n'
#: What the user's answer follows.
QUESTION = "Your answer: "
PROBES = Path(__file__).parent / "probes"
Bring = Callable[..., str]


def decisions(user: Terminal, app: str = APP) -> dict[str, str]:
    """What is decided of an app, by permission."""
    lines = user.succeed("tau permissions list", 60).splitlines()
    return {line.split("  ")[1]: line.split("  ")[2] for line in lines if line.startswith(app)}


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The tools tree."""
    paths = Paths.of(ROOT)
    if not is_built(paths.cache):
        pytest.skip("the tools tree is not built yet")
    return Tools(Toolbox.load(paths.cache))


@pytest.fixture(scope="session")
def signer(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An author's key and certificate."""
    return tools.key(tmp_path_factory.mktemp("signer"), "author")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app's folder, which can be packed as it is."""
    folder = tmp_path / "app"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/app").write_text(PROGRAM)
    (folder / "bin/app").chmod(0o700)
    for probe in PROBES.glob("*.py"):
        shutil.copy(probe, folder / "bin")
    (folder / "manifest.tau").write_text('{"id": "org.example.app", "permissions": ["network"], "version": "1.2"}')
    return folder


@pytest.fixture
def pack(tools: Tools, signer: tuple[Path, Path]) -> Callable[[Path, Path], Path]:
    """Pack an app's folder into a file."""

    def packed(folder: Path, target: Path) -> Path:
        key, certificate = signer
        done = tools.tau("pack", folder, "--key", key, "--certificate", certificate, "--output", target)
        assert done.returncode == 0, done.stderr
        return target

    return packed


@pytest.fixture
def bring(tools: Tools, signer: tuple[Path, Path], app: Path, plan: Plan, machine: Machine) -> Bring:
    """Make a bundle and bring it to the machine; returns its path there."""

    def brought(
        file: str,
        /,
        by: tuple[Path, Path] = signer,
        edit: tuple[bytes, bytes] = (b"", b""),
        programs: dict[str, str] | None = None,
        **manifest: object,
    ) -> str:
        for name, text in (programs or {}).items():
            (app / "bin" / name).write_text(text)
            (app / "bin" / name).chmod(0o755)
        content = {"id": APP, "permissions": ["network"], "version": "1.2", **manifest}
        (app / "manifest.tau").write_text(json.dumps(content))
        target = app.parent / f"{file}.raw"
        key, certificate = by
        done = tools.tau(
            "pack", app, "--key", key, "--certificate", certificate, "--output", target, "--arch", plan.arch
        )
        assert done.returncode == 0, done.stderr
        data = target.read_bytes()
        assert not edit[0] or data.count(edit[0]) == 1, "what is to be tampered with is not there once"
        path = f"/var/tmp/{file}.raw"  # noqa: S108 - on the machine under test
        assert (
            machine.run(f"cat >{path} && chmod 644 {path}", stdin=data.replace(*edit) if edit[0] else data).status == 0
        )
        return path

    return brought


@pytest.fixture
def sample(
    tools: Tools, signer: tuple[Path, Path], plan: Plan, machine: Machine, tmp_path: Path
) -> Callable[[str], str]:
    """Make the bundle of a sample app, with what it wants of Debian's packages; returns its path on the machine."""

    def brought(name: str) -> str:
        (key, certificate), folder, target = signer, tmp_path / name, tmp_path / f"{name}.raw"
        assemble(SAMPLES / name, folder, plan.arch, Paths.of(ROOT).cache)
        options = ("--key", key, "--certificate", certificate, "--output", target, "--arch", plan.arch)
        done = tools.tau("pack", folder, *options)
        assert done.returncode == 0, done.stderr
        path = f"/var/tmp/{name}.raw"  # noqa: S108 - on the machine under test
        assert machine.run(f"cat >{path} && chmod 644 {path}", stdin=target.read_bytes()).status == 0
        return path

    return brought


#: Brings the shared machine into a state that checks share (qemu/plugin.py).
KeptState = Callable[[str, Callable[[], None]], bool]


def _reach(state: str, make: Callable[[], None], kept_state: KeptState, terminal: Terminal, machine: Machine) -> None:
    """Have the first user logged in, in a state that is kept: the next check that wants the same begins with it."""

    def logged_in() -> None:
        terminal.console = machine.console
        terminal.log_in()
        make()

    if kept_state(state, logged_in):
        terminal.console, terminal.logged_in = machine.console, True


@pytest.fixture
def installed(terminal: Terminal, machine: Machine, bring: Bring, kept_state: KeptState) -> Callable[..., str]:
    """Have an app that runs what it is told to, with permissions, and its user logged in; returns what starts it."""

    def made(*permissions: str) -> str:
        def install() -> None:
            terminal.succeed(f"tau install --yes {bring('app', permissions=list(permissions))}", 120)

        # The names of snapshots are short, and plain.
        state = f"app-{zlib.crc32(' '.join(permissions).encode()):08x}"
        _reach(state, install, kept_state, terminal, machine)
        return f"tau run {APP}"

    return made


@pytest.fixture
def user(request: pytest.FixtureRequest, terminal: Terminal, machine: Machine, kept_state: KeptState) -> Terminal:
    """The first user, logged in on the console; with an app where the check wants one (a fixture `start`)."""
    if "start" in request.fixturenames:
        request.getfixturevalue("start")
    else:
        _reach("logged-in", lambda: None, kept_state, terminal, machine)
    return terminal
