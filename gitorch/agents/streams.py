"""Reading the event stream of an agent: one JSON object per line. Nothing in it is trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from gitorch import typed
from gitorch.model.outcome import Exit, ExitReason, Outcome

Record: TypeAlias = dict[str, Any]

_STOPPED = {
    "stopped": (ExitReason.STOPPED, "stopped"),
    "timeout": (ExitReason.TIMED_OUT, "time limit reached"),
    "idle": (ExitReason.STALLED, "silent for too long"),
}

# what a shell, an interpreter line or a sandbox says about a program that it cannot start
_NO_PROGRAM = re.compile(
    r"execvp .*: |command not found|exec format error|bad interpreter|text file busy"
    r"|^\S*(sh|env): .*: (not found|no such)",
    re.IGNORECASE | re.MULTILINE,
)

DIGEST = 200
RESULT_LINES = 6
_MAIN_ARGUMENTS = (
    "command",
    "cmd",
    "file_path",
    "path",
    "notebook_path",
    "pattern",
    "query",
    "url",
    "description",
    "prompt",
)


def records(lines: Iterable[bytes]) -> Iterator[Record]:
    """Yield each line that is a JSON object; the others are skipped, however long they are."""
    for line in lines:
        record = parse(line)
        if record is not None:
            yield record


def parse(line: bytes) -> Record | None:
    """Return the JSON object in `line`, without lone surrogates; None if it is none."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        return typed.from_json(line, Record)
    except (msgspec.DecodeError, RecursionError):
        return _repaired(line)


def _repaired(line: bytes) -> Record | None:
    # JavaScript can cut a text inside an emoji and write half of it as an escape, which is not valid Unicode
    try:
        text = json.dumps(json.loads(line.decode(errors="replace")), ensure_ascii=False)
        return typed.from_json(text.encode(errors="replace"), Record)
    except (ValueError, msgspec.DecodeError, RecursionError):
        return None


def text_at(record: Mapping[str, Any], *path: str) -> str:
    """Return the text at `path`, or ""."""
    value = _value_at(record, path)
    return value if isinstance(value, str) else ""


def number_at(record: Mapping[str, Any], *path: str) -> float | None:
    """Return the number at `path`; None if there is none, or an absurdly large one."""
    value = _value_at(record, path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 1e15 else None


def count_at(record: Mapping[str, Any], *path: str) -> int:
    """Return the number at `path` as a count, or 0."""
    return int(number_at(record, *path) or 0)


def object_at(record: Mapping[str, Any], *path: str) -> Record:
    """Return the object at `path`, or an empty one."""
    value = _value_at(record, path)
    return value if isinstance(value, dict) else {}


def objects_at(record: Mapping[str, Any], *path: str) -> list[Record]:
    """Return the objects in the array at `path`."""
    value = _value_at(record, path)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def texts_at(record: Mapping[str, Any], *path: str) -> list[str]:
    """Return the texts in the array at `path`."""
    value = _value_at(record, path)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def message_text(record: Mapping[str, Any]) -> str:
    """Return the text of a message event in Anthropic's form, without thinking and tool calls."""
    blocks = objects_at(record, "message", "content")
    return "\n".join(text_at(block, "text") for block in blocks if block.get("type") == "text")


def _value_at(record: Mapping[str, Any], path: tuple[str, ...]) -> object:
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
    head = text[: 4 * lines * DIGEST].strip("\n").split("\n")[: lines + 1]
    digests = [one_line(line) if len(line) > DIGEST else line.rstrip() for line in head[:lines]]
    return "\n".join([*digests, "…"] if len(head) > lines else digests)


def digest(arguments: Mapping[str, Any]) -> str:
    """Return one line about a tool call: its most important argument, or all of them as JSON."""
    argument = next((text_at(arguments, name) for name in _MAIN_ARGUMENTS if text_at(arguments, name)), "")
    return one_line(argument or (msgspec.json.encode(arguments).decode() if arguments else ""))


def by_status(status: int) -> ExitReason:
    """Return how an execution ended that got this HTTP status from its model service."""
    if status in (401, 402, 403):
        return ExitReason.UNAUTHENTICATED
    if status == 429:
        return ExitReason.LIMITED
    if status == 413:
        return ExitReason.TOO_LONG
    return ExitReason.TRANSIENT if status in (408, 409) or status >= 500 else ExitReason.FAILED


def unfinished(
    so_far: Outcome, result: Exit, stderr: str, *, waiting: tuple[ExitReason, str] | None, silent: ExitReason | None
) -> Outcome:
    """Return how an execution ended whose stream has no final event.

    `waiting` is the meaning and the text of its last retry event: it was waiting for the service. `silent` is what
    `stderr` means if the execution wrote no event at all.
    """
    if waiting is not None and (result.cause == "idle" or waiting[0] is ExitReason.UNAUTHENTICATED):
        # the service is the reason, not the agent
        return _with_ending(so_far, *waiting)
    if result.cause in _STOPPED:
        return _with_ending(so_far, stop_ending(result), stop_reason(result))
    if result.cause == "failed-to-start":
        return _with_ending(so_far, ExitReason.SETUP, result.message or "it could not be started")
    if silent is not None and _NO_PROGRAM.search(stderr):
        return _with_ending(so_far, ExitReason.SETUP, stderr.strip().splitlines()[-1])
    if silent is not None and stderr and result.cause == "exited" and not result.signal:
        return _with_ending(so_far, silent, stderr)
    code = f"signal {result.signal}" if result.signal else f"exit code {result.exit_code}"
    cause = "" if result.cause == "exited" else result.cause
    parts = (cause, code, result.message, waiting[1] if waiting else stderr)
    return _with_ending(so_far, ExitReason.LOST, "no final event: " + ", ".join(part for part in parts if part))


def was_stopped(result: Exit) -> bool:
    """Return whether gitorch or a person ended the process."""
    return result.cause in _STOPPED


def stop_ending(result: Exit) -> ExitReason:
    """Return the ending of an execution that was stopped."""
    return _STOPPED[result.cause][0] if result.cause in _STOPPED else ExitReason.STOPPED


def stop_reason(result: Exit) -> str:
    """Return why an execution was stopped."""
    return result.message or (_STOPPED[result.cause][1] if result.cause in _STOPPED else "interrupted")


def _with_ending(so_far: Outcome, ending: ExitReason, reason: str) -> Outcome:
    return msgspec.structs.replace(so_far, ending=ending, reason=one_line(reason))
