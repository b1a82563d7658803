"""The manual pages: all that there is is in them, and a formatter takes them."""

import re
import shutil
import subprocess

import pytest
from tau.man_pages import PAGES, _plain
from tau.manifest import _KEYS
from tau.parsers import Command, commands
from tau.permissions import PERMISSIONS
from tau.seccomp_groups import ADDITIONS


def words(page: str) -> str:
    """What a reader sees of a page, without its fonts."""
    return re.sub(r"\\f[BIPR]", "", PAGES[page]()).replace("\\-", "-")


@pytest.mark.parametrize("command", [each for each in commands() if each.words], ids=lambda each: "-".join(each.words))
def test_every_command_and_option_is_in_it(command: Command) -> None:
    text = words("tau.1")
    section = re.search(rf"^\.SS tau {' '.join(command.words)}(?: .*)?\n(?:.*\n)*?(?=\.S[SH] )", text, re.MULTILINE)
    assert section and command.summary[1:] in section[0]
    for action in command.arguments:
        for name in action.option_strings or [str(action.metavar)]:
            assert re.search(rf"^\.TP\n{re.escape(name)}\b.*\n.", section[0], re.MULTILINE), name


def test_what_a_manifest_can_say() -> None:
    text = words("manifest.tau.5")
    for name in (*_KEYS, *PERMISSIONS, *ADDITIONS):
        assert f".TP\n{name}\n" in text


@pytest.mark.parametrize(
    ("text", "safe"),
    [(".so /etc/passwd", "\\&.so /etc/passwd"), ("a\n'b", "a\n\\&'b"), ("\\n-", "\\en\\-")],
)
def test_text_is_no_request(text: str, safe: str) -> None:
    assert _plain(text) == safe


@pytest.mark.parametrize("page", PAGES)
def test_a_formatter_takes_it(page: str) -> None:
    if not shutil.which("groff"):
        pytest.skip("there is no groff")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww"], input=PAGES[page](), capture_output=True, text=True, check=True
    )
    assert done.stderr == "" and len(done.stdout.splitlines()) > 60
