"""An author's bundle: the same bytes each time, signed, and refused with the reason where it can't be made."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tau import host_tools
from tau.author_key import NEW_KEY
from tau.folder_check import ARCHITECTURES

from overlays.sandboxd.author.tools import SOURCE, Tools

Pack = Callable[[Path, Path], Path]


def attempt(tools: Tools, folder: Path, signer: tuple[Path, Path], *options: str) -> str:
    """What is said of a bundle that can't be made, and of which nothing is left."""
    target = folder.parent / "out.raw"
    target.write_bytes(b"the one before")
    key, certificate = signer
    done = tools.tau("pack", folder, "--key", key, "--certificate", certificate, "--output", target, *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert target.read_bytes() == b"the one before"
    assert [path for path in target.parent.iterdir() if path.name.startswith(".tau")] == []
    return done.stderr


def test_the_same_bytes_each_time(
    tools: Tools, app: Path, signer: tuple[Path, Path], pack: Pack, tmp_path: Path
) -> None:
    first = pack(app, tmp_path / "first.raw").read_bytes()
    other = tmp_path / "another folder, 100 %"
    shutil.copytree(app, other)
    os.utime(other / "bin/app", (0, 0))
    (other / "manifest.tau").chmod(0o640)
    key, certificate = signer
    target = other.with_suffix(".raw")
    done = tools.tau("pack", other, "--key", key, "--certificate", certificate, "--output", target, umask=0o077)
    assert done.stdout == f"{target}: {len(first)} bytes\n"
    assert target.read_bytes() == first
    (other / "bin/app").write_text("#!/bin/sh\n")
    assert pack(other, target).read_bytes() != first


def test_it_is_a_discoverable_disk_image(tools: Tools, app: Path, pack: Pack, tmp_path: Path) -> None:
    """Its partitions are found by their types, and belong together by their UUIDs, which are the root hash."""
    bundle = pack(app, tmp_path / "app.raw")
    table = json.loads(tools.run("sfdisk", "--json", str(bundle)).stdout)["partitiontable"]["partitions"]
    found = [(part["name"], part["uuid"].replace("-", "").lower()) for part in table]
    content = bundle.read_bytes()
    root_hash = content[content.index(b'"rootHash":"') + 12 :][:64].decode()
    arch = ARCHITECTURES[platform.machine()]
    assert found[:2] == [(f"root-{arch}", root_hash[:32]), (f"root-{arch}-verity", root_hash[32:])]
    assert [name for name, _ in found[2:]] == [f"root-{arch}-verity-sig", "certificate"]


def test_the_name_of_a_bundle(tools: Tools, app: Path, signer: tuple[Path, Path], tmp_path: Path) -> None:
    key, certificate = signer
    command = ["env", "-C", str(tmp_path), "python3", "-m", "tau", "pack", str(app), "--arch", "aarch64"]
    done = tools.run(*command, "--key", str(key), "--certificate", str(certificate))
    assert (tmp_path / "org.example.app_1.2_aarch64.raw").is_file(), done.stderr


def test_a_wrong_manifest(tools: Tools, app: Path, signer: tuple[Path, Path]) -> None:
    (app / "manifest.tau").write_text('{"id": "org.example.app",\n "permissions": ["netwrok"]}')
    said = attempt(tools, app, signer)
    assert said == f'{app}/manifest.tau:2:18: permissions[0]: "netwrok" is not a permission; did you mean "network"?\n'
    (app / "manifest.tau").unlink()
    assert attempt(tools, app, signer) == f"{app}/manifest.tau: can't be read: No such file or directory\n"


def test_a_program_that_is_not_there_or_not_executable(tools: Tools, app: Path, signer: tuple[Path, Path]) -> None:
    (app / "bin/app").chmod(0o644)
    assert f"{app}/bin/app: is not executable (chmod +x); it is the program" in attempt(tools, app, signer)
    (app / "bin/app").unlink()
    assert f"{app}/bin/app: is not there; it is the program" in attempt(tools, app, signer)


def test_what_can_not_go_into_a_bundle(tools: Tools, app: Path, signer: tuple[Path, Path]) -> None:
    (app / "secrets").symlink_to("/etc/passwd")
    os.mkfifo(app / "pipe")
    assert attempt(tools, app, signer).splitlines() == [
        f"{app}/pipe: is neither a file, a folder nor a link",
        f"{app}/secrets: is a link that leads out of the app: /etc/passwd",
    ]


def test_a_bundle_in_the_folder_that_it_is_made_from(tools: Tools, app: Path, signer: tuple[Path, Path]) -> None:
    """It would hold itself, and the next one this one."""
    key, certificate = signer
    for target in (app / "app.raw", app / "bin/app.raw"):
        done = tools.tau("pack", app, "--key", key, "--certificate", certificate, "--output", target)
        assert done.returncode == 1 and "would lie in the folder that is packed" in done.stderr
    assert {path.name for path in app.iterdir()} == {"bin", "manifest.tau"}


def test_keys_that_will_not_do(tools: Tools, app: Path, signer: tuple[Path, Path], tmp_path: Path) -> None:
    key, certificate = signer
    other_key, other_certificate = tools.key(tmp_path, "other")
    assert "is the certificate of another key than" in attempt(tools, app, (key, other_certificate))
    assert "is not what openssl can use" in attempt(tools, app, (certificate, certificate))
    assert f"{tmp_path}/none: can't be read" in attempt(tools, app, (tmp_path / "none", certificate))
    curve = tools.key(tmp_path, "curve", "-pkeyopt", "ec_paramgen_curve:P-256", algorithm="ec")
    said = attempt(tools, app, curve)
    assert said == f"{curve[0]}: is not an RSA key, and only RSA signs the same bytes twice\n    {NEW_KEY}\n"
    short = tools.key(tmp_path, "short", algorithm="rsa:1024")
    assert attempt(tools, app, short) == f"{short[0]}: has 1024 bits; 2048 or more are needed\n    {NEW_KEY}\n"
    old = tools.key(tmp_path, "old", "-not_before", "20200101000000Z", "-not_after", "20210101000000Z")
    assert f"{old[1]}: has expired" in attempt(tools, app, old)
    early = tools.key(tmp_path, "early", "-not_before", "21200101000000Z", "-not_after", "21300101000000Z")
    assert f"{early[1]}: is not valid yet, by this machine's clock" in attempt(tools, app, early)
    for name, form in (("now", ("pkcs8", "-topk8")), ("then", ("rsa", "-aes256", "-traditional"))):
        locked = tmp_path / f"{name}.key"
        files = ("-in", str(other_key), "-out", str(locked))
        assert tools.run("openssl", *form, "-passout", "pass:word", *files).returncode == 0
        without = f"openssl pkey -in {locked} -out WITHOUT"
        said = attempt(tools, app, (locked, other_certificate))
        assert said == f"{locked}: has a pass phrase, which tau pack can't ask for; without one: {without}\n"


def test_what_gives_a_secret_away_or_can_not_run(tools: Tools, app: Path, signer: tuple[Path, Path]) -> None:
    """All of it at once (test_folder_check has the kinds)."""
    shutil.copy(signer[0], app / "jane.key")
    (app / ".git").mkdir()
    (app / "bin/app").write_text("echo hello\n")
    said = attempt(tools, app, signer).splitlines()
    assert [line.partition(": is ")[0] for line in said] == [
        f"{app}/{name}" for name in ("bin/app", ".git", "jane.key")
    ]
    assert said[0].endswith("; it is the program that the manifest names")


def test_what_may_be_meant_is_told_and_packed(
    tools: Tools, app: Path, signer: tuple[Path, Path], tmp_path: Path
) -> None:
    (app / "gone").symlink_to("nothing")
    key, certificate = signer
    target = tmp_path / "out.raw"
    done = tools.tau("pack", app, "--key", key, "--certificate", certificate, "--output", target)
    assert done.stderr == f"{app}/gone: is a link to nothing; it is packed\n"
    assert (done.returncode, done.stdout) == (0, f"{target}: {target.stat().st_size} bytes\n")
    assert target.stat().st_size % 4096 == 0, "the kernel can't read its last block, and complains"


def test_places_that_will_not_do(tools: Tools, app: Path, signer: tuple[Path, Path], tmp_path: Path) -> None:
    key, certificate = signer
    (tmp_path / "file").touch()
    for folder, target, said in (
        (app, tmp_path, f"{tmp_path}: is a folder; name a file"),
        (app, tmp_path / "none/x.raw", f"{tmp_path}/none: is not there"),
        (app, tmp_path / "file/x.raw", f"{tmp_path}/file: is not a folder"),
        (app / "manifest.tau", tmp_path / "x.raw", f"{app}/manifest.tau: is the manifest; give its folder: {app}"),
        (app / "bin/app", tmp_path / "x.raw", f"{app}/bin/app: is not a folder"),
    ):
        done = tools.tau("pack", folder, "--key", key, "--certificate", certificate, "--output", target)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{said}\n")


def test_a_host_without_the_tools(app: Path, tmp_path: Path) -> None:
    """What it says names the packages; /usr/sbin and /sbin are looked into whatever PATH says."""
    empty = tmp_path / "empty"
    empty.mkdir()
    present = {
        name for name in ("mkfs.erofs", "openssl", "systemd-repart") if shutil.which(name, path="/usr/sbin:/sbin")
    }
    environment = {"PATH": str(empty), "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-m", "tau", "pack", str(app), "--key", "k", "--certificate", "c"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "openssl" in present or "openssl" in done.stderr
    assert "not found\n" in done.stderr and "sudo apt-get install" in done.stderr


def test_a_library_that_is_only_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd-repart does without until it is to make hashes: nothing else needs it, and its package suggests it."""
    monkeypatch.setattr(host_tools, "TOOLS", {})
    monkeypatch.setattr(host_tools, "LIBRARIES", {"libc.so.6": "libc6", "libnone.so.12": "libnone12"})
    with pytest.raises(host_tools.PackError) as caught:
        host_tools.check_tools()
    assert str(caught.value) == "libnone.so.12 not found\n    sudo apt-get install libnone12"


def test_an_architecture_that_there_is_not(tools: Tools, app: Path, signer: tuple[Path, Path]) -> None:
    key, certificate = signer
    done = tools.tau("pack", app, "--key", key, "--certificate", certificate, "--arch", "pdp11")
    assert done.returncode == 2 and "invalid choice: 'pdp11'" in done.stderr
    assert platform.machine() in tools.tau("pack", "--help").stdout
    for name, other in (("arm64", "x86_64"), ("amd64", "aarch64")):
        (app / "bin/app").write_bytes(b"\x7fELF\x02\x01" + bytes(12) + bytes([62 if other == "x86_64" else 183, 0]))
        said = attempt(tools, app, signer, "--arch", name)
        assert f"bin/app: is for {other}, and the bundle is for {'aarch64' if name == 'arm64' else 'x86_64'}" in said
