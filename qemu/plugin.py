"""The pytest plugin: machines as fixtures, for the checks of overlays inside and outside of the repository.

Loaded with ``-p qemu.plugin --image FILE``. Without an image, checks that need a machine fail; none is skipped.
"""

import contextlib
import datetime
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from image.plan import Plan, read_plan
from image.toolbox import Toolbox
from qemu import denylist, report
from qemu.commandline import Settings
from qemu.machine import Machine

#: Fixtures that need a machine; whatever uses one is marked ``boot``.
_MACHINES = {"machine", "host", "fresh_machine"}
_BOOTED = "booted"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("tau", "machines of Tau OS")
    group.addoption("--image", type=Path, help="the image to boot")
    group.addoption("--plan", type=Path, help="its plan; default: FILE.plan.json beside the image")
    group.addoption("--tools-cache", type=Path, help="the cache that holds the tools tree")
    group.addoption("--reports", type=Path, default=Path("build/reports"), help="where failures leave their evidence")


def pytest_configure(config: pytest.Config) -> None:
    """Register the report.

    :raises pytest.UsageError: where testinfra's own plugin is active: its ``host`` is the machine that pytest runs on.
    """
    if config.pluginmanager.has_plugin("pytest11.testinfra"):
        raise pytest.UsageError("testinfra's own plugin would check this host; add: -p no:pytest11.testinfra")
    config.pluginmanager.register(report.Report(config), "tau-report")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what boots, and run it after what does not; modules that change their machine come last."""
    for item in items:
        if _MACHINES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.boot)

    def rank(item: pytest.Item) -> int:
        if item.get_closest_marker("boot") is None:
            return 0
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
    """The plan of the image under test."""
    path: Path = pytestconfig.getoption("--plan") or image.with_suffix(".plan.json")
    return read_plan(path.read_bytes(), path)


@pytest.fixture(scope="session")
def toolbox(pytestconfig: pytest.Config) -> Toolbox:
    """The programs of the tools tree."""
    return Toolbox.load(pytestconfig.getoption("--tools-cache"))


@pytest.fixture(scope="session")
def fresh_machine(
    pytestconfig: pytest.Config, image: Path, plan: Plan, toolbox: Toolbox
) -> Iterator[Callable[..., Machine]]:
    """Make machines of one's own: ``fresh_machine(medium="usb", credentials={…})``, not yet switched on.

    Use it as a context manager, so that the machine is gone when the check ends. Keywords are those of Settings.
    """
    cache: Path = pytestconfig.getoption("--tools-cache")
    with contextlib.ExitStack() as stack:

        def make(**overrides: Any) -> Machine:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tau-", dir="/var/tmp"))
            settings = replace(Settings(arch=plan.arch), **overrides)
            machine = Machine(image, Path(folder) / "machine", toolbox, cache, settings)
            stack.callback(machine.close)
            return machine

        yield make


@pytest.fixture(scope="session")
def _shared(pytestconfig: pytest.Config, fresh_machine: Callable[..., Machine]) -> Iterator[Machine]:
    machine = fresh_machine()
    report.of(pytestconfig).machine = machine
    with machine:
        state = machine.boot()
        denied = denylist.search(machine.console.text, datetime.date.today())
        if state != "running":
            denied.append(f"the system is {state}: {machine.run('systemctl --failed --no-legend').text}")
        if denied:
            report.of(pytestconfig).keep("boot")
            pytest.fail("the boot was not clean:\n" + "\n".join(denied), pytrace=False)
        machine.snapshot(_BOOTED)
        machine.changed = False
        yield machine
        report.of(pytestconfig).machine = None


@pytest.fixture(scope="module")
def _restored(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give a module marked ``pristine`` a machine that nothing has touched, and whoever follows one as well."""
    pristine = request.node.get_closest_marker("pristine") is not None
    machine: Machine = request.getfixturevalue("_shared")
    if machine.changed or pristine:
        machine.restore(_BOOTED)
        machine.changed = False
    yield
    machine.changed = machine.changed or pristine


@pytest.fixture
def machine(request: pytest.FixtureRequest, _restored: None, _shared: Machine) -> Iterator[Machine]:
    """The machine that all checks share, booted once. A check marked ``destructive`` leaves it restored."""
    yield _shared
    if request.node.get_closest_marker("destructive") is not None:
        _shared.restore(_BOOTED)


@pytest.fixture
def host(machine: Machine) -> Host:
    """testinfra's Host of the shared machine, overriding testinfra's own fixture."""
    return machine.host
