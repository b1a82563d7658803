"""Breaks of fscrypt: homes that are open, that stay open, that are not encrypted at all."""

from tests.breaks.model import Break, sed

_LOCK = "/usr/lib/tau/home-lock"
_HOME = "/home/tester"
_NO_SERVICE = f"mount --bind /bin/true {_LOCK}"
_PLAIN = f"mv {_HOME} /home/aside; install -d -o tester -g tester -m 0700 {_HOME}"


def _protector(kind: str) -> str:
    return f"$(fscrypt status {_HOME} | awk '/{kind}/ {{print $1; exit}}')"


BREAKS = [
    Break(
        "test_the_home_is_locked_before_the_first_login",
        "the home is open",
        "LOCKED",
        guest=f"echo 'correct horse' | fscrypt unlock --quiet --unlock-with=/:{_protector('login')} {_HOME}",
    ),
    Break(
        "test_the_home_is_locked_before_the_first_login",
        "the home is not encrypted",
        "LOCKED",
        guest=_PLAIN,
    ),
    Break(
        "test_root_reads_names_and_content_only_while_the_user_is_there",
        "nothing locks the home",
        "wait_until",
        guest=_NO_SERVICE,
    ),
    Break(
        "test_whatever_was_left_running_is_ended_and_the_home_locked",
        "PAM alone locks the home",
        "wait_until",
        guest=_NO_SERVICE,
    ),
    Break(
        "test_what_is_written_in_the_home_is_not_on_the_disk",
        "the home is not encrypted",
        "holds_in_clear",
        guest=_PLAIN,
    ),
    Break(
        "test_who_comes_back_at_once_finds_the_home_open",
        "the password opens no home",
        "bashrc",
        guest="sed -i '/^session.*pam_fscrypt/d' /etc/pam.d/login",
    ),
    Break(
        "test_who_comes_back_while_the_home_is_being_locked_finds_it_open",
        "nobody waits for the lock",
        "bashrc",
        guest="mount --bind /bin/true /usr/lib/tau/home-wait",
    ),
    Break(
        "test_login_alone_runs_pam_fscrypt",
        "a file that every service reads names it",
        "login",
        guest="echo 'session optional pam_fscrypt.so' >>/etc/pam.d/other",
    ),
    Break(
        "test_login_alone_runs_pam_fscrypt",
        "it stands where Debian puts it, and sudo has it",
        "login",
        guest="echo 'auth optional pam_fscrypt.so' >>/etc/pam.d/common-auth",
    ),
    Break(
        "test_a_service_that_pam_does_not_know_lets_nobody_in",
        "it has what Debian gives it",
        "nowhere",
        guest="for each in auth account password session; do echo @include common-$each; done >/etc/pam.d/other",
    ),
    Break(
        "test_a_wrong_password_opens_nothing",
        "any password is taken",
        "not terminal.try_log_in",
        guest="sed -i '1i auth sufficient pam_exec.so expose_authtok quiet /bin/true' /etc/pam.d/common-auth",
    ),
    Break(
        "test_a_new_password_opens_the_home_and_the_old_one_does_not",
        "the protector does not follow the password",
        "bashrc",
        guest="sed -i /pam_fscrypt/d /etc/pam.d/passwd",
    ),
    Break(
        "test_the_recovery_key_opens_a_home_whose_password_root_has_changed",
        "the protector of the recovery key is lost",
        "unlock|protector|fscrypt status",
        guest=f"rm /home/.fscrypt/protectors/{_protector('custom')}",
    ),
    Break(
        "test_a_home_that_stays_busy_is_reported",
        "nothing is said",
        "sleep 3009",
        guest=_NO_SERVICE,
    ),
    Break(
        "test_a_home_that_stays_busy_is_reported",
        "who holds it is not said",
        "sleep 3009",
        guest=sed(_LOCK, 's/echo "<3>process.*/:/'),
    ),
    Break(
        "test_nobody_keeps_services_running_without_a_session",
        "anybody may",
        "enable-linger",
        guest="mount --bind /bin/true /usr/bin/loginctl",
    ),
    Break(
        "test_nobody_keeps_services_running_without_a_session",
        "the user does",
        "linger/",
        guest="mkdir -p /var/lib/systemd/linger; touch /var/lib/systemd/linger/tester",
    ),
    Break(
        "test_the_hash_of_a_password_is_never_cheap",
        "a cheap hash",
        "memory >=",
        guest='sed -i -E \'s/("memory": *"?)[0-9]+/\\132768/\' /etc/fscrypt.conf',
    ),
    Break(
        "test_the_recovery_key_is_shown_at_the_console_alone",
        "the journal has it as well",
        "journalctl",
        guest=sed("/usr/lib/tau/first-user.d/90-fscrypt", "s/^ *sed -n 3p/logger $(sed -n 3p $readme); &/"),
    ),
]
WITHOUT: dict[str, str] = {}
