"""From YAML to pydantic models, with errors that name file, line, key, what was expected and the nearest right name."""

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from image.findings import Finding, FindingsError, nearest, one_of, right_name
from image.source import Document, Location, read_yaml, type_names

M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """The base of every model that reads somebody's file: nothing unknown, nothing converted, nothing changed.

    The text below a key is its description in the JSON schema, which an editor shows (docs/schemas/).
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


def is_image_path(text: str) -> bool:
    """Whether it is a normal absolute path: no way out of the image, nothing that a shell or unit would read anew."""
    return re.fullmatch(r"(/[A-Za-z0-9@._+:\\-]+)+", text) is not None and not {"..", "."} & set(text.split("/"))


def _absolute_path(text: str) -> str:
    if not is_image_path(text):
        raise ValueError("is not a path inside the image (absolute, without .., of letters, digits and @._+:\\-)")
    return text


def _absolute_pattern(text: str) -> str:
    if not is_image_path(text.replace("*", "-")):
        raise ValueError(
            "is not a pattern of paths inside the image (absolute, without .., of letters, digits and @._+:\\-*)"
        )
    return text


#: The name of an overlay, a recipe or an option: it becomes a folder, a file name and an identifier in a template.
NAME = r"^[a-z][a-z0-9-]{0,39}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
#: An option's name is written in templates as ``options.NAME``.
OptionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
#: Debian Policy 5.6.1 and 5.6.7: a package name.
PackageName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]{1,79}$")]
#: systemd.unit(5): a unit name.
UnitName = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9:_.\\@-]{1,230}\.(service|socket|target|timer|mount|automount|path|slice|swap|device)$"
    ),
]
#: A path inside the image.
ImagePath = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_absolute_path)]
#: One or more paths inside the image: a * stands for any characters of a name, as in glob(7).
ImagePattern = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_absolute_pattern)]
#: A folder of a Python package in an overlay, like ``src/tau``; the last part is the package's name.
PackageFolder = Annotated[str, StringConstraints(pattern=r"^(?:[a-z][a-z0-9_-]*/){0,4}[a-z][a-z0-9_]{0,39}$")]
#: A user or group of the image, as systemd's "strict mode" for user names allows (systemd.io/USER_NAMES).
UserName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,30}$")]
#: One word of the kernel command line.
KernelArgument = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
#: One line of prose.
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\n\r\x00-\x1f]*$")]
#: Some lines of prose.
Text = Annotated[str, StringConstraints(min_length=1, max_length=5000)]


@dataclass(frozen=True)
class Loaded(Generic[M]):
    """A file as far as it can be read, so that one run tells of everything that is wrong, here and elsewhere.

    :param model: what it says, without what the findings are about.
    :param findings: all that is wrong in the file.
    :param doubtful: the top-level keys that `model` may not have as they were meant, because of one of the findings.
    """

    model: M
    document: Document
    findings: tuple[Finding, ...]
    doubtful: frozenset[str]


def load_model(path: Path, model: type[M]) -> Loaded[M]:
    """Read `path` as a `model`: one whose required top-level keys are text. It never raises."""
    everything = frozenset(model.model_fields)
    try:
        document = read_yaml(path)
    except FindingsError as error:
        return Loaded(_rest(model, {}, set()), Document(path, {}), tuple(error.findings), everything)
    findings, bad = list(document.findings), set(document.bad)
    try:
        model.model_validate(document.data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            location = _location(document, detail["loc"])
            if not any(location[:length] in document.bad for length in range(len(location) + 1)):
                findings.append(_finding(document, model, detail))
                bad.add(location[:-1] if detail["type"] == "missing" and len(location) > 1 else location)
    touched = {str(location[0]) if location else "" for location in bad}
    # An unknown key may be any of the known ones, misspelt.
    doubtful = everything if touched - everything else frozenset(touched)
    return Loaded(_rest(model, document.data, bad), document, tuple(findings), doubtful)


def _rest(model: type[M], data: dict[str, Any], bad: set[Location]) -> M:
    """What is left of `data` without the values at the `bad` key paths; what is required and missing is a "?"."""
    required = {key: "?" for key, field in model.model_fields.items() if field.is_required()}
    for without in (bad, {location[:1] for location in bad}):
        with contextlib.suppress(ValidationError):
            return model.model_validate(required | _without(data, without, ()))
    return model.model_validate(required)


def _without(data: Any, bad: set[Location], where: Location) -> Any:
    if isinstance(data, dict):
        return {k: _without(value, bad, (*where, k)) for k, value in data.items() if (*where, k) not in bad}
    if isinstance(data, list):
        return [_without(value, bad, (*where, i)) for i, value in enumerate(data) if (*where, i) not in bad]
    return data


def _finding(document: Document, model: type[BaseModel], detail: Any) -> Finding:
    location = _location(document, detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        expected, close = right_name(str(location[-1]), _known_keys(model, location[:-1]))
        return document.finding(location, "is not a known key", expected=expected, nearest=close)
    if kind == "missing":
        return document.finding(location, "is missing")
    if kind == "literal_error":
        given = str(detail["input"])
        known = set(re.findall(r"'([^']*)'", context["expected"]))
        return document.finding(location, f"is {given!r}", expected=context["expected"], nearest=nearest(given, known))
    if kind == "string_pattern_mismatch":
        return document.finding(
            location, f"{_short(detail['input'])} is not a valid name", expected=f"/{context['pattern']}/"
        )
    if kind == "value_error":
        return document.finding(location, f"{_short(detail['input'])} {context['error']}")
    if kind == "union_tag_invalid":
        known = set(re.findall(r"'([^']*)'", context["expected_tags"]))
        close = nearest(str(context["tag"]), known)
        return document.finding((*location, "type"), f"is {context['tag']!r}", expected=one_of(known), nearest=close)
    if kind in ("greater_than_equal", "less_than_equal", "string_too_long", "too_short"):
        return document.finding(location, f"is {_short(detail['input'])}", expected=_expected(detail["msg"]))
    given = type_names.get(type(detail["input"]), "nothing")
    return document.finding(location, f"is {given}", expected=_expected(detail["msg"]))


def _location(document: Document, loc: Location) -> Location:
    """Drop what pydantic adds to a path: the marker for the key of a mapping, the member of a union."""
    kept: Location = ()
    for part in loc:
        if (*kept, part) in document.lines or part == loc[-1]:
            kept = (*kept, part)
    return kept[:-1] if kept and kept[-1] == "[key]" else kept


def _known_keys(model: type[BaseModel], location: Location) -> set[str]:
    """The keys that `model` allows at `location`, found by walking its JSON schema."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    node: Any = schema
    for part in location:
        options = [node, *node.get("anyOf", []), *node.get("oneOf", [])]
        options = [definitions[o["$ref"].rpartition("/")[2]] if "$ref" in o else o for o in options]
        following: Any = None
        for option in options:
            properties = option.get("properties", {})
            following = following or properties.get(part) or option.get("additionalProperties")
            following = following or option.get("items")
        if not isinstance(following, dict):
            return set()
        node = definitions[following["$ref"].rpartition("/")[2]] if "$ref" in following else following
    return set(node.get("properties", {}))


def _expected(message: str) -> str:
    plain = {"a valid dictionary": "a mapping", "a valid list": "a list", "a valid string": "text"}
    text = message.removeprefix("Input should be ").removeprefix("Value error, ")
    for technical, word in plain.items():
        text = text.replace(technical, word)
    return text.replace("a valid integer", "a whole number").replace("a valid boolean", "true or false")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
