"""The JSON Schema of ``manifest.tau`` for editors: docs/schemas/manifest.schema.json, made from what checks it."""

import re
from typing import Any

from tau import manifest, names
from tau.permissions import PERMISSIONS
from tau.seccomp_groups import ADDITIONS


def schema() -> dict[str, Any]:
    """Return the schema (JSON Schema, draft 2020-12). ``tau manifest check`` refuses more: it sees the text, too."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "manifest.tau",
        "description": "What an app of Tau OS is, and what it may ask for.",
        "type": "object",
        "required": ["id", "permissions"],
        "additionalProperties": False,
        "properties": {
            "id": {
                **_pattern(
                    names.ID, "A domain name backwards, in lower case, like org.example.player: at least three parts."
                ),
                "maxLength": names.MAX_ID,
            },
            "permissions": {
                "description": "What the app may ask the user for. Nothing else can be had.",
                "type": "array",
                "uniqueItems": True,
                "items": {"oneOf": [_choice(each.name, f"To {each.plain}.") for each in PERMISSIONS.values()]},
            },
            "name": _line(
                manifest.MAX_NAME,
                f"What the app is called where people see it, at most {manifest.MAX_NAME} characters. Default: the id.",
            ),
            "version": _pattern(manifest.VERSION, "Text of one to four numbers, like 1.2.0. Default: 0."),
            "summary": _line(
                manifest.MAX_SUMMARY,
                f"What the app is for, in one sentence of at most {manifest.MAX_SUMMARY} characters.",
            ),
            "command": {
                "description": "A list: the program, as a path inside of the bundle, and its first arguments, like "
                '["bin/player", "--loop"]. Default: bin/ and the last part of the id.',
                "type": "array",
                "minItems": 1,
                "maxItems": manifest.MAX_ARGUMENTS,
                "items": _line(manifest.MAX_ARGUMENT, ""),
            },
            "runtime": {
                "description": f"What the app runs on. Default: {manifest.RUNTIMES[0]}.",
                "enum": list(manifest.RUNTIMES),
            },
            "seccomp": {
                "description": "System calls beyond those that every app may make, each with the reason: "
                '[{"allow": "ptrace", "reason": "It is a debugger."}].',
                "type": "array",
                "maxItems": len(ADDITIONS),
                "items": {
                    "type": "object",
                    "required": ["allow", "reason"],
                    "additionalProperties": False,
                    "properties": {
                        "allow": {"oneOf": [_choice(name, f"To {what}.") for name, what in ADDITIONS.items()]},
                        "reason": _line(manifest.MAX_REASON, "Why the app needs it, for whoever installs it."),
                    },
                },
            },
        },
    }


def _choice(name: str, description: str) -> dict[str, str]:
    return {"const": name, "description": description}


def _pattern(pattern: re.Pattern[str], description: str) -> dict[str, Any]:
    return {"description": description, "type": "string", "pattern": f"^(?:{pattern.pattern})$"}


def _line(longest: int, description: str) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": longest}
    return {"description": description, **text} if description else text
