"""An author's key and certificate: whether bundles can be signed with them, and installed afterwards."""

import os
import re
import time
from pathlib import Path
from typing import NamedTuple

from tau.host_tools import PackError, indented, run

#: The line that makes both.
NEW_KEY = 'openssl req -x509 -newkey rsa:3072 -noenc -days 3650 -subj "/CN=YOUR NAME" -keyout KEY -out CERTIFICATE'
#: Shortest RSA key, in bits (NIST SP 800-57, part 1: what is shorter is not to be signed with any more).
SHORTEST_KEY = 2048


class Signer(NamedTuple):
    """An author's key and certificate, as PEM files."""

    key: Path
    certificate: Path


def check_signer(signer: Signer) -> None:
    """Look whether the key is one that can sign, and whether the certificate is its own and valid now.

    :raises PackError: when it is not.
    """
    if _has_pass_phrase(signer.key):
        without = f"openssl pkey -in {signer.key} -out WITHOUT"
        raise PackError(f"{signer.key}: has a pass phrase, which tau pack can't ask for; without one: {without}")
    public = _openssl("pkey", "-in", str(signer.key), "-pubout", about=signer.key)
    certified = _openssl("x509", "-in", str(signer.certificate), "-noout", "-pubkey", about=signer.certificate)
    if public != certified:
        raise PackError(f"{signer.certificate}: is the certificate of another key than {signer.key}")
    _check_kind(signer)
    _check_dates(signer.certificate)


def _check_kind(signer: Signer) -> None:
    text = _openssl("x509", "-in", str(signer.certificate), "-noout", "-text", about=signer.certificate)
    if "rsaEncryption" not in text:
        # An ECDSA signature holds a random number: no two bundles would be alike.
        raise PackError(f"{signer.key}: is not an RSA key, and only RSA signs the same bytes twice\n    {NEW_KEY}")
    bits = re.search(r"Public-Key: \((\d+) bit", text)
    if bits and int(bits[1]) < SHORTEST_KEY:
        raise PackError(f"{signer.key}: has {bits[1]} bits; {SHORTEST_KEY} or more are needed\n    {NEW_KEY}")


def _check_dates(certificate: Path) -> None:
    """Look at the dates: a bundle of such a certificate is refused wherever somebody wants to install it."""
    import ssl  # for its reader of openssl's dates alone

    said = _openssl("x509", "-in", str(certificate), "-noout", "-dates", about=certificate)
    begins, ends = (ssl.cert_time_to_seconds(line.partition("=")[2]) for line in said.splitlines())
    if time.time() < begins:
        raise PackError(f"{certificate}: is not valid yet, by this machine's clock")
    if time.time() >= ends:
        raise PackError(f"{certificate}: has expired")


def _has_pass_phrase(key: Path) -> bool:
    """Whether it is a PEM file that only its pass phrase opens (RFC 7468, section 11, and OpenSSL's older form)."""
    try:
        with key.open("rb") as file:
            head = file.read(500)
    except OSError:
        return False  # which openssl says
    return b"BEGIN ENCRYPTED PRIVATE KEY" in head or b"Proc-Type: 4,ENCRYPTED" in head


def _openssl(*arguments: str, about: Path) -> str:
    done = run("openssl", *arguments)
    if done.returncode:
        reason = "can't be read" if not os.access(about, os.R_OK) else "is not what openssl can use"
        raise PackError(f"{about}: {reason}:\n{indented(done.stderr)}")
    return done.stdout
