"""The files of an attempt in the state folder (briefs, the request to stop), and the keys of its executions."""

from __future__ import annotations

from pathlib import Path

from gitorch import regular_files
from gitorch.model.task import Task

INTERRUPTED = "interrupted"
"""The stop reason of an attempt that continues in the next run."""


def attempt_key(task: Task, number: int | None = None) -> str:
    """Return the prefix of an attempt's execution keys; without a number, of the last attempt."""
    return f"attempts/{task.id}/{number or task.attempts}"


def attempt_folder(state: Path, task: Task) -> Path:
    """Return the folder of an attempt's own files."""
    return state / attempt_key(task)


def brief_file(folder: Path, round_number: int) -> Path:
    """Return where an attempt keeps the brief of one round."""
    return folder / f"brief-{round_number}.md"


def stop_reason(folder: Path) -> str:
    """Return why an attempt was asked to stop; empty if it was not."""
    try:
        return regular_files.read(folder / "stop").decode()
    except FileNotFoundError:
        return ""


def record_stop(folder: Path, reason: str) -> None:
    """Record that an attempt was asked to stop."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stop").write_text(reason, "utf-8")
