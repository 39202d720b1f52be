"""Read tasks files: TOML with `[defaults]` and one `[[task]]` table per task."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitorch import config
from gitorch.errors import InvalidInput
from gitorch.flow.intake.draft import TaskDraft
from gitorch.flow.intake.entry import DEFAULTS, Locate, refuse_unknown, to_draft


def read_toml(text: str, name: str) -> list[TaskDraft]:
    """Read the `[[task]]` tables of a tasks file; `[defaults]` fill the keys that a task does not set."""
    locator = _TomlLocator(text, name)
    try:
        document = config.parse(text.removeprefix("\ufeff"), name).settings
    except RecursionError as error:
        raise InvalidInput("toml-syntax", f"{name}: {error}") from error
    refuse_unknown(document, ("defaults", "task"), locator.of_top)
    defaults, tables = document.get("defaults", {}), document.get("task", [])
    if not isinstance(defaults, dict):
        raise InvalidInput("task-invalid", f"{locator.of_top('defaults')}: defaults must be a table: [defaults]")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InvalidInput("task-invalid", f"{locator.of_top('task')}: each task must be a separate table: [[task]]")
    refuse_unknown(defaults, DEFAULTS, locator.of_default)
    return [to_draft(_with_defaults(defaults, table), locator.of_task(index)) for index, table in enumerate(tables)]


def _with_defaults(defaults: Mapping[str, object], table: Mapping[str, object]) -> dict[str, object]:
    both = (defaults.get("checks"), table.get("checks"))
    checks = {"checks": {**both[0], **both[1]}} if isinstance(both[0], dict) and isinstance(both[1], dict) else {}
    return {**defaults, **table, **checks}


class _TomlLocator:
    """Locates keys in a tasks file."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.lines = _TOML_TEXT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text).split("\n")
        self.headers = [index for index, line in enumerate(self.lines) if re.match(r"\s*\[\[\s*task\s*\]\]", line)]

    def of_top(self, key: str) -> str:
        return self._in(key, 0, len(self.lines), r"\[*")

    def of_default(self, key: str) -> str:
        start = next((index for index, line in enumerate(self.lines) if re.match(r"\s*\[\s*defaults\b", line)), 0)
        return self._in(key, start, len(self.lines), r"(\[\s*defaults\s*\.)?")

    def of_task(self, number: int) -> Locate:
        def locate(key: str) -> str:
            if number >= len(self.headers):  # written inline: `task = [{...}]`
                return self.of_top("task")
            end = self.headers[number + 1] if number + 1 < len(self.headers) else len(self.lines)
            return self._in(key, self.headers[number], end, r"(\[\s*task\s*\.)?")

        return locate

    def _in(self, key: str, start: int, end: int, prefix: str) -> str:
        index = config.find_key(self.lines, key, start, end, prefix=prefix)
        return f"{self.name}:{(start if index is None else index) + 1}"


# no `++` or `*+`: Python 3.11.2 (Debian 12) gets them wrong; the pattern is unambiguous, so it does not backtrack
_TOML_TEXT = re.compile(
    r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    r"|'''[^']*(?:'(?!'')[^']*)*'''"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*",
    re.DOTALL,
)
