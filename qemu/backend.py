"""testinfra over the guest's shell: a backend, and a Host made with it, since testinfra has no plug-in interface."""

from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from qemu.shell import Shell


class ShellBackend(BaseBackend):  # type: ignore[misc]  # testinfra is not typed
    """Runs testinfra's commands as root in the guest."""

    NAME = "tau"

    def __init__(self, shell: Shell, name: str) -> None:
        self.shell = shell
        super().__init__(name)

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:
        """Run a command; `args` are quoted into it."""
        text = self.get_command(command, *args)
        answer = self.shell.run(text)
        return self.result(answer.status, self.encode(text), answer.stdout, answer.stderr)


def host(shell: Shell, name: str) -> Host:
    """Return testinfra's Host for the guest behind `shell`."""
    backend = ShellBackend(shell, name)
    made = Host(backend)
    backend.set_host(made)
    return made
