"""Breaks of sudo: what is not recorded, what runs without a record, other ways to root."""

from tests.breaks.model import Break, sed


def _without(setting: str) -> str:
    return f"grep -q '{setting}' /etc/sudoers; sed -i 's/{setting}//' /etc/sudoers; visudo -cq"


_IGNORED = "echo 'Defaults ignore_iolog_errors, ignore_logfile_errors' >>/etc/sudoers; visudo -cq"
PRUNE = "/usr/lib/tau/sudo-prune"
#: A perl that is set-user-id root stands in for each of the programs, and runs id as root. Where root itself asks for
#: runuser, which the check does, it gets the true one.
_TO_ROOT = """\
mkdir /run/suid; mount -t tmpfs -o suid suid /run/suid
cp /usr/bin/perl /run/suid/perl; chmod 4755 /run/suid/perl; cp -a /usr/sbin/runuser /run/suid/true-runuser
mkdir /run/suid/bin /run/suid/sbin
cat >/run/suid/bin/su <<'END'
#!/run/suid/perl
$ENV{PATH} = "/usr/sbin:/usr/bin"; delete @ENV{qw(IFS CDPATH ENV BASH_ENV)};
if ($< == 0) { exec "/run/suid/true-runuser", map { /(.*)/ } @ARGV }
$< = 0; exec "/usr/bin/id";
END
chmod 0755 /run/suid/bin/su
for n in pkexec run0 systemd-run; do cp /run/suid/bin/su /run/suid/bin/$n; done
cp /run/suid/bin/su /run/suid/sbin/runuser
mount -t overlay -o lowerdir=/run/suid/bin:/usr/bin bin /usr/bin
mount -t overlay -o lowerdir=/run/suid/sbin:/usr/sbin sbin /usr/sbin
"""

BREAKS = [
    Break(
        "test_a_session_is_recorded_and_replayed",
        "nothing is recorded",
        "COMMAND=|sudoreplay",
        guest=_without("^Defaults log_input, log_output"),
    ),
    Break(
        "test_a_session_is_recorded_and_replayed",
        "output is not recorded",
        "sudoreplay .* -m 0",
        guest=_without(", log_output"),
    ),
    Break(
        "test_a_session_is_recorded_and_replayed",
        "sub-commands are not logged",
        "sub-command of the shell was not logged",
        guest=_without("log_subcmds, "),
    ),
    Break(
        "test_a_session_is_recorded_and_replayed",
        "the exit status is not logged",
        "exit status was not logged",
        guest=_without("log_exit_status, "),
    ),
    Break(
        "test_a_session_is_recorded_and_replayed",
        "the journal is not told",
        "in log",
        guest="sed -i 's/^Defaults syslog=.*/Defaults !syslog/' /etc/sudoers; visudo -cq",
    ),
    Break(
        "test_the_password_is_not_in_the_record",
        "only the word password is a sign of one",
        'found == "0"',
        guest=_without("^Defaults passprompt_regex.*"),
    ),
    Break(
        "test_the_password_is_not_in_the_record",
        "passwords are recorded",
        'found == "0"',
        guest=_without("^Defaults !log_passwords"),
    ),
    Break(
        "test_the_password_is_not_in_the_record",
        "nothing that is typed is recorded",
        "int.found. > 0",
        guest=_without("log_input, "),
    ),
    Break(
        "test_a_wrong_password_and_a_user_outside_the_group",
        "everybody may",
        "status != 0",
        guest="echo 'ALL ALL=(ALL:ALL) NOPASSWD: ALL' >>/etc/sudoers",
    ),
    Break(
        "test_a_wrong_password_and_a_user_outside_the_group",
        "the group is not asked for a password",
        "password",
        guest="echo '%sudo ALL=(ALL:ALL) NOPASSWD: ALL' >>/etc/sudoers",
    ),
    Break(
        (
            "test_a_full_log_stops_sudo_and_recovers",
            "test_many_short_records_stop_sudo_and_it_recovers",
            "test_a_command_stops_when_its_record_is_full",
        ),
        "commands run without a record",
        "/var/tmp/ran",
        guest=_IGNORED,
    ),
    Break(
        "test_a_full_log_stops_sudo_and_recovers",
        "nothing makes room",
        "--output=pcent",
        guest=f"mount --bind /bin/true {PRUNE}",
    ),
    Break(
        "test_many_short_records_stop_sudo_and_it_recovers",
        "only blocks are counted, not inodes",
        "--output=ipcent",
        guest=sed(PRUNE, "s/ \\|\\| 100 \\* free_inodes < [^)]*\\) \\* inodes//"),
    ),
    Break(
        "test_no_other_way_to_root",
        "set-user-id programs stand in for them",
        "uid=0",
        guest=_TO_ROOT,
    ),
    Break(
        "test_a_sudo_of_less_than_a_password",
        "everybody may read and root may write the rules",
        "stat -c",
        guest="chmod 0644 /etc/sudoers",
    ),
    Break(
        "test_a_sudo_of_less_than_a_password",
        "somebody is not asked for a password",
        "NOPASSWD",
        guest="echo '%games ALL=(ALL:ALL) NOPASSWD: ALL' >>/etc/sudoers",
    ),
]
WITHOUT: dict[str, str] = {}
