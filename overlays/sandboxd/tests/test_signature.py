"""Who signed a bundle: told of one that is in order, and of no other."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tau import gpt
from tau.gpt import CERTIFICATE_PARTITION
from tau.signature import ROOT_PARTITIONS
from tau.signed import SIZE, unpack

from overlays.sandboxd.author.tools import Tools

Pack = Callable[[Path, Path], Path]


@pytest.fixture
def bundle(app: Path, pack: Pack, tmp_path: Path) -> Path:
    return pack(app, tmp_path / "app.raw")


def verdict(tools: Tools, bundle: Path) -> str:
    """What the check says: the two hashes in hexadecimal, or the reason."""
    done = tools.run("sh", "-c", 'python3 -m tau.signature <"$1" | od -An -v -tx1', "sh", str(bundle))
    raw = bytes.fromhex(done.stdout)
    return raw.hex() if len(raw) == SIZE else raw.decode().strip()


def place(bundle: Path, kind: object) -> gpt.Partition:
    with bundle.open("rb") as file:
        return next(part for part in gpt.partitions(file.fileno()) if part.kind == kind)


def edit(bundle: Path, kind: object, content: bytes) -> None:
    part = place(bundle, kind)
    data = bytearray(bundle.read_bytes())
    data[part.offset : part.offset + part.size] = content.ljust(part.size, b"\0")[: part.size]
    bundle.write_bytes(data)


def signature_kind() -> object:
    return ROOT_PARTITIONS[os.uname().machine][2]


def test_a_good_one(tools: Tools, bundle: Path, signer: tuple[Path, Path]) -> None:
    found = verdict(tools, bundle)
    fingerprint = tools.run("openssl", "x509", "-in", str(signer[1]), "-noout", "-fingerprint", "-sha256").stdout
    assert found[64:128] == fingerprint.partition("=")[2].strip().replace(":", "").lower()
    shown = tools.run("sfdisk", "--json", str(bundle)).stdout.replace("-", "").lower()
    assert found[:32] in shown and found[32:64] in shown  # the UUIDs of the first two partitions
    first, second, *_ = json.loads(tools.run("sfdisk", "--json", str(bundle)).stdout)["partitiontable"]["partitions"]
    offset, size, hashes = unpack(bytes.fromhex(found)).layout
    assert (offset, size, hashes) == (first["start"] * 512, first["size"] * 512, second["start"] * 512)


def test_another_root_hash(tools: Tools, bundle: Path) -> None:
    data = bundle.read_bytes()
    at = data.index(b'"rootHash":"') + 12
    bundle.write_bytes(data[:at] + (b"1" if data[at : at + 1] == b"0" else b"0") + data[at + 1 :])
    assert verdict(tools, bundle) == "has a wrong signature"


def test_another_signer(tools: Tools, bundle: Path, tmp_path: Path) -> None:
    """Somebody who puts a certificate of their own into a bundle of another's."""
    _, certificate = tools.key(tmp_path, "other")
    edit(bundle, CERTIFICATE_PARTITION, certificate.read_bytes())
    assert verdict(tools, bundle) == "has a wrong signature"


def test_the_same_key_under_another_name(tools: Tools, bundle: Path, signer: tuple[Path, Path], tmp_path: Path) -> None:
    """The signer is the certificate: one that was made anew is another, and the helper's pin tells them apart."""
    before = verdict(tools, bundle)
    renewed = tmp_path / "renewed.crt"
    tools.run(
        "openssl", "req", "-x509", "-key", str(signer[0]), "-subj", "/CN=author", "-days", "9", "-out", str(renewed)
    )
    edit(bundle, CERTIFICATE_PARTITION, renewed.read_bytes())
    after = verdict(tools, bundle)
    assert after == "has a wrong signature" or after[64:128] != before[64:128]


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("20200101000000Z", "20210101000000Z", "is signed with a certificate that has expired"),
        ("20990101000000Z", "21000101000000Z", "is signed with a certificate that is not valid yet"),
    ],
)
def test_the_time_of_a_certificate(tools: Tools, app: Path, tmp_path: Path, first: str, last: str, said: str) -> None:
    key, certificate = tools.key(tmp_path, "author", "-not_before", first, "-not_after", last)
    target = tmp_path / "app.raw"
    pack = (
        "from pathlib import Path; import sys; from tau import pack, manifest; pack.check_signer = lambda signer: None;"
        "a, k, c, t = map(Path, sys.argv[1:]);"
        "m = manifest.check((a / 'manifest.tau').read_bytes()).manifest;"
        "pack.pack(a, m, pack.Signer(k, c), __import__('platform').machine(), t)"
    )
    done = tools.run("python3", "-c", pack, str(app), str(key), str(certificate), str(target))
    assert done.returncode == 0, done.stderr
    assert verdict(tools, target) == said


def test_bundles_that_lack_something(tools: Tools, bundle: Path) -> None:
    whole = bundle.read_bytes()
    edit(bundle, CERTIFICATE_PARTITION, b"")
    assert verdict(tools, bundle) == "holds a certificate that can't be read"
    for content in (
        b"",
        b"{}",
        b"[" * 9999,
        b'{"rootHash": 3, "signature": ""}',
        b'{"rootHash": "", "signature": "?"}',
    ):
        bundle.write_bytes(whole)
        edit(bundle, signature_kind(), content)
        assert verdict(tools, bundle) in ("holds a signature that can't be read", "holds a root hash that is none")
    for kind, said in ((signature_kind(), "is not signed"), (CERTIFICATE_PARTITION, "does not say who signed it")):
        raw = kind.bytes_le  # type: ignore[attr-defined]
        bundle.write_bytes(whole.replace(raw, bytes(15) + b"\1"))
        assert verdict(tools, bundle) == said


def test_files_that_are_no_bundles(tools: Tools, bundle: Path, tmp_path: Path) -> None:
    whole = bundle.read_bytes()
    other = tmp_path / "other"
    for content, said in (
        (b"", "is too short for a disk image"),
        (b"x" * 4096, "is not a disk image with a partition table"),
        (whole[: len(whole) // 2], "has a partition that lies outside of it"),
    ):
        other.write_bytes(content)
        assert verdict(tools, other) == said


def test_one_for_another_machine(tools: Tools, app: Path, signer: tuple[Path, Path], tmp_path: Path) -> None:
    here = os.uname().machine
    other = next(name for name in ROOT_PARTITIONS if name != here)
    target = tmp_path / "other.raw"
    key, certificate = signer
    tools.tau("pack", app, "--key", key, "--certificate", certificate, "--arch", other, "--output", target)
    assert verdict(tools, target) == f"is for {other}, and this is {here}"


@given(st.binary(max_size=600), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_table_may_be_anything(tail: bytes, first: int, count: int, size: int) -> None:
    header = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0, 92, 0, 0, 1, 2, 3, 4, b"", first, count, size, 0)
    for data in (bytes(512) + header + tail, bytes(512) + header.ljust(512, b"\0") + tail, tail):
        image = os.memfd_create("table")
        try:
            os.write(image, data)
            for part in gpt.partitions(image):
                assert part.offset + part.size <= len(data)
        except gpt.TableError:
            pass
        finally:
            os.close(image)
