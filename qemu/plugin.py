"""The pytest plugin: machines as fixtures, for the checks of overlays inside and outside of the repository.

Loaded with ``-p qemu.plugin --image FILE``. Without an image, checks that need a machine fail; none is skipped.
"""

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from image.plan import Plan, read_plan
from image.toolbox import Toolbox
from qemu import kept, report
from qemu.artefact import plan_of
from qemu.authority import Authority
from qemu.capture import Capture
from qemu.commandline import Settings
from qemu.errors import MachineError
from qemu.machine import Machine
from qemu.net import Network, Sink
from qemu.results import begin
from qemu.servers import DohServer, TimeServer
from qemu.terminal import PASSWORD, USER, Terminal

#: Known wherever the checks are: those of an overlay outside of the repository have no configuration of ours.
_MARKERS = (
    "boot: needs a machine that has booted (set by itself for checks that use one)",
    "destructive: spoils its machine, which is then restored",
    "pristine: needs a machine that no other check has changed",
    "waits: sleeps for minutes; begun before others that boot machines of their own",
    "xdist_group(name): checks that run in one process (pytest-xdist)",
    "row(number): a row of the security model that the check shows",
)
#: Fixtures that need a machine; whatever uses one is marked ``boot``.
_MACHINES = {"machine", "host", "terminal", "capture", "fresh_machine"}
_BOOTED = "booted"
#: The fixture by which a check has the machine in a state of its own.
_KEPT_STATE = "kept_state"
_REPORTS = "tau-reports"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("tau", "machines of Tau OS")
    group.addoption("--image", type=Path, help="the image to boot")
    group.addoption("--plan", type=Path, help="its plan; default: FILE.plan.json beside the image, or the one in it")
    group.addoption("--tools-cache", type=Path, help="the cache that holds the tools tree")
    group.addoption("--keep-machine", type=Path, help="keep the booted machine here, and use it again (never in CI)")
    group.addoption("--reports", type=Path, help="where results go; default: a folder of this run below build/reports/")


def pytest_configure(config: pytest.Config) -> None:
    """Register the report.

    :raises pytest.UsageError: where testinfra's own plugin is active: its ``host`` is the machine that pytest runs on.
    """
    if config.pluginmanager.has_plugin("pytest11.testinfra"):
        raise pytest.UsageError("testinfra's own plugin would check this host; add: -p no:pytest11.testinfra")
    if config.option.reports is None:
        given = getattr(config, "workerinput", {}).get(_REPORTS)
        config.option.reports = Path(given) if given else begin(Path("build/reports"))
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    config.pluginmanager.register(report.Report(config), "tau-report")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process of pytest-xdist where the results of the run go."""
    node.workerinput[_REPORTS] = str(node.config.option.reports)


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what boots, and run it after what does not; modules that change their machine come last."""
    for item in items:
        if _MACHINES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.boot)
        if "machine" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("xdist_group"):
            # One process boots it; others do the rest meanwhile. Checks that are many have a group of their own, and
            # another machine with it.
            item.add_marker(pytest.mark.xdist_group("machine"))

    def rank(item: pytest.Item) -> int:
        if item.get_closest_marker("boot") is None:
            return 0
        if "machine" not in getattr(item, "fixturenames", ()):
            # Boots of its own: once the shared machine is done with, and first what needs no processor.
            return 3 if item.get_closest_marker("waits") else 4
        return 2 if item.get_closest_marker("pristine") or item.get_closest_marker("destructive") else 1

    items.sort(key=rank)


@pytest.fixture(scope="session")
def image(pytestconfig: pytest.Config) -> Path:
    """The image under test."""
    path: Path | None = pytestconfig.getoption("--image")
    if path is None:
        pytest.fail("this check needs an image: ./inv test builds one, --image FILE names one", pytrace=False)
    return path


@pytest.fixture(scope="session")
def plan(pytestconfig: pytest.Config, image: Path) -> Plan:
    """The plan of the image under test: as given, else the one beside it, else the one in its root."""
    path: Path | None = pytestconfig.getoption("--plan")
    return read_plan(path.read_bytes(), path) if path else plan_of(image, pytestconfig.getoption("--tools-cache"))


@pytest.fixture(scope="session")
def toolbox(pytestconfig: pytest.Config) -> Toolbox:
    """The programs of the tools tree."""
    return Toolbox.load(pytestconfig.getoption("--tools-cache"))


#: What an unattended installation lets the first user log in with by ssh. Nobody has its other half.
AUTHORIZED_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN/Cr3JXqmLW7u+g9pTh+wyqDHpSQEIQczXkVx9q somebody@elsewhere"


def unattended(plan: Plan, doh: DohServer) -> dict[str, bytes]:
    """Return the credentials with which a machine needs nobody at its console, as a person would hand them in."""
    credentials: dict[str, bytes] = {}
    if plan.overlay("users") is not None:
        credentials |= {"tau.user.name": USER.encode(), "tau.user.password": PASSWORD.encode()}
    if plan.overlay("ssh") is not None:
        credentials["tau.user.authorized_keys"] = f"{AUTHORIZED_KEY}\n".encode()
    if plan.overlay("doh") is not None:
        credentials |= {"tau.doh.stamp": doh.stamp.encode(), "tau.doh.ca": doh.ca_pem}
    return credentials


@pytest.fixture(scope="session")
def network(toolbox: Toolbox) -> Iterator[Network]:
    """The network that all machines are plugged into: an Internet of one host, with no way out (qemu/net.py)."""
    with (
        tempfile.TemporaryDirectory(prefix="tau-net-", dir="/var/tmp") as folder,
        Network(Path(folder), toolbox) as net,
    ):
        yield net


