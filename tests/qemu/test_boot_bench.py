"""The sums of the boot benchmark."""

import os
import subprocess
import sys
import time

import pytest

from qemu.bench import memory_used, processor_time, since_power_on
from qemu.errors import MachineError


def test_time_since_power_on() -> None:
    """Power-on at 100; at 130 the guest was up for 25 s, so that firmware and loader took 5; the unit came at 20."""
    assert since_power_on(100.0, 130.0, 25.0, "20000000") == pytest.approx(25.0)


@pytest.mark.parametrize("reached", ["0", "", "no such unit"])
def test_a_target_that_was_not_reached(reached: str) -> None:
    with pytest.raises(MachineError, match="not reached"):
        since_power_on(100.0, 130.0, 25.0, reached)


def test_memory_in_use() -> None:
    assert memory_used("MemTotal:  2000 kB\nMemFree:  10 kB\nMemAvailable:   1500 kB\n") == 500 * 1024


def test_processor_time_of_a_process_and_its_children() -> None:
    """As QEMU is: the child of a shell."""
    busy = f"{sys.executable} -c 'while True: pass' & wait"
    with subprocess.Popen(["sh", "-c", busy], start_new_session=True) as process:
        try:
            time.sleep(2)
            taken = processor_time(process.pid)
        finally:
            os.killpg(process.pid, 9)
    assert 0.2 < taken < 4
    assert processor_time(process.pid) == 0.0
