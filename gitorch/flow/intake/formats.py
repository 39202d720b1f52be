"""Detect the format of a file; read NDJSON and plain text."""

from __future__ import annotations

import codecs
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath

import msgspec

from gitorch import typed
from gitorch.errors import InvalidInput
from gitorch.flow.intake.draft import STDIN, TaskDraft, from_text
from gitorch.flow.intake.entry import Locate, to_draft
from gitorch.flow.intake.markdown import front_matter, read_markdown
from gitorch.flow.intake.tasks_file import read_toml


def read(source: bytes, name: str) -> list[TaskDraft]:
    """Read the tasks in a file's content. The file name decides the format, else the first lines do.

    TOML (`[defaults]`, `[[task]]`), Markdown with front matter (one task), a Markdown checklist (each open item),
    NDJSON (one object a line), or plain text (one task). Raises `InvalidInput` with file and line,
    also if the content has no open task.
    """
    drafts = _read(source, name)
    if not drafts:
        raise InvalidInput("no-tasks", f"{name} contains no open task")
    return drafts


def read_folder(folder: Path) -> list[TaskDraft]:
    """Read all tasks files (`*.md`, `*.toml`) of a folder, in the order of their names."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".md", ".toml") and path.name[0] != ".")
    drafts = [draft for path in files for draft in _read(path.read_bytes(), path.name)]
    if not drafts:
        raise InvalidInput("no-tasks", f"{folder} contains no open task", why="only *.md and *.toml files are read")
    return drafts


def _read(source: bytes, name: str) -> list[TaskDraft]:
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        if source.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # as PowerShell writes files
            why: str = "it is UTF-16"
            fix: tuple[str, ...] = (f"iconv -f utf-16 -t utf-8 {shlex.quote(name)} | orchestrate submit -F -",)
        else:
            why, fix = str(error), ()
        raise InvalidInput("not-utf8", f"{name} is not UTF-8 text", why=why, fix=fix) from error
    reader = _READERS.get(PurePath(name).suffix.lower()) or _detect_reader(text)
    return reader(text, STDIN if name == "-" else name)


def _detect_reader(text: str) -> Callable[[str, str], list[TaskDraft]]:
    """Detect the format by the first lines; the default is plain text."""
    lines = text.removeprefix("\ufeff").split("\n", 200)
    first = next((line.strip() for line in lines if line.strip() and line.lstrip()[0] != "#"), "")
    if (matter := front_matter(text)) and re.match(r"\s*[\w-]+\s*[:=]", matter.header):
        return read_markdown
    if re.fullmatch(r"\[\[\s*task\s*\]\]\s*(#.*)?|\[\s*defaults\s*\]\s*(#.*)?", first):
        return read_toml
    return _from_lines if first.startswith("{") and _describes_task(first) else _from_plain


def _describes_task(line: str) -> bool:
    try:
        value = typed.from_json(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(value, dict) and bool({"title", "prompt"} & value.keys())


def _from_plain(text: str, name: str) -> list[TaskDraft]:
    return [from_text(text, origin=name)]


def _from_lines(text: str, name: str) -> list[TaskDraft]:
    return [
        to_draft(_object(line, f"{name}:{number}"), _always(f"{name}:{number}"))
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1)
        if line.strip()
    ]


def _always(origin: str) -> Locate:
    return lambda _key: origin


def _object(line: str, origin: str) -> Mapping[str, object]:
    try:
        value = typed.from_json(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput("json-syntax", f"{origin}: {error}") from error
    if not isinstance(value, dict):
        raise InvalidInput("task-invalid", f"{origin}: each line must be one JSON object")
    return value


_READERS: dict[str, Callable[[str, str], list[TaskDraft]]] = {
    ".toml": read_toml,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".ndjson": _from_lines,
    ".jsonl": _from_lines,
    ".txt": _from_plain,
}
