"""From a resolved recipe to a plan and files, in memory: deterministic, with nothing of this host in the plan."""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from image.findings import Finding, FindingsError
from image.overlay import Architecture, FileAttributes, Overlay, Part
from image.plan import PLAN_PATH, PYTHON_PATH, Plan, PlanFile, PlanOverlay, PlanState, PlanUnits
from image.resolve import Resolved
from image.templating import render_text, unknown
from image.tree import File, Tree

#: Namespace of the seeds, from which systemd-repart derives the partitions' UUIDs (RFC 9562, version 5).
_SEEDS = uuid.UUID("b5f6a5b0-9f0a-4d0c-8a52-6a4b1c0b7a11")
_TWICE = "NAME and NAME.j2 are one path, as is a link of that name; what lies in both/ is in the root and in the initrd"


class Rendered:
    """The plan of an image with the files of its overlays: `root` is laid over the image, `initrd` over its initrd,
    `finalize` are scripts that run inside the image at the end of the build, in this order."""

    def __init__(self, resolved: Resolved, arch: Architecture) -> None:
        """Render the files of every overlay.

        :raises FindingsError: with the findings of `resolved`, and of all templates that can be judged in spite of it.
        """
        self.resolved = resolved
        self.arch = arch
        self.root = Tree()
        self.initrd = Tree()
        self.finalize: list[tuple[str, File]] = []
        self.initrd_packages = sorted(
            {name for overlay in resolved.overlays for name in overlay.definition.initrd_packages}
        )
        self.initrd_remove = sorted(
            {pattern for overlay in resolved.overlays for pattern in overlay.definition.initrd_remove}
        )
        self._findings: list[Finding] = list(resolved.findings)
        self._options = _known_options(resolved)
        for overlay in resolved.overlays:
            self._lay(overlay)
        if self._findings:
            raise FindingsError(self._findings)
        self._mask_units()
        self.plan = self._make_plan()
        self.root.files[PLAN_PATH.lstrip("/")] = File(self.plan.to_json().encode())

    def _context(self, overlay: Overlay) -> dict[str, Any]:
        recipe = self.resolved.recipe
        return {
            "options": self._options[overlay.name],
            "overlays": self._options if self.resolved.overlays_known else unknown(),
            "plan": {
                "name": "tau",
                "version": recipe.version or unknown(),
                "arch": self.arch,
                "date": recipe.date or unknown(),
            },
        }

    def _lay(self, overlay: Overlay) -> None:
        if not os.access(overlay.folder, os.X_OK):
            return  # its overlay.yaml can't be read, and that is told
        context = self._context(overlay)
        definition = overlay.definition
        trees: dict[Part, list[Tree]] = {"root": [self.root], "both": [self.root, self.initrd], "initrd": [self.initrd]}
        # What there is, whether or not it could be rendered.
        present: dict[Part, list[str]] = {part: [] for part in trees}
        present["root"] += [path.lstrip("/") for path in definition.links]
        for part in trees:
            for relative in overlay.files_below(part, self._findings):
                present[part].append(str(relative).removesuffix(".j2"))
                with self._collecting():
                    self._add(overlay, trees[part], overlay.folder / part / relative, relative, context)
        for package in definition.python:
            base = Path(PYTHON_PATH.lstrip("/"), Path(package).name)
            for relative in overlay.package_files(package, self._findings):
                present["root"].append(str(base / relative))
                with self._collecting():
                    self._add(overlay, [self.root], overlay.folder / package / relative, base / relative, context)
        for path, link in definition.links.items():
            self._claim(overlay, path.lstrip("/"), self.root)
            self.root.links[path.lstrip("/")] = link
        for path, attributes in definition.files.items():
            if not any(path.lstrip("/") in paths for paths in present.values()):
                self._add_folder(overlay, path, attributes, [*present["root"], *present["both"]])
        for name in ("finalize.chroot", "finalize.chroot.j2"):
            script = overlay.folder / name
            with self._collecting():
                if script.is_file():
                    content = self._content(script, context)
                    self.finalize.append((overlay.name, File(content, 0o755, script, overlay.name)))

    @contextlib.contextmanager
    def _collecting(self) -> Iterator[None]:
        """Go on after the block where it fails, with its findings noted."""
        try:
            yield
        except FindingsError as error:
            self._findings += error.findings

    def _add(
        self,
        overlay: Overlay,
        trees: Sequence[Tree],
        source: Path,
        relative: Path,
        context: Mapping[str, Any],
    ) -> None:
        path = str(relative).removesuffix(".j2")
        attributes = overlay.definition.files.get(f"/{path}", FileAttributes())
        content = self._content(source, context)
        if relative.suffix == ".j2" and not content.strip():
            return  # a template that renders to nothing makes no file
        mode = int(attributes.mode or "0644", 8)
        for tree in trees:
            self._claim(overlay, path, tree)
            tree.files[path] = File(content, mode, source, overlay.name, attributes.owner, attributes.group)

    def _content(self, source: Path, context: Mapping[str, Any]) -> bytes:
        if source.suffix == ".j2":
            return render_text(source, context).encode()
        try:
            return source.read_bytes()
        except OSError as error:
            raise FindingsError([Finding(f"can't be read: {error.strerror}", source)]) from error

    def _add_folder(self, overlay: Overlay, path: str, attributes: FileAttributes, present: Sequence[str]) -> None:
        relative = path.lstrip("/")
        rendered = [file for file in [*self.root.files, *self.root.links] if file.startswith(f"{relative}/")]
        if not rendered and not any(file.startswith(f"{relative}/") for file in present):
            finding = overlay.document.finding(("files", path), "the overlay has no such file or folder")
            self._findings.append(finding)
        elif (attributes.owner, attributes.group) != ("root", "root"):
            message = "is a folder, and only its mode can be stated; tmpfiles.d(5) makes folders of other owners"
            self._findings.append(overlay.document.finding(("files", path), message))
        elif rendered:
            self.root.folder_modes[relative] = int(attributes.mode or "0755", 8)

    def _claim(self, overlay: Overlay, path: str, tree: Tree) -> None:
        """Refuse a path that another overlay has written, unless this one says that it overrides it."""
        earlier = tree.files.get(path)
        if earlier is None and path not in tree.links:
            return
        by = earlier.overlay if earlier else "another overlay"
        if f"/{path}" in overlay.definition.overrides:
            tree.files.pop(path, None)
            tree.links.pop(path, None)
        elif not self.resolved.findings:  # else their order, or what they override, may be another
            if by == overlay.name:
                self._findings.append(Finding(f"/{path} is written twice", file=overlay.folder, hint=_TWICE))
                return
            message = f"the overlays {by!r} and {overlay.name!r} both write /{path}"
            hint = f"if {overlay.name!r} is meant to replace it, add the path to its overrides:"
            self._findings.append(Finding(message, file=overlay.document.path, hint=hint))

    def _mask_units(self) -> None:
        for overlay in self.resolved.overlays:
            for scope, units in (("system", overlay.definition.units), ("user", overlay.definition.user_units)):
                for unit in units.mask:
                    self.root.links[f"etc/systemd/{scope}/{unit}"] = "/dev/null"

    def _make_plan(self) -> Plan:
        recipe, overlays = self.resolved.recipe, self.resolved.overlays
        packages = list(recipe.packages)
        for overlay in overlays:
            packages += overlay.packages_for(self.arch)
        arguments = [word for overlay in overlays for word in overlay.kernel_command_line_for(self.arch)]
        return Plan(
            version=recipe.version,
            date=recipe.date,
            arch=self.arch,
            recipe=recipe.name,
            title=recipe.title,
            seed=str(uuid.uuid5(_SEEDS, f"{recipe.name} {recipe.version} {self.arch}")),
            overlays=[
                PlanOverlay(
                    name=overlay.name,
                    title=overlay.definition.title,
                    rows=overlay.definition.rows,
                    options=dict(self.resolved.options[overlay.name]),
                )
                for overlay in overlays
            ],
            packages=sorted(set(packages)),
            kernel_command_line=list(dict.fromkeys([*arguments, *recipe.kernel_command_line])),
            units=_units(overlay.definition.units for overlay in overlays),
            user_units=_units(overlay.definition.user_units for overlay in overlays),
            remove=sorted({path for overlay in overlays for path in overlay.definition.remove}),
            links={f"/{path}": target for path, target in sorted(self.root.links.items())},
            state=[
                PlanState(path=state.path, overlay=overlay.name, reason=state.reason)
                for overlay in overlays
                for state in overlay.definition.state
            ],
            rows={
                row: [overlay.name for overlay in overlays if row in overlay.definition.rows]
                for row in sorted({row for overlay in overlays for row in overlay.definition.rows})
            },
            files=[
                PlanFile(
                    path=f"/{path}",
                    mode=f"{file.mode:04o}",
                    owner=file.owner,
                    group=file.group,
                    overlay=file.overlay,
                    sha256=hashlib.sha256(file.content).hexdigest(),
                )
                for path, file in sorted(self.root.files.items())
            ],
        )


def _known_options(resolved: Resolved) -> dict[str, Any]:
    """The options of each overlay as a template sees them: with the values that are not known in their places."""
    return {
        overlay.name: {key: resolved.options[overlay.name].get(key, unknown()) for key in overlay.definition.options}
        if overlay.options_known
        else unknown()
        for overlay in resolved.overlays
    }


def _units(parts: Iterable[Any]) -> PlanUnits:
    collected: dict[str, set[str]] = {"enable": set(), "disable": set(), "mask": set()}
    for part in parts:
        for kind, names in collected.items():
            names.update(getattr(part, kind))
    return PlanUnits(**{kind: sorted(names) for kind, names in collected.items()})
