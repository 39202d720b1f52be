"""What only one package may know: the files of executions, and the ways to start a process."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import gitorch

ROOT = Path(gitorch.__file__).parent
RECORDS = {"spec.json", "run.json", "exit.json", "submit.lock", "supervisor.log"}
OUTPUTS = {"stdin", "stdout", "stderr"}
INSIDE_BOX = ("rooms/sandbox/entry.py", "rooms/sandbox/confine.py")
"""The first programs in a sandbox, which become the program that they start."""
STARTERS = {"fork", "forkpty", "popen", "posix_spawn", "posix_spawnp", "startfile", "system"}


@functools.cache
def outside_executors() -> tuple[tuple[str, ast.expr], ...]:
    """Return every expression of every module that is not part of the executors, with its place."""
    return tuple(_expressions())


def _expressions() -> Iterator[tuple[str, ast.expr]]:
    for path in sorted(ROOT.rglob("*.py")):
        if not path.is_relative_to(ROOT / "executors"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.expr):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def is_constant(node: ast.expr, values: set[str]) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.rpartition("/")[2] in values


def test_only_executors_know_the_files_of_an_execution() -> None:
    """No other module names a record of an execution, or joins a path with the name of a stream."""
    named = [line for line, node in outside_executors() if is_constant(node, RECORDS)]
    joined = [
        line
        for line, node in outside_executors()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and is_constant(node.right, OUTPUTS)
    ]
    assert (named, joined) == ([], [])


def test_no_module_starts_a_process_past_the_import_contract() -> None:
    """The contract in pyproject.toml names who may import `subprocess`; `os` offers ways around it."""
    calls = [
        line
        for line, node in outside_executors()
        if not line.startswith(INSIDE_BOX)
        and isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and (node.attr in STARTERS or node.attr.startswith(("exec", "spawn")))
    ]
    assert calls == []
