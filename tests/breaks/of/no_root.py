"""Breaks of no-root."""

from tests.breaks.model import Boot, Break, drop_in

PASSWORD = "correct horse"
_MESSAGE = "There is no root shell"
#: In place of the emergency shell: something that says what the check waits for, and takes commands all the same.
_SHELL_DROP_IN = f"""\
[Service]
ExecStart=
ExecStart=-/bin/bash -c "while :; do echo '{_MESSAGE}'; read -r line; eval $$line; done"
"""


def _instead(target: str, *script: str) -> str:
    """Return a command that puts a script in place of what a target shows at the console."""
    text = "\n".join(("#!/bin/bash", *script))
    return f"cat >/run/instead <<'END'\n{text}\nEND\nchmod 0755 /run/instead; " + drop_in(
        f"{target}.service", "[Service]\\nExecStart=\\nExecStart=-/run/instead\\n"
    )


BREAKS = [
    Break(
        "test_root_has_no_password",
        "root has a password",
        "getent shadow root",
        guest=f"echo 'root:{PASSWORD}' | chpasswd",
    ),
    Break(
        "test_root_has_no_password",
        "an account without a password",
        "an account without a password",
        guest="passwd --delete games",
    ),
    Break(
        "test_root_has_no_password",
        "a second root",
        "== .root.",
        guest="echo 'toor:x:0:0::/root:/bin/bash' >>/etc/passwd",
    ),
    Break(
        "test_root_is_refused_on_the_console_even_with_a_password",
        "PAM does not look who it is",
        "not terminal.try_log_in",
        guest="sed -i '/uid != 0/d' /etc/pam.d/common-account",
    ),
    *[
        each
        for target in ("rescue", "emergency")
        for each in (
            Break(
                f"test_no_shell_in[{target}]",
                f"systemd's own shell in {target}",
                _MESSAGE,
                guest=_instead(target, f"exec /usr/lib/systemd/systemd-sulogin-shell {target}"),
            ),
            Break(
                f"test_no_shell_in[{target}]",
                f"a shell behind the message in {target}",
                "pgrep",
                guest=_instead(target, f"echo '({target}). {_MESSAGE}'", "bash", "sleep 1"),
            ),
        )
    ],
    Break(
        "test_no_shell_by_the_kernel_command_line",
        "a shell in place of the message",
        _MESSAGE,
        boot=Boot(
            credentials={
                "systemd.unit-dropin.emergency.service": b"[Service]\nExecStart=\nExecStart=-/bin/bash --norc\n"
            }
        ),
    ),
    Break(
        "test_no_shell_by_the_kernel_command_line",
        "a shell that gives the message",
        "uid=0.root.. not in",
        boot=Boot(credentials={"systemd.unit-dropin.emergency.service": _SHELL_DROP_IN.encode()}),
    ),
    Break(
        "test_the_boot_entry_has_no_editor",
        "the editor is on",
        "editor no",
        guest="mkdir /run/esp; mount /dev/vda1 /run/esp; sed -i 's/^editor no/editor yes/' /run/esp/loader/loader.conf;"
        " umount /run/esp",
    ),
    Break(
        "test_the_boot_entry_has_no_editor",
        "the menu waits",
        "timeout 0",
        guest="mkdir /run/esp; mount /dev/vda1 /run/esp; sed -i 's/^timeout 0/timeout 5/' /run/esp/loader/loader.conf;"
        " umount /run/esp",
    ),
    Break(
        "test_credentials_that_would_let_root_in",
        "systemd-sysusers takes credentials",
        "getent passwd toor",
        boot=Boot(
            credentials={
                "systemd.unit-dropin.systemd-sysusers.service": b"[Service]\nImportCredential=sysusers.*\n",
            }
        ),
    ),
    Break(
        "test_credentials_that_would_let_root_in",
        "root's password is set all the same",
        "getent shadow root",
        boot=Boot(command="usermod --password x root"),
    ),
    Break(
        "test_nothing_of_ssh_listens_on_a_socket_of_the_virtual_machine",
        "a socket unit of the generator's name",
        "list-units",
        guest="cd /run/systemd/system; printf '[Socket]\\nListenStream=/run/x\\nAccept=yes\\n' >sshd-unix-local.socket;"
        " printf '[Service]\\nExecStart=/bin/true\\n' >sshd-unix-local@.service;"
        " systemctl daemon-reload; systemctl start sshd-unix-local.socket",
    ),
    Break(
        "test_nothing_of_ssh_listens_on_a_socket_of_the_virtual_machine",
        "something listens on AF_VSOCK",
        "--vsock",
        guest="systemd-run --quiet --unit=listens perl -e 'socket(my $s, 40, 1, 0) or die $!;"
        ' bind($s, pack("SSLLx4", 40, 0, 22, 0xffffffff)) or die $!; listen($s, 1) or die $!; sleep 100\';'
        " sleep 3; systemctl is-active listens",
    ),
]
WITHOUT: dict[str, str] = {}
