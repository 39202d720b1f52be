"""Checks JSON answers against docs/schemas: strictly, so that a field that the schemas do not list fails a test."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"
_NAME = re.compile(r"gitorch/([a-z]+)/1")


def check_output(words: Sequence[str], output: bytes) -> None:
    """Fail when a command printed JSON that does not fit its schema; check every line when it was called with --json.

    A last line that was cut off is left out.
    """
    if "--json" in words or output.startswith(b'{"schema":'):
        for line in output.splitlines(keepends=True):
            if line.endswith(b"\n"):
                check_answer(json.loads(line))


def check_answer(answer: dict[str, Any]) -> None:
    """Fail when an answer does not fit the schema that it names."""
    name = _NAME.fullmatch(answer["schema"])
    assert name, answer["schema"]
    error = best_match(_validator(name[1]).iter_errors(answer))
    assert error is None, f"{answer['schema']}: {error.json_path}: {error.message}\n{json.dumps(answer)[:4000]}"


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    for definition in _objects(schema["$defs"]):
        definition["additionalProperties"] = False
    return Draft202012Validator(schema)


def _objects(definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (definition for definition in definitions.values() if "properties" in definition)
