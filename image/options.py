"""The options of an overlay: typed, with a default, set by recipes (YAML values) and by ``--set`` (text)."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from image.models import Line, Strict, Text

Value = str | int | bool | list[str]

#: Longest text of one option, in characters. An option becomes part of configuration files.
MAX_TEXT = 4096


class _Base(Strict):
    """What every kind of option has. `check` and `parse` raise ValueError with what would have been right."""

    description: Text
    """What the option does, for whoever builds an image."""

    def check(self, value: object) -> Value:
        """Return `value` as it came from YAML, when the option takes it."""
        raise NotImplementedError

    def parse(self, text: str) -> Value:
        """Return the value that `text` means on a command line, when the option takes it."""
        raise NotImplementedError


class StringOption(_Base):
    """Text of one line. `pattern` must match all of it; a control character never passes."""

    type: Literal["string"]
    """The kind of option: a line of text."""
    default: str
    """The value where neither a recipe nor --set gives one."""
    pattern: str | None = None
    """A regular expression (Python's) that must match all of the value."""
    max_length: Annotated[int, Field(ge=1, le=MAX_TEXT)] = 256
    """The most characters that it may have."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        return _regular_expression(pattern)

    def check(self, value: object) -> Value:
        if not isinstance(value, str):
            raise ValueError("must be text")
        _check_text(value, self.pattern, self.max_length)
        return value

    def parse(self, text: str) -> Value:
        return self.check(text)


class IntegerOption(_Base):
    """A whole number between `minimum` and `maximum`, both allowed."""

    type: Literal["integer"]
    """The kind of option: a whole number."""
    default: int
    """The value where neither a recipe nor --set gives one."""
    minimum: int | None = None
    """The least value, itself allowed."""
    maximum: int | None = None
    """The greatest value, itself allowed."""

    def check(self, value: object) -> Value:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError("must be a whole number")
        if self.minimum is not None and value < self.minimum:
            raise ValueError(f"must be at least {self.minimum}")
        if self.maximum is not None and value > self.maximum:
            raise ValueError(f"must be at most {self.maximum}")
        return value

    def parse(self, text: str) -> Value:
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise ValueError("must be a whole number")
        return self.check(int(text))


class BooleanOption(_Base):
    """true or false."""

    type: Literal["boolean"]
    """The kind of option: true or false."""
    default: bool
    """The value where neither a recipe nor --set gives one."""

    def check(self, value: object) -> Value:
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return value

    def parse(self, text: str) -> Value:
        if text not in ("true", "false"):
            raise ValueError("must be true or false")
        return text == "true"


class ChoiceOption(_Base):
    """One of the named choices."""

    type: Literal["choice"]
    """The kind of option: one of the choices."""
    default: str
    """The value where neither a recipe nor --set gives one."""
    choices: Annotated[list[Line], Field(min_length=1)]
    """The values to choose from."""

    def check(self, value: object) -> Value:
        if not isinstance(value, str) or value not in self.choices:
            raise ValueError(f"must be one of {', '.join(self.choices)}")
        return value

    def parse(self, text: str) -> Value:
        return self.check(text)


class ListOption(_Base):
    """Texts of one line each; on the command line they are separated by commas. No text is an empty list."""

    type: Literal["list"]
    """The kind of option: lines of text."""
    default: list[str]
    """The value where neither a recipe nor --set gives one."""
    pattern: str | None = None
    """A regular expression (Python's) that must match all of each item."""
    max_length: Annotated[int, Field(ge=1, le=MAX_TEXT)] = 256
    """The most characters that an item may have."""
    max_items: Annotated[int, Field(ge=1, le=1000)] = 100
    """The most items that there may be."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        return _regular_expression(pattern)

    def check(self, value: object) -> Value:
        if not isinstance(value, list):
            raise ValueError("must be a list")
        if len(value) > self.max_items:
            raise ValueError(f"must have at most {self.max_items} items")
        for item in value:
            if not isinstance(item, str):
                raise ValueError(f"must be a list of texts, and {item!r} is none")
            _check_text(item, self.pattern, self.max_length)
        return list(value)

    def parse(self, text: str) -> Value:
        return self.check(text.split(",") if text else [])


def _default_is_valid(option: "AnyOption") -> "AnyOption":
    try:
        option.check(option.default)
    except ValueError as error:
        raise ValueError(f"has a default that is not valid: it {error}") from None
    return option


AnyOption = StringOption | IntegerOption | BooleanOption | ChoiceOption | ListOption
#: What an option of an overlay takes; the keys depend on its `type`.
Option = Annotated[AnyOption, Field(discriminator="type"), AfterValidator(_default_is_valid)]


def _regular_expression(pattern: str | None) -> str | None:
    if pattern is not None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
    return pattern


def _check_text(value: str, pattern: str | None, max_length: int) -> None:
    if len(value) > max_length:
        raise ValueError(f"must have at most {max_length} characters")
    # A newline in a value would start a line of its own in the configuration file that the value is rendered into.
    if not value.isprintable():
        raise ValueError("must be one line of printable characters")
    if pattern is not None and not re.fullmatch(pattern, value):
        raise ValueError(f"must match /{pattern}/")
