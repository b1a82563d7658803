"""A program that crashes on the booted machine is noticed: each architecture's kernel has words of its own for it."""

import pytest

from qemu.machine import Machine


@pytest.mark.boot
@pytest.mark.destructive
def test_a_program_that_crashes_is_noticed(machine: Machine) -> None:
    mark = machine.console.mark()
    before = machine.problems(mark)
    crashed = machine.run("perl -e 'unpack q(P1), pack q(Q), 16'; echo $?")  # reads the byte at the address 16
    assert crashed.text == "139", crashed
    told = [line for line in machine.problems(mark) if line not in before]
    assert any(line.startswith("crashed program: ") and "perl" in line for line in told), told
