"""What ships with gitorch as files: roles, words and templates of the planner, prices, toolchains, topics, hooks."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import tomli

from gitorch import typed

T = TypeVar("T")


def load(name: str, kind: type[T]) -> T:
    """Return the file `name` of this package as a checked value of `kind`.

    Reading takes milliseconds: callers do it when they need the table, and cache the result.
    """
    text = Path(__file__).with_name(name).read_text("utf-8")
    return typed.from_object(tomli.loads(text), kind, text_keys=True)


def topics() -> dict[str, str]:
    """Return the topics of `help` by name: Markdown, with a title in the first line."""
    folder = Path(__file__).with_name("topics")
    return {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.md"))}


def completion(name: str) -> str:
    """Return the completion script of a shell, by the name of its file."""
    return Path(__file__).with_name("completion").joinpath(name).read_text("utf-8")


def hooks() -> dict[str, str]:
    """Return the bodies of the git hooks that a person may install, by name: POSIX shell with `@PLACEHOLDERS@`."""
    folder = Path(__file__).with_name("hooks")
    return {path.name: path.read_text("utf-8") for path in sorted(folder.iterdir())}
