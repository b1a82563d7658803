"""How sandboxd is spoilt on a machine under test: modules, files and units that say something else."""

#: Where its modules are.
PACKAGE = "/usr/lib/tau/python/tau"


def replaced(path: str, *commands: str) -> str:
    """Lay a copy of a file of the read-only root over it, with changes."""
    return f"cp -p {path} /run/copy; {'; '.join(commands)}; mount --bind /run/copy {path}"


def edited(module: str, expression: str) -> str:
    """Change a module, keep its bytecode from being taken in its place, and have the helper begin anew with it."""
    path = f"{PACKAGE}/{module}.py"
    changed = f"sed -i '{expression}' /run/copy; if cmp -s /run/copy {path}; then echo nothing has changed; exit 1; fi"
    no_bytecode = f"mount -t tmpfs none {path.rpartition('/')[0]}/__pycache__"
    return f"{replaced(path, changed)}; {no_bytecode}; systemctl stop tau-helper.service"


def unit(name: str, *lines: str) -> str:
    """Say something else of a unit of the sandbox's."""
    folder = f"/run/systemd/system/{name}.d"
    said = "".join(f"{line}\\n" for line in lines)
    return f"mkdir -p {folder}; printf '{said}' >{folder}/90-break.conf; systemctl daemon-reload"
