"""Where this host fetches Debian packages from: nothing of that is in the repository or in an artefact."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from image.findings import Finding, FindingsError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: The environment variables that name other archives.
MAIN, SECURITY = "TAU_MIRROR", "TAU_SECURITY_MIRROR"
_URI = re.compile(r"(https?|file)://[^\s'\"\[\]]{1,500}")


@dataclass(frozen=True)
class Mirrors:
    """The roots of the Debian archive and of its security archive, as URIs without a slash at the end.

    :param options: apt.conf(5) text with this host's proxy and certificate settings.
    """

    main: str
    security: str
    options: str = ""

    def sources(self, suite: str) -> str:
        """Return apt sources (deb822, sources.list(5)) of a suite, its updates and its security updates."""
        parts = ((self.main, f"{suite} {suite}-updates"), (self.security, f"{suite}-security"))
        return "\n".join(
            f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\nSigned-By: {KEYRING}\n"
            for uri, suites in parts
        )

    def apt_conf(self) -> str:
        """Return apt.conf(5) text: the host's options for reaching the archives.

        An index that can't be had is an error: by default apt only warns, and goes on without the security updates.
        """
        return f'{self.options}APT::Update::Error-Mode "any";\n'


def host_mirrors(mirror: str = "") -> Mirrors:
    """Return the archives to use: `mirror`, else $TAU_MIRROR, else those that this host's apt uses for its own release.

    Needs no network and no privilege.

    :raises FindingsError: when none is found or one is not a URI.
    """
    options = _apt_options()
    main = mirror or os.environ.get(MAIN, "")
    security = os.environ.get(SECURITY, "")
    if not main:
        main, found = _apt_archives()
        security = security or found
    security = security or f"{main.rstrip('/')}-security"
    for uri in (main, security):
        if not _URI.fullmatch(uri):
            hint = f"--mirror or {MAIN}; {SECURITY} for the security archive"
            raise FindingsError([Finding(f"{uri!r} is not the URI of an archive", expected="http(s)://…", hint=hint)])
    return Mirrors(main.rstrip("/"), security.rstrip("/"), options)


def _apt_archives() -> tuple[str, str]:
    """The archives of the host's own release, by the URIs that `apt-get update` would fetch."""
    codename = _host_codename()
    command = ["apt-get", "update", "--print-uris"]
    output = _output(command)
    found: dict[str, str] = {}
    for suite in (codename, f"{codename}-security"):
        match = re.search(rf"^'([^']+?)/dists/{re.escape(suite)}/InRelease'", output, re.MULTILINE)
        if match:
            found[suite] = match[1]
    if codename not in found:
        message = f"this host's apt names no Debian archive for its release ({codename or 'unknown'})"
        hint = f"name one: --mirror http://… or {MAIN}=http://…"
        raise FindingsError([Finding(message, hint=hint)])
    return _listed(found[codename]), _listed(found.get(f"{codename}-security", ""))


def _listed(uri: str) -> str:
    """The archive that a ``mirror+file:`` URI stands for, as Debian's cloud images have it; any other as it is.

    The list has a URI a line, with ``priority:N`` behind it, the lowest first (apt-transport-mirror(1)).
    """
    match = re.fullmatch(r"mirror\+file:(?://)?(/.+)", uri)
    if not match:
        return uri
    try:
        lines = [line.split() for line in Path(match[1]).read_text().splitlines()]
    except (OSError, UnicodeDecodeError):
        return uri
    ranked = []
    for words in lines:
        if words and not words[0].startswith("#"):
            priority = re.search(r"\bpriority:(\d+)", " ".join(words[1:]))
            ranked.append((int(priority[1]) if priority else 2**31, words[0]))
    return min(ranked, key=lambda each: each[0])[1] if ranked else uri


def _host_codename() -> str:
    try:
        text = Path("/etc/os-release").read_text()
    except OSError:
        return ""
    match = re.search(r'^VERSION_CODENAME="?([a-z]+)"?$', text, re.MULTILINE)
    return match[1] if match else ""


def _apt_options() -> str:
    """How this host reaches its archives: proxies, certificates, retries. See apt-transport-https(1)."""
    kept = re.compile(r"Acquire::(https?::(Proxy|CAInfo|Verify|Timeout)|Retries|ForceIPv[46])\b.* \"[^\"]+\";$")
    lines = [line for line in _output(["apt-config", "dump"]).splitlines() if kept.match(line)]
    return "".join(f"{line}\n" for line in lines)


def checks_valid_until() -> bool:
    """Whether this host's apt refuses an index that is out of date, as it does by default. See apt.conf(5)."""
    match = re.search(r'^Acquire::Check-Valid-Until "(.*)";$', _output(["apt-config", "dump"]), re.MULTILINE)
    return match is None or match[1].lower() not in ("false", "no", "0", "off")


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    except OSError:
        return ""
    return done.stdout
