"""Breaks of ssh: what its settings keep out is let in again."""

from tests.breaks.model import Break

CONFIG = "/etc/ssh/sshd_config"
FOLDER = "/var/lib/tau/ssh"
_ALGORITHM = "test_an_old_algorithm_is_refused"


def _first(*lines: str, before: str = "true") -> str:
    """Put settings before all others, since the first of a name counts (sshd_config(5)), and start the server anew."""
    text = "\\n".join(lines)
    return f"{before}; sed -i '1i {text}' {CONFIG}; sshd -t; systemctl restart ssh; sleep 2"


BREAKS = [
    Break(
        "test_it_listens_only_where_it_was_asked_for",
        "the server runs although nobody asked for it",
        "bool.listening.",
        guest="systemctl start ssh; sleep 2",
    ),
    Break(
        "test_it_listens_only_where_it_was_asked_for",
        "the firewall lets it in although nobody asked for it",
        "in opened",
        guest="mkdir /run/rules; echo 'tcp dport 22 accept' >/run/rules/50-ssh.nft;"
        " mount --bind /run/rules /usr/lib/tau/firewall.d",
    ),
    Break(
        "test_a_key_lets_its_user_in_and_never_root",
        "the user's keys are lost",
        "== USER",
        guest=f"rm {FOLDER}/authorized_keys.d/tester",
    ),
    Break(
        "test_a_key_lets_its_user_in_and_never_root",
        "root may log in",
        "== 255",
        guest=_first("PermitRootLogin yes", before="sed -i '/uid != 0/d' /etc/pam.d/common-account"),
    ),
    Break(
        "test_a_session_of_the_server_is_without_pam_fscrypt",
        "what every service includes names it",
        "== expected",
        guest="echo 'session optional pam_fscrypt.so' >>/etc/pam.d/common-session",
    ),
    Break(
        "test_no_password_and_no_other_key",
        "a password will do",
        "publickey",
        guest=_first("PasswordAuthentication yes", before=f"sed -i '/^AuthenticationMethods/d' {CONFIG}"),
    ),
    Break(
        "test_no_password_and_no_other_key",
        "a key that was taken away still counts",
        "== 255",
        guest=_first(
            f"AuthorizedKeysFile {FOLDER}/authorized_keys.d/%u {FOLDER}/more",
            before=f"cp /run/client.pub {FOLDER}/more",
        ),
    ),
    Break(
        "test_a_key_in_the_home_is_none",
        "keys in the home count",
        "== 255",
        guest=_first(f"AuthorizedKeysFile {FOLDER}/authorized_keys.d/%u .ssh/authorized_keys"),
    ),
    Break(
        (
            f"{_ALGORITHM}[KexAlgorithms=diffie-hellman-group14-sha256]",
            f"{_ALGORITHM}[KexAlgorithms=ecdh-sha2-nistp256]",
            f"{_ALGORITHM}[Ciphers=aes128-ctr]",
        ),
        "old algorithms are offered",
        "== 255",
        guest=_first("KexAlgorithms ecdh-sha2-nistp256,diffie-hellman-group14-sha256", "Ciphers aes128-ctr"),
    ),
    Break(
        f"{_ALGORITHM}[HostKeyAlgorithms=rsa-sha2-512]",
        "the host has an RSA key",
        "== 255",
        guest=_first(
            f"HostKey {FOLDER}/rsa",
            "HostKeyAlgorithms rsa-sha2-512",
            before=f'ssh-keygen -q -t rsa -b 3072 -N "" -f {FOLDER}/rsa',
        ),
    ),
    Break(
        "test_nothing_is_forwarded",
        "connections are forwarded",
        "== expected",
        guest=_first("AllowTcpForwarding yes"),
    ),
    Break(
        "test_a_locked_home_says_so",
        "nothing is said",
        "Your home is locked",
        guest=": >/etc/profile.d/tau-home.sh",
    ),
    Break(
        "test_the_configuration_is_clean",
        "a setting that sshd does not know",
        "status == 0",
        guest=f"echo 'NoSuchSetting yes' >>{CONFIG}",
    ),
    Break(
        "test_the_configuration_is_clean",
        "a setting that sshd warns of",
        "stdout . answer.stderr",
        guest=f"echo 'RSAAuthentication yes' >>{CONFIG}",
    ),
    Break(
        "test_the_host_key_is_made_on_the_machine",
        "a key where Debian has it",
        "ssh_host",
        guest="touch /etc/ssh/ssh_host_rsa_key",
    ),
    Break(
        "test_the_host_key_is_made_on_the_machine",
        "others may read the key",
        "600 root",
        guest=f"chmod 0644 {FOLDER}/ssh_host_ed25519_key",
    ),
    Break(
        "test_an_unattended_installation_brings_the_first_users_keys",
        "the first user's keys do not arrive",
        "AUTHORIZED_KEY",
        guest=f"echo ssh-ed25519 another >{FOLDER}/authorized_keys.d/tester",
    ),
    Break(
        "test_an_unattended_installation_brings_the_first_users_keys",
        "the user may add to them",
        "644 root",
        guest=f"chown tester {FOLDER}/authorized_keys.d/tester",
    ),
]
WITHOUT: dict[str, str] = {}