@pytest.fixture(scope="session")
def _kept(pytestconfig: pytest.Config) -> Iterator[Path | None]:
    root: Path | None = pytestconfig.getoption("--keep-machine")
    with kept.opened(root.resolve()) if root else contextlib.nullcontext() as folder:
        yield folder


@pytest.fixture(scope="session")
def authority(_kept: Path | None) -> Authority:
    """The authority that vouches for the servers of the session; a kept machine knows the one it was booted with."""
    return Authority(kept=_kept / "authority.pem" if _kept else None)


@pytest.fixture(scope="session")
def _doh(network: Network, authority: Authority) -> Iterator[DohServer]:
    with DohServer(network, authority) as server:
        yield server


@pytest.fixture
def doh_server(_doh: DohServer) -> Iterator[DohServer]:
    """The DNS-over-HTTPS server of the machines (by credential). A check may stop it; it runs again for the next."""
    _doh.start()
    yield _doh
    _doh.start()


@pytest.fixture
def time_server(network: Network, authority: Authority) -> Iterator[TimeServer]:
    """A server of authenticated time, ``time.test``, that runs as long as the check."""
    with TimeServer(network, authority) as server:
        yield server


@pytest.fixture
def sink(network: Network) -> Sink:
    """What a machine should never reach: DNS in clear text on every address, and TCP ports of the world."""
    return Sink(network)


@pytest.fixture(scope="session")
def fresh_machine(
    pytestconfig: pytest.Config,
    image: Path,
    plan: Plan,
    toolbox: Toolbox,
    network: Network,
    _doh: DohServer,
    _kept: Path | None,
) -> Iterator[Callable[..., Machine]]:
    """Make machines of one's own: ``fresh_machine(medium="usb", credentials={…})``, not yet switched on.

    Use it as a context manager, so that the machine is gone when the check ends. Keywords are those of Settings;
    `credentials` replaces those of an unattended installation.
    """
    cache: Path = pytestconfig.getoption("--tools-cache")
    numbers = itertools.count()
    with contextlib.ExitStack() as stack:

        def make(*, keep: bool = False, **overrides: Any) -> Machine:
            usual = Settings(
                arch=plan.arch, credentials=unattended(plan, _doh), mac=f"52:54:00:74:61:{next(numbers):02x}"
            )
            settings = replace(usual, **overrides)
            if keep and _kept is not None:
                folder = kept.place(_kept, image, settings)
            else:
                folder = Path(
                    stack.enter_context(tempfile.TemporaryDirectory(prefix="tau-", dir="/var/tmp")), "machine"
                )
            machine = Machine(image, folder, toolbox, cache, settings, network)
            report.of(pytestconfig).machines.append(machine)
            stack.callback(machine.close)
            return machine

        yield make


@pytest.fixture(scope="session")
def _shared(pytestconfig: pytest.Config, fresh_machine: Callable[..., Machine]) -> Iterator[Machine]:
    machine = fresh_machine(keep=True)
    ready = machine.files.folder / kept.READY
    if ready.exists():
        machine.restore(_BOOTED)
    else:
        try:
            machine.boot()
        except MachineError as error:
            evidence = report.of(pytestconfig).keep("boot")
            pytest.fail(f"{error}\nevidence: {evidence}", pytrace=False)
        machine.snapshot(_BOOTED)
        ready.touch()
    machine.changed = False
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def _restored(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give a module marked ``pristine`` a machine that nothing has touched, and whoever follows one as well."""
    pristine = request.node.get_closest_marker("pristine") is not None
    machine: Machine = request.getfixturevalue("_shared")
    if pristine:
        _restore(machine)
    yield
    machine.changed = machine.changed or pristine


@pytest.fixture
def machine(request: pytest.FixtureRequest, _restored: None, _shared: Machine) -> Iterator[Machine]:
    """The machine that all checks share, booted once. What follows a check marked ``destructive`` finds it restored."""
    # Once: a restored machine has all of its code to translate anew, where it is emulated.
    if _shared.changed and _KEPT_STATE not in request.fixturenames:
        _restore(_shared)
    yield _shared
    _shared.changed = _shared.changed or request.node.get_closest_marker("destructive") is not None


@pytest.fixture
def kept_state(machine: Machine, _states: set[str]) -> Callable[[str, Callable[[], None]], bool]:
    """Bring the shared machine into a state that checks share, as they left it to ``make``: ``kept_state(name, make)``.

    :returns: by the call, whether the state was there; else it has been made from the machine as it booted, and kept.
    """

    def reach(name: str, make: Callable[[], None]) -> bool:
        if name in _states:
            machine.restore(name)
            machine.changed = False
            return True
        if machine.changed:
            _restore(machine)
        make()
        machine.snapshot(name)
        _states.add(name)
        return False

    return reach


@pytest.fixture(scope="session")
def _states() -> set[str]:
    return set()


def _restore(machine: Machine) -> None:
    machine.restore(_BOOTED)
    machine.changed = False


@pytest.fixture
def capture(machine: Machine) -> Capture:
    """The packets of the shared machine since it was switched on; take a ``mark()`` first to look at a part."""
    return machine.capture


@pytest.fixture
def terminal(request: pytest.FixtureRequest, machine: Machine) -> Iterator[Terminal]:
    """A person at the serial console of the shared machine; logged out again when the check ends."""
    terminal = machine.terminal()
    yield terminal
    if request.node.get_closest_marker("destructive") is None:
        terminal.log_out()


@pytest.fixture
def host(machine: Machine) -> Host:
    """testinfra's Host of the shared machine, overriding testinfra's own fixture."""
    return machine.host
