"""The JSON Schemas in docs/schemas: made from the code, complete, and strict enough to find a wrong answer."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gitorch.cli.main import COMMANDS
from tests.support.schemas import FOLDER, check_answer, check_output

DOCS = Path(__file__).resolve().parents[2] / "docs"
NAMES = sorted(path.stem for path in FOLDER.iterdir())


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text("utf-8")


def test_the_files_are_those_of_the_code() -> None:
    """Run `python docs/make_schemas.py` after a change of the answers or their docstrings."""
    texts: dict[str, str] = runpy.run_path(str(DOCS / "make_schemas.py"))["texts"]()
    assert {f"{name}.json": text_of(name) for name in NAMES} == texts


def test_every_command_has_a_schema() -> None:
    """Each command has a file, except those without one answer; there are also errors, events, streams and files."""
    commands = {name for group in COMMANDS.values() for name in group}
    assert {*NAMES} == commands - {"attach", "mcp", "serve", "watch", "worker"} | {
        "error",
        "event",
        "stream",
        "version",
        "orchestrate.toml",
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid_and_documented(name: str) -> None:
    """Each file is JSON Schema 2020-12 with the answer's name as its id; each object in it says what it is."""
    schema = json.loads(text_of(name))
    Draft202012Validator.check_schema(schema)
    assert (schema["$schema"], schema["$id"]) == (Draft202012Validator.META_SCHEMA["$id"], f"gitorch/{name}/1")
    assert all(definition["description"] for definition in schema["$defs"].values())
    assert not re.search(r"Json\b", text_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_documentation_lists_a_schema(name: str) -> None:
    """docs/json.md has a link to each file."""
    assert f"(schemas/{name}.json)" in (DOCS / "json.md").read_text("utf-8")


ERROR: dict[str, Any] = {"schema": "gitorch/error/1", "code": "x", "what": "y", "why": None, "fix": [], "exit": 1}


def test_a_right_answer_passes() -> None:
    """The check that every test goes through lets a complete answer pass, and ignores what is not JSON."""
    check_answer(ERROR)
    check_output(["status"], b"no tasks\n")
    check_output(["status", "--json"], json.dumps(ERROR).encode() + b'\n{"schema": "cut o')


@pytest.mark.parametrize(
    "fields", [{"extra": 1}, {"exit": "1"}, {"why": 3}, {"schema": "gitorch/status/1"}, {"schema": "error"}]
)
def test_a_wrong_answer_fails(fields: dict[str, Any]) -> None:
    """A field that is not listed fails, and so does one of another type, and another schema."""
    with pytest.raises(AssertionError):
        check_output(["status", "--json"], json.dumps({**ERROR, **fields}).encode() + b"\n")


def test_a_missing_field_fails() -> None:
    """Null means "not known"; a field that always applies cannot be left out."""
    with pytest.raises(AssertionError, match="'why' is a required property"):
        check_answer({name: value for name, value in ERROR.items() if name != "why"})
