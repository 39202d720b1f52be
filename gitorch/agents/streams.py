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
    r"|^\S*(sh|env): .*: (not found|no such)"
    # half of an update, or options that another version does not have
    r"|native binary not installed|cannot find (module|package)|error while loading shared libraries|^SyntaxError"
    r"|unknown option|unexpected argument|unrecogni[sz]ed (option|argument)",
    re.IGNORECASE | re.MULTILINE,
)

NETWORK_TROUBLE = (
    r"network|socket|fetch failed|\bconnection|\bECONN|\bEAI_AGAIN|\bENOTFOUND|\bEPIPE|\bETIMEDOUT|\bdns error"
    r"|error: terminated|request was aborted|certificate"
)
"""A pattern of what clients say when they do not reach a service: a proxy or a captive portal may be in between."""

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
    except msgspec.DecodeError:
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


def error_line(text: str) -> str:
    """Return an error on one line; in place of a service's JSON, the message in it."""
    head, brace, rest = text.partition("{")
    body = parse((brace + rest).strip().encode()) or {}
    message = text_at(body, "error", "message") or text_at(body, "message") or text_at(body, "detail")
    return one_line(f"{head}{message}" if message else text)


def first_lines(text: str) -> str:
    """Return the first lines of `text`, each cut to the width of a digest."""
    head = text[: 4 * RESULT_LINES * DIGEST].strip("\n").split("\n")[: RESULT_LINES + 1]
    digests = [one_line(line) if len(line) > DIGEST else line.rstrip() for line in head[:RESULT_LINES]]
    return "\n".join([*digests, "…"] if len(head) > RESULT_LINES else digests)


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
    if status == 407:  # the proxy wants a password
        return ExitReason.SETUP
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
    if silent is not None and (match := _NO_PROGRAM.search(stderr)):
        line = stderr[stderr.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0]
        return _with_ending(so_far, ExitReason.SETUP, line.strip())
    if silent is not None and stderr and result.cause == "exited" and not result.signal:
        return _with_ending(so_far, silent, stderr)
    code = f"signal {result.signal}" if result.signal else f"exit code {result.exit_code}"
    if result.cause == "lost":  # nobody was there to see it
        code = ""
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
