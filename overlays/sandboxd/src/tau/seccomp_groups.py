"""What an app's system call filter may be widened by: the calls that a manifest may ask for, each with a reason.

The baseline is in the overlay's unit (10-confine.conf). Nothing that makes namespaces or mounts, loads programs into
the kernel, or reaches a terminal's input is in this table, whatever the reason.
"""

#: What may be added, as systemd.exec(5) writes it under SystemCallFilter=, and what an app can do with it.
ADDITIONS: dict[str, str] = {
    "@memlock": "keep memory from being swapped out, within the app's limits",
    "@resources": "change its own priority, affinity and limits",
    "process_vm_readv": "read the memory of its own processes",
    "process_vm_writev": "write the memory of its own processes",
    "ptrace": "trace its own processes, as a debugger does",
}
