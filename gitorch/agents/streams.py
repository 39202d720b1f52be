"""Reading an agent's event stream: one JSON object a line, written by somebody else, so nothing in it is trusted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from gitorch.model.outcome import Ending, Exit, Outcome

Record: TypeAlias = dict[str, Any]

_STOPPED = {"stopped": "stopped", "timeout": "time limit reached", "idle": "silent for too long"}

DIGEST = 200
RESULT_LINES = 6
_TELLING = ("command", "cmd", "file_path", "path", "notebook_path", "pattern", "query", "url", "description", "prompt")


def records(lines: Iterable[bytes]) -> Iterator[Record]:
    """Yield each line that is a JSON object; the others are skipped, however long they are."""
    for line in lines:
        record = parse(line)
        if record is not None:
            yield record


def parse(line: bytes) -> Record | None:
    """Return the JSON object in `line`, without lone surrogates; None where there is none."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        return msgspec.json.decode(line, type=Record)
    except (msgspec.DecodeError, RecursionError):
        return _mended(line)


def _mended(line: bytes) -> Record | None:
    # JavaScript cuts text between the halves of an emoji and writes the half as an escape: not Unicode, but real.
    try:
        whole = json.dumps(json.loads(line.decode(errors="replace")), ensure_ascii=False)
        return msgspec.json.decode(whole.encode(errors="replace"), type=Record)
    except (ValueError, msgspec.DecodeError, RecursionError):
        return None


def word(record: Mapping[str, Any], *path: str) -> str:
    """Return the text at `path`, or "" where there is none."""
    value = _at(record, path)
    return value if isinstance(value, str) else ""


def number(record: Mapping[str, Any], *path: str) -> float | None:
    """Return the number at `path`, or None where there is none that means anything."""
    value = _at(record, path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 1e15 else None


def count(record: Mapping[str, Any], *path: str) -> int:
    """Return the number at `path` as a count, or 0 where there is none."""
    return int(number(record, *path) or 0)


def table(record: Mapping[str, Any], *path: str) -> Record:
    """Return the object at `path`, or an empty one."""
    value = _at(record, path)
    return value if isinstance(value, dict) else {}


def rows(record: Mapping[str, Any], *path: str) -> list[Record]:
    """Return the objects in the array at `path`."""
    value = _at(record, path)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def words(record: Mapping[str, Any], *path: str) -> list[str]:
    """Return the texts in the array at `path`."""
    value = _at(record, path)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _at(record: Mapping[str, Any], path: tuple[str, ...]) -> object:
    value: object = record
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def one_line(text: str, limit: int = DIGEST) -> str:
    """Return `text` on one line of at most `limit` characters."""
    flat = " ".join(text[: 4 * limit].split())
    return flat if len(flat) <= limit and len(text) <= 4 * limit else flat[: limit - 1] + "…"


def first_lines(text: str, lines: int = RESULT_LINES) -> str:
    """Return the first lines of `text`, each cut to the width of a digest."""
    some = text[: 4 * lines * DIGEST].strip("\n").split("\n")[: lines + 1]
    shown = [one_line(line) if len(line) > DIGEST else line.rstrip() for line in some[:lines]]
    return "\n".join([*shown, "…"] if len(some) > lines else shown)


def digest(arguments: Mapping[str, Any]) -> str:
    """Return one line that tells what a tool call does: its most telling argument, or all of them as JSON."""
    telling = next((word(arguments, name) for name in _TELLING if word(arguments, name)), "")
    return one_line(telling or (msgspec.json.encode(arguments).decode() if arguments else ""))


def by_status(status: int) -> Ending:
    """Return what an HTTP status of a model service means for the execution that ended with it."""
    if status in (401, 402, 403):
        return Ending.UNAUTHENTICATED
    if status == 429:
        return Ending.LIMITED
    return Ending.TRANSIENT if status in (408, 409) or status >= 500 else Ending.FAILED


def unfinished(
    so_far: Outcome, ended: Exit, said: str, *, waiting: tuple[Ending, str] | None, mute: Ending | None
) -> Outcome:
    """Return how an execution ended whose stream has no final event.

    `said` is what it wrote to standard error, `waiting` what its last retry event was about (it was
    waiting for the service then), `mute` what `said` means when it wrote no event at all.
    """
    if ended.cause == "idle" and waiting is not None:
        # Not its own work was silent: the service's trouble is the reason.
        return _ended(so_far, *waiting)
    if ended.cause in _STOPPED:
        return _ended(so_far, Ending.STOPPED, stop_reason(ended))
    if ended.cause == "failed-to-start":
        return _ended(so_far, Ending.FAILED, ended.message or "it could not be started")
    if mute is not None and said and ended.cause == "exited" and not ended.signal:
        return _ended(so_far, mute, said)
    how = f"signal {ended.signal}" if ended.signal else f"exit code {ended.exit_code}"
    parts = ("" if ended.cause == "exited" else ended.cause, how, ended.message, waiting[1] if waiting else said)
    return _ended(so_far, Ending.LOST, "no final event: " + ", ".join(part for part in parts if part))


def was_stopped(ended: Exit) -> bool:
    """Tell whether gitorch or a person ended the process."""
    return ended.cause in _STOPPED


def stop_reason(ended: Exit) -> str:
    """Return why an execution was stopped."""
    return ended.message or _STOPPED.get(ended.cause, "interrupted")


def _ended(so_far: Outcome, ending: Ending, reason: str) -> Outcome:
    return msgspec.structs.replace(so_far, ending=ending, reason=one_line(reason))
