"""A pytest plugin: SIGTERM and SIGHUP end a run as Ctrl-C does, so that every fixture cleans up.

Else the disks of machines would be left in /var/tmp. Each process of pytest-xdist's loads it, too.
"""

import signal


def pytest_configure() -> None:
    """Have them raise KeyboardInterrupt, unless somebody chose otherwise, as nohup(1) does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
