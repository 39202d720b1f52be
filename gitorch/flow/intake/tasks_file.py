"""Tasks files: TOML with `[defaults]` and a `[[task]]` for each."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitorch import config
from gitorch.errors import InvalidInput
from gitorch.flow.intake.draft import Draft
from gitorch.flow.intake.entry import DEFAULTS, Locate, refuse_unknown, to_draft


def read_toml(text: str, name: str) -> list[Draft]:
    """Read the `[[task]]` tables of a tasks file, each laid over its `[defaults]`."""
    places = _TomlPlaces(text, name)
    try:
        document = config.parse(text.removeprefix("\ufeff"), name).settings
    except RecursionError as error:
        raise InvalidInput("toml-syntax", f"{name}: {error}") from error
    refuse_unknown(document, ("defaults", "task"), places.of_top)
    defaults, tables = document.get("defaults", {}), document.get("task", [])
    if not isinstance(defaults, dict):
        raise InvalidInput("task-invalid", f"{places.of_top('defaults')}: defaults must be a table: [defaults]")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InvalidInput("task-invalid", f"{places.of_top('task')}: each task must be a table of its own: [[task]]")
    refuse_unknown(defaults, DEFAULTS, places.of_default)
    return [to_draft(_over(defaults, table), places.of_task(at)) for at, table in enumerate(tables)]


def _over(defaults: Mapping[str, object], table: Mapping[str, object]) -> dict[str, object]:
    both = (defaults.get("checks"), table.get("checks"))
    checks = {"checks": {**both[0], **both[1]}} if isinstance(both[0], dict) and isinstance(both[1], dict) else {}
    return {**defaults, **table, **checks}


class _TomlPlaces:
    """Where keys stand in a tasks file."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.lines = _TOML_TEXT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text).split("\n")
        self.headers = [at for at, line in enumerate(self.lines) if re.match(r"\s*\[\[\s*task\s*\]\]", line)]

    def of_top(self, key: str) -> str:
        return self._in(key, 0, len(self.lines), r"\[*")

    def of_default(self, key: str) -> str:
        start = next((at for at, line in enumerate(self.lines) if re.match(r"\s*\[\s*defaults\b", line)), 0)
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


# without `++` and `*+`, which Python 3.11.2 (that of Debian 12) gets wrong; no text can be matched in two ways
_TOML_TEXT = re.compile(
    r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    r"|'''[^']*(?:'(?!'')[^']*)*'''"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*",
    re.DOTALL,
)
