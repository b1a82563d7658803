"""Fill in a template, and tell of all that is wrong with it."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import jinja2.nodes
from jinja2.utils import missing

from image.findings import Finding, FindingsError, right_name
from image.source import read_text


class _MissingError(jinja2.UndefinedError):
    """A template uses a `name` that is not there. `owner` is what it was looked for in, None for no mapping at all."""

    def __init__(self, owner: object, name: str | None, message: str | None = None) -> None:
        super().__init__(message)
        self.owner = owner
        self.name = name


class _Missing(jinja2.StrictUndefined):
    """What a template gets for a name that is not there. Any use of it raises :class:`_MissingError`."""

    def __init__(self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = None) -> None:
        error: Any = functools.partial(_MissingError, None if obj is missing else obj, name)
        super().__init__(hint, obj, name, exc or error)


class _Told(jinja2.ChainableUndefined):
    """Put in the place of a name that was missing, to find out what else is."""


class _UnknownError(jinja2.UndefinedError):
    """A template needs what is not known because of something else that is wrong, of which is told already."""


def unknown() -> Any:
    """Return a value that is not known: :func:`render_text` fails with no finding of its own where one is used."""
    return jinja2.StrictUndefined(exc=_UnknownError)


def environment() -> jinja2.Environment:
    """Return the Jinja2 environment of every template: a name that is not defined is an error, never empty text."""
    return jinja2.Environment(  # noqa: S701 - configuration files, not HTML
        undefined=_Missing,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        # "{#" is the length of a variable in shell scripts: ${#name}.
        comment_start_string="{#=",
        comment_end_string="=#}",
    )


def render_text(path: Path, context: Mapping[str, Any]) -> str:
    """Render the template in `path`.

    :raises FindingsError: naming template and line of each name that is missing, or of what else went wrong first; with
        no finding at all for a template that needs a value which is not known (:func:`unknown`).
    """
    try:
        template = environment().from_string(read_text(path))
    except jinja2.TemplateSyntaxError as error:
        raise FindingsError([Finding(f"template error: {error.message}", path, error.lineno)]) from None
    template.filename = str(path)
    names, findings = _copy(context), list[Finding]()
    while True:
        try:
            text = template.render(names)
        except _MissingError as error:
            finding = _missing_name(error, path, names)
            owner = names if error.owner is None else error.owner
            if finding in findings or not error.name or not isinstance(owner, dict):
                raise FindingsError([*findings, finding]) from None
            findings.append(finding)
            owner[error.name] = _Told()
        except _UnknownError:
            raise FindingsError(findings) from None
        except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError, LookupError) as error:
            # After a missing name it may come of that one.
            other = Finding(f"template error: {error}", path, _template_line(error, path))
            raise FindingsError(findings or [other]) from None
        else:
            if findings:
                raise FindingsError(findings)
            return text


def _copy(context: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in context.items()}


def _missing_name(error: _MissingError, path: Path, context: Mapping[str, Any]) -> Finding:
    line, name, owner = _template_line(error, path), error.name or "", error.owner
    if name and owner is None:
        # The template's own variables as well; one that has this very name is out of reach here.
        stored = environment().parse(path.read_text()).find_all(jinja2.nodes.Name)
        known = {*_names(context), *(node.name for node in stored if node.ctx == "store")} - {name}
        message = f"{name!r} is not defined"
    elif name and isinstance(owner, Mapping):
        known = _names(owner)
        where = next((words for words, value in _places(context) if value is owner), "the mapping")
        message = f"{where} has no {name!r}" if known else f"{where} is empty, it has no {name!r}"
    else:
        return Finding(f"template error: {error}", path, line)
    expected, close = right_name(name, known)
    return Finding(message, path, line, expected=expected, nearest=close)


def _names(mapping: Mapping[Any, Any]) -> set[str]:
    return {str(key) for key, value in mapping.items() if not isinstance(value, _Told)}


def _places(context: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """What a template may look into, and how it is written there."""
    yield from context.items()
    overlays = context.get("overlays", {})
    if isinstance(overlays, Mapping):
        for name, options in overlays.items():
            yield f"overlays[{name!r}]", options


def _template_line(error: Exception, path: Path) -> int | None:
    """The line of the template in which `error` was raised: Jinja2 rewrites the traceback to template lines."""
    line, traceback = None, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
