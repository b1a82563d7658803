"""The published schema says of every manifest what the checker says, where a schema can say it."""

import json
from typing import Any

import jsonschema
import pytest
from tau.manifest import check
from tau.manifest_schema import schema

from overlays.sandboxd.tests.test_manifest import SEED, manifest


def valid(data: bytes) -> bool:
    validator: Any = jsonschema.Draft202012Validator(schema())
    return bool(validator.is_valid(json.loads(data)))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_seeds_own_is_valid() -> None:
    assert valid(SEED)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"permissions": ["network", "filesystem:rw:picked"]},
        {"permissions": ["network", "network"]},
        {"permissions": ["tor"]},
        {"permissions": "network"},
        {"id": "org.example"},
        {"id": "org.Example.app"},
        {"id": ".".join(["a" * 60] * 3)},
        {"name": ""},
        {"name": "x" * 65},
        {"version": "1.2.3.4"},
        {"version": "1.2.3.4.5"},
        {"version": "01"},
        {"command": []},
        {"command": ["bin/app", "x"]},
        {"command": [3]},
        {"runtime": "org.tauos.base/12"},
        {"seccomp": [{"allow": "ptrace", "reason": "x"}]},
        {"seccomp": [{"allow": "bpf", "reason": "x"}]},
        {"seccomp": [{"allow": "ptrace"}]},
        {"nmae": "x"},
    ],
)
def test_it_agrees_with_the_checker(keys: dict[str, Any]) -> None:
    data = manifest(**keys)
    assert valid(data) == (check(data).manifest is not None)
