"""Breaks of sandboxd: a checker that takes everything, or that anybody can replace."""

from tests.breaks.model import Break

_PACKAGE = "/usr/lib/tau/python/tau"
_STORE = "/var/lib/tau/sandbox"
_POLICY = "/usr/share/dbus-1/system.d/org.tauos.Sandbox1.conf"


def _replaced(path: str, *commands: str) -> str:
    """Lay a copy of a file of the read-only root over it, with changes."""
    return f"cp -p {path} /run/copy; {'; '.join(commands)}; mount --bind /run/copy {path}"


def _edited(module: str, expression: str) -> str:
    """Change a module, and keep its bytecode from being taken in its place."""
    path = f"{_PACKAGE}/{module}.py"
    changed = f"sed -i '{expression}' /run/copy; ! cmp /run/copy {path}"
    return f"{_replaced(path, changed)}; mount -t tmpfs none {path.rpartition('/')[0]}/__pycache__"


BREAKS = [
    Break(
        "test_the_seeds_manifest_is_taken_as_it_stands",
        "a permission of the seed's is none",
        "no findings",
        guest=_edited("permissions", 's/"microphone",/"mic",/'),
    ),
    Break(
        "test_a_malformed_manifest_is_refused_with_line_and_reason",
        "an object may end with a comma",
        "expected a key",
        guest=_edited("strict_json", 's/if self._peek() != .".:/if False:/'),
    ),
    Break(
        "test_a_malformed_manifest_is_refused_with_line_and_reason",
        "an unknown permission is taken",
        "is not a permission",
        guest=_edited("manifest", "s/if name is None or name in PERMISSIONS:/if True:/"),
    ),
    Break(
        "test_what_a_user_has_set_does_not_change_the_command",
        "it heeds the environment",
        "no findings",
        guest=_replaced("/usr/bin/tau", "sed -i '1s/ -IS//' /run/copy"),
    ),
    Break(
        "test_it_is_compiled_once_and_for_all",
        "there is no bytecode",
        ">= 5",
        guest=f"mount -t tmpfs none {_PACKAGE}/__pycache__",
    ),
    Break(
        "test_an_app_comes_and_goes",
        "nobody may ask sandboxd",
        "install --yes",
        guest=_replaced(_POLICY, "sed -i 's/context=.default./user=\"root\"/' /run/copy") + "; systemctl reload dbus",
    ),
    Break(
        "test_an_app_comes_and_goes",
        "the store is readable",
        "Permission denied",
        guest=f"chmod 755 {_STORE} {_STORE}/apps",
    ),
    Break(
        "test_nothing_is_installed_without_an_answer",
        "no answer is a yes",
        "not installed",
        guest=_edited("command_install", 's/ in (\\"y\\", \\"yes\\")/ != 3/'),
    ),
    Break(
        "test_nothing_is_installed_without_an_answer",
        "what nobody answered stays",
        "test -z",
        guest=_edited("daemon/service", "s/self._forget(str/str(str/"),
    ),
    Break(
        "test_versions",
        "an older version is taken",
        "status == 1",
        guest=_edited("helper/update", "s/if old.version > new.version:/if False:/"),
    ),
    Break(
        "test_another_signer",
        "every signer is taken",
        "status == 1",
        guest=_edited("helper/update", "s/if old.signer != new.signer:/if False:/"),
    ),
    Break(
        "test_a_tampered_byte",
        "signatures are not looked at",
        "status == 1",
        guest=_edited("signature", "s/    _verify(root_hash, signature, pem)/    pass/"),
    ),
    Break(
        "test_files_that_are_no_bundles",
        "any file is taken",
        "is not a file",
        guest=_edited("helper/stage", "s/if not stat.S_ISREG(status.st_mode):/if False:/"),
    ),
    Break(
        "test_only_a_person_who_is_logged_in_asks",
        "a ticket is anybody's",
        "expected to fail",
        guest=_edited("ticket", "s/^    if not re.match(.*/    if False:/"),
    ),
    Break(
        "test_a_sandboxd_that_was_taken_over_installs_nothing_of_its_own",
        "a ticket may be sandboxd's own",
        "results ==",
        guest=_edited("ticket", "s/^    if not .*/    if False:/"),
    ),
    Break(
        "test_what_the_parts_may_do",
        "it keeps a capability",
        "in status",
        guest="mkdir -p /run/systemd/system/sandboxd.service.d; printf '[Service]\\nCapabilityBoundingSet=CAP_KILL\\n'"
        " >/run/systemd/system/sandboxd.service.d/90.conf; systemctl daemon-reload",
    ),
]

WITHOUT: dict[str, str] = {}
