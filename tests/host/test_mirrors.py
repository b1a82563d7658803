"""The archives that a host uses, read from its apt."""

import platform
import subprocess
from pathlib import Path

import pytest

from image.findings import FindingsError
from image.mirrors import MAIN, SECURITY, Mirrors, checks_valid_until, host_mirrors
from tests.host.conftest import Program

HOST = platform.freedesktop_os_release().get("VERSION_CODENAME", "")


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MAIN, raising=False)
    monkeypatch.delenv(SECURITY, raising=False)


def uris(*archives: tuple[str, str]) -> str:
    lines = "".join(f"'{root}/dists/{suite}/InRelease' some_file 0 \n" for root, suite in archives)
    return f"cat <<'END'\n{lines}END"


def test_the_archives_of_the_hosts_release(program: Program) -> None:
    program(
        "apt-get",
        uris(
            ("http://other.test/apt", "stable"),
            ("http://one.test/debian", HOST),
            ("http://one.test/debian", f"{HOST}-updates"),
            ("http://two.test/sec", f"{HOST}-security"),
        ),
    )
    found = host_mirrors()
    assert (found.main, found.security) == ("http://one.test/debian", "http://two.test/sec")


def test_a_host_without_a_security_archive(program: Program) -> None:
    program("apt-get", uris(("http://one.test/debian", HOST)))
    assert host_mirrors().security == "http://one.test/debian-security"


def test_a_list_of_mirrors(program: Program, tmp_path: Path) -> None:
    """As Debian's cloud images have it: apt-transport-mirror(1)."""
    listed = tmp_path / "mirrors"
    listed.write_text(
        "# ours\nhttp://far.test/debian/\tpriority:2\n\nhttp://near.test/debian/\tpriority:1 type:index\n"
    )
    program("apt-get", uris((f"mirror+file:{listed}", HOST)))
    found = host_mirrors()
    assert (found.main, found.security) == ("http://near.test/debian", "http://near.test/debian-security")


@pytest.mark.parametrize("content", [None, "# nothing\n"])
def test_a_list_of_mirrors_that_is_of_no_use(program: Program, tmp_path: Path, content: str | None) -> None:
    listed = tmp_path / "mirrors"
    if content is not None:
        listed.write_text(content)
    program("apt-get", uris((f"mirror+file:{listed}", HOST)))
    with pytest.raises(FindingsError, match=f"is not the URI of an archive.*\n.*{MAIN}"):
        host_mirrors()


@pytest.mark.parametrize("script", ["exit 100", "echo broken >&2; exit 100", uris(("http://a.test/apt", "stable"))])
def test_no_archive_found(program: Program, script: str) -> None:
    program("apt-get", script)
    with pytest.raises(FindingsError, match=f"names no Debian archive(.|\n)*{MAIN}="):
        host_mirrors()


def test_a_name_given_comes_first(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program("apt-get", "exit 100")
    monkeypatch.setenv(MAIN, "http://variable.test/debian/")
    assert host_mirrors().main == "http://variable.test/debian"
    assert host_mirrors("http://argument.test/debian").main == "http://argument.test/debian"
    monkeypatch.setenv(SECURITY, "https://security.test/")
    assert host_mirrors().security == "https://security.test"


@pytest.mark.parametrize(
    "uri",
    [
        "debian",
        "ftp://a.test/debian",
        "http://",
        "http://a.test/debian\nTrusted: yes",
        "http://a.test/debian stable",
        "http://a.test/[trusted=yes]",
    ],
)
def test_what_is_no_uri(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    """It goes into a file that apt reads: a newline would add a line to it."""
    with pytest.raises(FindingsError, match="is not the URI"):
        host_mirrors(uri)
    monkeypatch.setenv(SECURITY, uri)
    with pytest.raises(FindingsError, match="is not the URI"):
        host_mirrors("http://a.test/debian")


def test_apt_reads_the_sources(tmp_path: Path) -> None:
    file = tmp_path / "suite.sources"
    file.write_text(Mirrors("http://a.test/debian", "http://b.test/sec").sources("trixie"))
    options = ["-o", f"Dir::Etc::sourcelist={file}", "-o", "Dir::Etc::sourceparts=/dev/null"]
    said = subprocess.run(["apt-get", "update", "--print-uris", *options], capture_output=True, text=True, check=True)
    indexes = [line.split("'")[1] for line in said.stdout.splitlines() if "InRelease'" in line]
    assert sorted(indexes) == [
        "http://a.test/debian/dists/trixie-updates/InRelease",
        "http://a.test/debian/dists/trixie/InRelease",
        "http://b.test/sec/dists/trixie-security/InRelease",
    ]


def test_options_that_reach_the_archives(program: Program) -> None:
    program(
        "apt-config",
        """cat <<'END'
APT::Install-Recommends "1";
Acquire::http::Proxy "http://proxy.test:3128";
Acquire::http::Proxy::local.test "DIRECT";
Acquire::https::CAInfo "/etc/ssl/own.pem";
Acquire::https::Timeout "";
Acquire::Check-Valid-Until "false";
DPkg::Post-Invoke:: "echo x";
END""",
    )
    assert host_mirrors("http://a.test/debian").apt_conf().splitlines() == [
        'Acquire::http::Proxy "http://proxy.test:3128";',
        'Acquire::http::Proxy::local.test "DIRECT";',
        'Acquire::https::CAInfo "/etc/ssl/own.pem";',
        'APT::Update::Error-Mode "any";',  # not the host's: an index that can't be had is an error
    ]


@pytest.mark.parametrize(("line", "checked"), [("", True), ("true", True), ("false", False), ("0", False)])
def test_whether_old_indexes_are_refused(program: Program, line: str, checked: bool) -> None:
    program("apt-config", f"echo 'Acquire::Check-Valid-Until \"{line}\";'" if line else "true")
    assert checks_valid_until() is checked
