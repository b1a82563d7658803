"""A machine that runs an image: start it, ask it, stop it, cut its power, restore it."""

import datetime
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Protocol

from testinfra.host import Host

from qemu import accel, backend, commandline, credentials, denylist, disks, firmware, snapshot, tools
from qemu.capture import Capture
from qemu.commandline import Files, Settings
from qemu.console import Console
from qemu.errors import GuestDiedError, GuestSilentError, MachineError, UncleanBootError, with_console
from qemu.guest import Guest
from qemu.monitor import Monitor
from qemu.patience import patience
from qemu.process import Guarded
from qemu.shell import Shell
from qemu.terminal import Terminal
from qemu.tools import Tools
from qemu.vitals import Vitals

#: Seconds that a boot may take under TCG: 100 on a quiet host, and 400 were seen on a busy one.
BOOT_TIMEOUT = 900


class Cable(Protocol):
    """What a machine is plugged into; `qemu.net.Network` is one."""

    def netdev(self) -> str:
        """Return the value of QEMU's -netdev, without an id."""
        ...


class Machine(Guest):
    """A QEMU machine. Use it as a context manager, or call :meth:`close`."""

    def __init__(
        self,
        image: Path,
        folder: Path,
        tools_: Tools,
        cache: Path,
        settings: Settings | None = None,
        network: Cable | None = None,
    ) -> None:
        """Prepare a machine in `folder`, which is its own; nothing is started yet.

        :param image: the artefact. It is never written to.
        :param cache: where the answer of the acceleration probe is remembered.
        :param network: the network it is plugged into; without one it is on QEMU's own, which leads nowhere.
        :raises MachineError: when QEMU or its firmware is missing.
        """
        self.settings = settings or Settings()
        self.image = image.resolve()
        self.tools = tools_
        self.files = Files(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._firmware = firmware.find(tools_, self.settings.arch)
        tools.find(tools_, f"qemu-system-{self.settings.arch}", "qemu-system")
        self.accel = accel.choose(tools_, self._firmware, self.image, self.settings.arch, cache)
        self._cache = cache
        super().__init__(Shell(self.files.shell))
        self.network = network
        self.capture = Capture(self.files)
        self.boots = 0
        #: Whether a check has changed it since its snapshot was taken.
        self.changed = False
        self._process: Guarded | None = None
        self._monitor: Monitor | None = None
        self._console: Console | None = None
        self._host: Host | None = None

    # --- Power -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Switch it on. Returns at once; see :meth:`wait_for_boot`.

        :raises GuestDiedError: when QEMU does not even start, with its own words.
        """
        self.make_disks()
        for path in (self.files.monitor, self.files.serial, self.files.shell):
            path.unlink(missing_ok=True)
        self.files.keep_packets()
        self.boots += 1
        handed_in = dict(self.settings.credentials)
        if self.settings.harness_shell:
            handed_in |= credentials.shell() | credentials.crashes()
        netdev = self.network.netdev() if self.network is not None else "user,restrict=on,ipv6=on"
        command = commandline.build(self.settings, self.files, self.image, self._firmware, self.accel, netdev)
        command += credentials.write(self.files.folder / "credentials", handed_in)
        self._process = Guarded(self.tools.command(*command), self.files.folder / "qemu.log")
        if not self._process.wait_for(self.files.shell, 30):
            said = self._process.said()
            self.close()
            raise GuestDiedError(f"QEMU did not start: {said}")
        self._monitor = Monitor(self.files.monitor)
        self._console = Console(self.files.serial, self.files.folder / f"console-{self.boots}.log")

    def make_disks(self) -> None:
        """Make its disks without switching it on, for a machine that they are shown to."""
        disks.make(self.tools, self.settings, self.files, self.image, self._firmware)

    def damage_image(self, offset: int) -> None:
        """Change the byte at `offset` of the image, for this machine only and while it is off: in its snapshots too."""
        disks.damage_image(self.tools, self.files, self.image, offset)

    def wait_for_shell(self, timeout: float = BOOT_TIMEOUT, since: int = 0) -> None:
        """Wait until the guest's shell answers; it does early in the boot.

        :param since: the mark of the console where this boot begins.
        :raises GuestDiedError: as soon as it is clear that it never will, with the last lines of the console.
        """
        deadline = time.monotonic() + timeout
        vitals = Vitals(self.console, since)
        while True:
            try:
                self.shell.connect(min(10, timeout))
                return
            except MachineError:
                ended = None if self.running else self.failure
                died = vitals.death(ended, lambda: self.monitor.execute("query-status"))
            if died:
                raise GuestDiedError(with_console(died, self.console.tail(), self.console.log)) from None
            if time.monotonic() >= deadline:
                message = f"the guest's shell did not answer within {timeout:.0f} s"
                raise GuestSilentError(with_console(message, self.console.tail(), self.console.log)) from None

    def wait_for_boot(self, timeout: float = BOOT_TIMEOUT) -> str:
        """Wait until the system has started.

        :returns: its state by systemctl(1): ``running``, or ``degraded`` when a unit has failed.
        :raises MachineError: when it does not get there, with the last lines of the console.
        """
        began = time.monotonic()
        self.wait_for_shell(timeout)
        state = ""
        while time.monotonic() < began + timeout:
            state = self.shell.run("timeout 60 systemctl is-system-running --wait", 90).text
            if state in ("running", "degraded", "maintenance"):
                if state == "running":  # else it may have waited for what has failed
                    patience.learn(time.monotonic() - began)
                return state
            time.sleep(0.5)
        message = f"the system did not start within {timeout:.0f} s; it is {state!r}"
        raise GuestSilentError(with_console(message, self.console.tail(), self.console.log))

    def boot(self, *, clean: bool = True) -> str:
        """Switch it on and wait until the system has started; returns its state.

        :param clean: whether a boot with anything in :meth:`problems` is an error.
        :raises UncleanBootError: with each problem in a line.
        """
        self.start()
        try:
            state = self.wait_for_boot()
        except GuestDiedError as error:
            if self.accel.name != "kvm":
                raise
            # The probe saw a kernel speak, and it died later all the same: such hosts are not to be trusted again.
            self.accel = accel.give_up(self._cache, str(error).splitlines()[0])
            self.close()
            self.files.disk.unlink(missing_ok=True)
            self.start()
            state = self.wait_for_boot()
        return self._booted(state, 0, clean)

    def _booted(self, state: str, mark: int, clean: bool) -> str:
        problems = self.problems(mark) if clean else []
        if problems:
            message = f"the boot was not clean, the system is {state}:\n" + "\n".join(problems)
            raise UncleanBootError(with_console(message, [], self.console.log))
        return state

    def denied(self, since: int = 0) -> list[str]:
        """Return what the console shows that no boot may print (denylist), after a mark of the console."""
        return denylist.search(self.console.since(since), datetime.date.today())

    def problems(self, since: int = 0) -> list[str]:
        """Return what the console (after a mark) and the journal of this boot hold that no boot may, and failed units.

        A line that is in both is named once.
        """
        journal = self.run("journalctl --no-pager --boot --quiet --output=short-monotonic --no-hostname", 120)
        logged = denylist.search(journal.stdout.decode(errors="replace"), datetime.date.today())
        failed = self.run("systemctl list-units --failed --plain --no-legend --no-pager").text.splitlines()
        printed = self.denied(since)
        kernel = [line.partition("] ")[2] for line in printed]
        logged = [line for line in logged if not any(text and line.endswith(text) for text in kernel)]
        return printed + [f"{line} (journal)" for line in logged] + [f"failed unit: {line.strip()}" for line in failed]

    def power_cut(self) -> None:
        """Pull the plug: QEMU is killed. What the guest had not written is lost, as on a real machine's disk cache."""
        self.close()

    def shut_down(self, timeout: float = 120) -> None:
        """Ask the system to power off, and wait until it has.

        :raises GuestSilentError: when it does not within `timeout` seconds.
        """
        assert self._process is not None
        self.shell.run("systemctl --no-block poweroff", 30)
        if not self._process.wait(patience.of(timeout)):
            raise GuestSilentError(with_console("the machine did not power off", self.console.tail(), self.console.log))
        self.close()

    def reboot(self, *, clean: bool = True) -> str:
        """Reboot through systemd and wait until the system has started again; returns its state.

        :param clean: as for :meth:`boot`. The way down counts too.
        """
        mark, events = self.console.mark(), self.monitor.mark()
        self.shell.run("systemctl --no-block reboot", 30)
        if self.monitor.wait("RESET", since=events, timeout=BOOT_TIMEOUT) is None:
            raise GuestSilentError(with_console("the machine did not go down", self.console.tail(), self.console.log))
        # What the old system's shell had still to say is gone with it.
        self.wait_for_shell(since=mark)
        return self._booted(self.wait_for_boot(), mark, clean)

    def wait_for_restart(self, since: int, timeout: float) -> None:
        """Wait until the machine has started again by itself, as after a panic.

        :param since: a mark of the monitor's events.
        :raises GuestSilentError: when it does not within `timeout` seconds.
        """
        if self.monitor.wait("RESET", since=since, timeout=patience.of(timeout)) is None:
            raise GuestSilentError(with_console("the machine did not restart", self.console.tail(), self.console.log))

    @property
    def running(self) -> bool:
        """Whether QEMU runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process whose descendant QEMU is."""
        assert self._process is not None, "the machine is off"
        return self._process.pid

    @property
    def failure(self) -> str:
        """QEMU's last words, when it has ended by itself and with an error."""
        return self._process.said(1) if self._process is not None and self._process.returncode else ""

    def remove(self) -> None:
        """Switch it off and remove its folder."""
        self.close()
        shutil.rmtree(self.files.folder, ignore_errors=True)

    def close(self) -> None:
        """Switch it off and give back everything but the folder."""
        self.shell.close()
        if self._monitor is not None:
            self._monitor.close()
        if self._process is not None:
            self._process.kill()
        if self._console is not None:
            self._console.close()  # what it recorded stays readable
        self._process = self._monitor = None

    # --- Asking ----------------------------------------------------------------------------------------------------

    @property
    def host(self) -> Host:
        """testinfra's Host of the guest."""
        if self._host is None:
            self._host = backend.host(self.shell, self.image.name)
        return self._host

    @property
    def console(self) -> Console:
        """The serial console since the machine was switched on."""
        assert self._console is not None, "the machine was never switched on"
        return self._console

    @property
    def monitor(self) -> Monitor:
        """QEMU's monitor."""
        assert self._monitor is not None, "the machine is off"
        return self._monitor

    def terminal(self) -> Terminal:
        """Return a person at the serial console."""
        return Terminal(self.console)

    def screenshot(self, path: Path) -> Path:
        """Write what the screen shows to `path`, as PNG."""
        self.monitor.execute("screendump", {"filename": str(path), "format": "png"})
        return path

    # --- Snapshots -------------------------------------------------------------------------------------------------

    def snapshot(self, name: str) -> None:
        """Keep the whole state, memory included, inside the temporary disk."""
        snapshot.save(self.monitor, name)

    def restore(self, name: str) -> None:
        """Go back to a kept state. Connections through the virtual network do not survive; the clock is set anew.

        By a new QEMU: one that has run on past the state never lets the time stamp counter go backwards
        (system/cpu-timers.c), so that the guest would see it leap ahead by that much, and its watchdogs a hang.
        """
        if self._process is not None and self.running:
            self.monitor.execute("quit")
            self._process.wait(30)
        self.close()
        self.start()
        snapshot.load(self.monitor, name)
        self.shell.connect(60)
        self.shell.run(f"date --set=@{time.time():.3f} >/dev/null", 30)

    def has_snapshot(self, name: str) -> bool:
        """Whether a state of that name is kept."""
        return snapshot.exists(self.monitor, name)

    # --- Network ---------------------------------------------------------------------------------------------------

    def cut_network(self) -> None:
        """Pull the network cable."""
        self.monitor.execute("set_link", {"name": "net", "up": False})

    def plug_network(self) -> None:
        """Plug the network cable in again."""
        self.monitor.execute("set_link", {"name": "net", "up": True})

    def __enter__(self) -> "Machine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()
