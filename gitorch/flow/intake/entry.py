"""Turn one task of a file into a draft, and validate its keys."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from gitorch import config, typed
from gitorch.errors import InvalidInput
from gitorch.flow.intake.draft import TaskDraft, from_text, origin_prefix
from gitorch.flow.intake.rivals import MOST_RIVALS
from gitorch.model.task import Priority

Locate = Callable[[str], str]
"""Returns the file and line of a key (`tasks.toml:12`), or of the start of the task for ""."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of one task as written in a file."""

    id: str = ""
    title: str = ""
    prompt: str = ""
    agent: str = ""
    role: str = ""
    priority: Priority = Priority.NORMAL
    after: tuple[str | int, ...] | str | int = ()
    checks: dict[str, str] = {}
    paths: tuple[str, ...] | str = ()
    goal: str = ""
    acceptance: tuple[str, ...] | str = ()
    context: Any = ""
    base: str = ""
    budget: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    timeout: Annotated[float, msgspec.Meta(ge=0)] | str = 0.0
    agents: tuple[str, ...] | str = ()
    attempts: Annotated[int, msgspec.Meta(ge=1, le=MOST_RIVALS)] = 1


_KEYS = _Entry.__struct_fields__


DEFAULTS = tuple(key for key in _KEYS if key not in ("id", "title", "prompt"))


_SYNONYMS = {"depends_on": "after", "dependencies": "after", "needs": "after", "description": "prompt", "name": "id"}


def to_draft(table: Mapping[str, object], locate: Locate) -> TaskDraft:
    """Return the draft that a table of keys describes. Raises `InvalidInput` with file and line of an invalid key."""
    refuse_unknown(table, _KEYS, locate)
    entry = _entry(table, locate)
    origin = locate("")
    prompt = entry.prompt if entry.prompt.strip() else entry.title
    stated = from_text(prompt, origin=origin)
    draft = msgspec.structs.replace(
        stated,
        title=" ".join(entry.title.split()) or stated.title,
        id=entry.id,
        agent=entry.agent,
        role=entry.role,
        priority=entry.priority,
        after=tuple(str(name) for name in ((entry.after,) if isinstance(entry.after, str | int) else entry.after)),
        checks=entry.checks,
        paths=(entry.paths,) if isinstance(entry.paths, str) else entry.paths,
        goal=entry.goal,
        acceptance=(entry.acceptance,) if isinstance(entry.acceptance, str) else entry.acceptance,
        context=_context(entry.context, locate),
        base=entry.base,
        budget=entry.budget,
        timeout=_seconds(entry.timeout, locate),
        agents=(entry.agents,) if isinstance(entry.agents, str) else entry.agents,
        attempts=entry.attempts,
    )
    _refuse_unencodable(draft, origin)
    return draft


def refuse_unknown(table: Mapping[str, object], allowed: Sequence[str], locate: Locate) -> None:
    """Raise `InvalidInput` that lists every key not in `allowed`, with the closest valid key."""
    unknown = [str(key) for key in table if key not in allowed]
    if unknown:
        problems = [f"{locate(key)}: unknown key {key}{_hint(key, allowed)}" for key in unknown]
        raise InvalidInput("task-invalid", "; ".join(problems), why=f"the keys are {', '.join(allowed)}")


def _hint(key: str, allowed: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, allowed, n=1)
    meant = close[0] if close else _SYNONYMS.get(key)
    return f"; did you mean {meant}?" if meant in allowed else ""


def _entry(table: Mapping[str, object], locate: Locate) -> _Entry:
    priority = table.get("priority")
    folded = {"priority": priority.lower()} if isinstance(priority, str) else {}
    try:
        return typed.from_object({**table, **folded}, _Entry)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        key = re.split(r"[.\[]", path.rstrip("`"))[0]
        hint = "; it must be high, normal or low" if key == "priority" else ""
        raise InvalidInput("task-invalid", f"{locate(key)}: {key}: {message}{hint}") from error


def context_text(value: object) -> str:
    """Return a task's context as JSON text: text that is valid JSON is returned unchanged."""
    if isinstance(value, str):
        try:
            typed.from_json(value)
        except (msgspec.DecodeError, RecursionError):
            return msgspec.json.encode(value).decode()
        return value
    return msgspec.json.encode(value).decode()


def _context(value: object, locate: Locate) -> str:
    try:
        return context_text(value) if value != "" else ""
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput("task-invalid", f"{locate('context')}: context: {error}") from error


def _seconds(value: float | str, locate: Locate) -> float:
    if isinstance(value, float | int):
        return float(value)
    try:
        return config.seconds(value)
    except InvalidInput as error:
        raise InvalidInput("task-invalid", f"{locate('timeout')}: timeout: {error}", fix=error.fix) from error


def _refuse_unencodable(draft: TaskDraft, origin: str) -> None:
    try:
        msgspec.json.encode(draft)
    except UnicodeEncodeError as error:
        raise InvalidInput("not-utf8", f"{origin_prefix(origin)}the text is not UTF-8", why=str(error)) from error
