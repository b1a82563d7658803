"""Run a program and wait for its end. The module subprocess can more, and takes a quarter of a start to import."""

import os
import select
import signal


def run(command: list[str], seconds: int) -> int:
    """Run a program, which shares what this process says, with nothing of its environment.

    :param command: the program, by its whole path, and its arguments.
    :param seconds: after which it is killed.
    :returns: its exit status, or the negative number of the signal that has ended it.
    :raises OSError: as posix_spawn(3).
    """
    child = os.posix_spawn(command[0], command, {"PATH": "/usr/sbin:/usr/bin"})
    descriptor = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(seconds * 1000):
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(descriptor)
        _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
