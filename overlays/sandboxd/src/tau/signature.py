"""Who signed a bundle: its root hash, its signature, and the certificate that the signature can be checked with.

Runs without privilege, in a process that ends with the question: it reads what may be anything. ``openssl`` does the
cryptography.
"""

import base64
import binascii
import hashlib
import json
import os
import platform
import re
import ssl
import subprocess
import sys
import uuid

from tau import gpt
from tau.signed import Signed

#: The types of a root partition, of its dm-verity, and of the signature of that, by architecture as uname(1) calls it
#: (https://uapi-group.org/specifications/specs/discoverable_partitions_specification/).
ROOT_PARTITIONS = {
    "x86_64": (
        uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),
        uuid.UUID("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"),
        uuid.UUID("41092b05-9fc8-4523-994f-2def0408b176"),
    ),
    "aarch64": (
        uuid.UUID("b921b045-1df0-41c3-af44-4c6f280d3fae"),
        uuid.UUID("df3300ce-d69f-4c92-978c-9bfb0f38d820"),
        uuid.UUID("6db69de6-29f4-4758-a7a5-962190f00ce3"),
    ),
}
_MAX_SMALL = 64 * 1024
_MAX_SECONDS = 60


class SignatureError(Exception):
    """Why a bundle can't be trusted; the message follows "the bundle"."""


def check(image: int, architecture: str) -> Signed:
    """Check a bundle's signature against the certificate in it, which must be valid now.

    :param image: a file descriptor of the bundle.
    :param architecture: of this machine, a key of :data:`ROOT_PARTITIONS`.
    :raises SignatureError: when it is not signed, not for this architecture, or not by the holder of the certificate.
    """
    try:
        parts = {part.kind: part for part in gpt.partitions(image)}
        root, hashes, wanted = ROOT_PARTITIONS[architecture]
        if wanted not in parts:
            others = [name for name, (_, _, kind) in ROOT_PARTITIONS.items() if kind in parts]
            raise SignatureError(f"is for {others[0]}, and this is {architecture}" if others else "is not signed")
        if root not in parts or hashes not in parts:
            raise SignatureError("holds no files, or no hashes of them")
        if gpt.CERTIFICATE_PARTITION not in parts:
            raise SignatureError("does not say who signed it")
        root_hash, signature = _signature(gpt.read(image, parts[wanted], _MAX_SMALL))
        pem = gpt.read(image, parts[gpt.CERTIFICATE_PARTITION], _MAX_SMALL)
        signer = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode("ascii").strip())).digest()
    except gpt.TableError as error:
        raise SignatureError(str(error)) from None
    except ValueError:
        raise SignatureError("holds a certificate that can't be read") from None
    _verify(root_hash, signature, pem)
    return Signed(root_hash, signer, (parts[root].offset, parts[root].size, parts[hashes].offset))


def _signature(content: bytes) -> tuple[bytes, bytes]:
    """Root hash and signature (DER) of the JSON in a signature partition."""
    try:
        data = json.loads(content)
        root_hash, signature = data["rootHash"], base64.b64decode(data["signature"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise SignatureError("holds a signature that can't be read") from None
    if not isinstance(root_hash, str) or not re.fullmatch(r"[0-9a-f]{64}", root_hash):
        raise SignatureError("holds a root hash that is none")
    return bytes.fromhex(root_hash), signature


def _verify(root_hash: bytes, signature: bytes, certificate: bytes) -> None:
    """Check that what systemd-repart signs, the root hash as text, was signed by the certificate's holder.

    openssl-smime(1). The certificate is looked at as its own authority, which is what brings in the dates of its
    validity; nothing but it is trusted, neither what the signature carries nor what this system has.
    """
    files = [_memory_file(content) for content in (signature, root_hash.hex().encode(), certificate)]
    try:
        sealed, content, holder = (f"/proc/self/fd/{descriptor}" for descriptor in files)
        command = ["openssl", "smime", "-verify", "-inform", "DER", "-binary", "-in", sealed, "-content", content]
        command += ["-certfile", holder, "-nointern", "-CAfile", holder, "-partial_chain", "-purpose", "any"]
        command += ["-no-CApath", "-no-CAstore"]
        done = subprocess.run(
            command,
            pass_fds=files,
            env={"PATH": "/usr/bin", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_MAX_SECONDS,
            check=False,
        )
    finally:
        for descriptor in files:
            os.close(descriptor)
    if done.returncode:
        said = done.stderr.decode(errors="replace")
        reasons = {"certificate has expired": "is signed with a certificate that has expired"}
        reasons["certificate is not yet valid"] = "is signed with a certificate that is not valid yet"
        raise SignatureError(next((text for key, text in reasons.items() if key in said), "has a wrong signature"))


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("tau")
    os.write(descriptor, content)
    return descriptor


def main() -> int:
    """Check the bundle on standard input for the helper: what it says on standard output, or the reason."""
    try:
        signed = check(0, platform.machine())
    except SignatureError as error:
        print(error, flush=True)
        return 1
    sys.stdout.buffer.write(signed.pack())
    return 0


if __name__ == "__main__":
    sys.exit(main())
