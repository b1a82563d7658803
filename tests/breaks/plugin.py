"""The pytest plugin that breaks: every check runs once for each of its breaks, and passes when it was seen to fail.

Loaded with ``-p tests.breaks.plugin --breaks=guest`` (breaks of the running system and of boots, on the released image)
or ``--breaks=image`` (on the image that tests/breaks/mutants.py made).
"""

import functools
import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from qemu.machine import Machine
from qemu.net import Network
from qemu.patience import patience
from tests.breaks.judge import NotSeenError, seen
from tests.breaks.model import Boot, Break
from tests.breaks.table import table
from tests.breaks.window import Window

_KINDS = {"guest": ("guest", "boot"), "image": ("image",)}
#: The fixture that carries the break of an item.
_BREAK = "the_break"
#: The fixture that brings the machine into another state when the check calls it: what is broken before is whole there.
_STATE = "installed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says which breaks are made."""
    parser.getgroup("tau").addoption("--breaks", choices=sorted(_KINDS), required=True, help="which breaks are made")


def pytest_configure(config: pytest.Config) -> None:
    """Register what makes the breaks."""
    config.pluginmanager.register(Breaker(config), "tau-breaker")


@pytest.fixture
def the_break(request: pytest.FixtureRequest) -> Break:
    """The break of a check."""
    found: Break = request.param
    return found


class Breaker:
    """Makes the breaks, and remembers what the checks said."""

    def __init__(self, config: pytest.Config) -> None:
        self._kinds = _KINDS[config.getoption("--breaks")]
        self._reports: Path = config.getoption("--reports")
        self._windows: dict[int, Window] = {}
        self._said: list[dict[str, str]] = []
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(patience, "generosity", 1.0)  # what a check of a break waits for never comes
        if "image" in self._kinds:  # what is broken in it may well show in its boot
            self._patch.setattr(Machine, "boot", functools.partialmethod(Machine.boot, clean=False))

    def pytest_unconfigure(self) -> None:
        """Take back what was patched."""
        self._patch.undo()

    @pytest.hookimpl(trylast=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a variant of each check for each of its breaks; the break's name ends its id."""
        overlay = Path(str(metafunc.definition.path)).parent.name
        found = table(overlay).of(metafunc.function.__name__, self._kinds)
        if found:
            metafunc.fixturenames.append(_BREAK)
            metafunc.parametrize(_BREAK, found, indirect=True, ids=[each.what for each in found])

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave only the variants whose break is for their parameters; each has its machine restored."""
        chosen = []
        for item in items:
            assert isinstance(item, pytest.Function)
            found = broken_by(item)
            if found is not None and found.breaks(item.function.__name__, parameters(item, found)):
                if "machine" in item.fixturenames:
                    item.add_marker(pytest.mark.destructive)
                chosen.append(item)
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Break, run the check, and turn its outcome round."""
        found = broken_by(pyfuncitem)
        assert found is not None
        arguments: dict[str, Any] = pyfuncitem.funcargs
        with pytest.MonkeyPatch.context() as patch:
            if "machine" in arguments:
                self._window(arguments["machine"], arguments["network"]).open(patch)
            # Of those that the check asks for itself: by another fixture, it was called before.
            if found.guest and _STATE in pyfuncitem._fixtureinfo.argnames:
                arguments[_STATE] = _then_broken(arguments[_STATE], found, arguments, patch)
            else:
                _make(found, arguments, patch)
            result: object = True
            try:
                result = yield
            except Exception as error:
                said = _judged(error, pyfuncitem, found)
            else:
                pytest.fail(f"the check passes although this is broken: {found.what}", pytrace=False)
            finally:
                for machine in _own_machines(arguments):
                    machine.close()  # the check would have switched it off; the next one finds it off
        if "terminal" in arguments:
            arguments["terminal"].logged_in = False  # the machine is restored: nobody has to log out
        pyfuncitem.user_properties += [("broken", found.what), ("said", said)]
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what the checks said, whichever process of pytest-xdist's they ran in."""
        belongs = dict(report.user_properties)
        if report.when == "call" and report.passed and "said" in belongs:
            check = f"{report.nodeid.rpartition(']')[0]}]"  # pytest-xdist adds the group: "@machine"
            self._said.append({"check": check, "broken": str(belongs["broken"]), "said": str(belongs["said"])})

    def _window(self, machine: Machine, network: Network) -> Window:
        if id(machine) not in self._windows:
            self._windows[id(machine)] = Window(machine, network)
        return self._windows[id(machine)]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what the checks said to breaks-KIND.json in the reports."""
        if hasattr(session.config, "workerinput"):
            return  # one of pytest-xdist's processes: the one that started it has all
        self._reports.mkdir(parents=True, exist_ok=True)
        (self._reports / f"breaks-{self._kinds[0]}.json").write_text(json.dumps(self._said, indent=1))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what each check said."""
        if self._said:
            terminalreporter.section("seen to fail")
        for each in self._said:
            first = each["said"].splitlines()[0][:200]
            terminalreporter.write_line(f"{each['check'].rpartition('/')[2]}: {first}")


def broken_by(item: pytest.Function) -> Break | None:
    """Return the break of a variant."""
    found = item.callspec.params.get(_BREAK) if hasattr(item, "callspec") else None
    return found if isinstance(found, Break) else None


def parameters(item: pytest.Function, found: Break) -> str:
    """Return the check's own parameters, as pytest shows them."""
    return str(item.callspec.id).removesuffix(found.what).removesuffix("-")


def _own_machines(arguments: dict[str, Any]) -> list[Machine]:
    """Return the machines that fixtures of a check's own module made, and keep for its other checks.

    The shared one is none, by whatever name a fixture hands it on.
    """
    shared = [arguments.get(name) for name in ("machine", "_shared")]
    machines = [value for value in arguments.values() if isinstance(value, Machine)]
    return [each for each in machines if not any(each is one for one in shared)]


def _make(found: Break, arguments: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    if found.guest:
        answer = arguments["machine"].run(f"set -e\n{found.guest}")
        if answer.status != 0:
            said = (answer.stdout + answer.stderr).decode(errors="replace")
            pytest.fail(f"the break could not be made ({answer.status}): {said}", pytrace=False)
    elif found.boot is not None:
        for machine in _own_machines(arguments):
            patch.setattr(machine, "settings", found.boot.settings(machine.settings))
        if "fresh_machine" in arguments:
            arguments["fresh_machine"] = _broken_maker(arguments["fresh_machine"], found.boot)


def _then_broken(
    reach: Callable[..., object], found: Break, arguments: dict[str, Any], patch: pytest.MonkeyPatch
) -> Callable[..., object]:
    def reached(*words: str) -> object:
        result = reach(*words)
        _make(found, arguments, patch)
        return result

    return reached


def _broken_maker(make: Callable[..., Machine], boot: Boot) -> Callable[..., Machine]:
    def broken(**overrides: Any) -> Machine:
        machine = make(**overrides)
        machine.settings = boot.settings(machine.settings)
        return machine

    return broken


def _judged(error: Exception, item: pytest.Function, found: Break) -> str:
    try:
        return seen(error, Path(str(item.path)), found.says)
    except NotSeenError as reason:
        pytest.fail(f"broken: {found.what}\n{reason}", pytrace=False)
