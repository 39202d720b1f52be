"""Codex's own log of a session (a "rollout"), which says after each call of the model what the call has used.

The folder can be written by the agent: no link is followed, and nothing but plain files is opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from gitorch.agents import streams
from gitorch.agents.protocol import LoggedCall
from gitorch.agents.streams import count_at, object_at, text_at
from gitorch.model.outcome import Usage

_ID = re.compile(r"[0-9A-Za-z-]{8,64}")
_LEVELS = 3
"""Folders above a log: year, month, day."""

_MOST_FOLDERS = 2_000


class CodexCallLog:
    """Finds and reads the log of a session."""

    def session(self, line: bytes) -> str:
        """Return the session that a line of the stream names; "" for other lines."""
        if b"thread.started" not in line:
            return ""
        record = streams.parse(line) or {}
        return text_at(record, "thread_id") if record.get("type") == "thread.started" else ""

    def find(self, environment: Mapping[str, str], session: str) -> Path | None:
        """Return the log of a session; None if there is none yet. The newest folders are searched first."""
        if not _ID.fullmatch(session):
            return None
        home = environment.get("CODEX_HOME") or f"{environment.get('HOME', '')}/.codex"
        folders = [f"{home}/sessions"]
        for _ in range(_LEVELS):
            folders = [inner for folder in folders for inner in _entries(folder, is_folder=True)][:_MOST_FOLDERS]
        ending = f"-{session}.jsonl"
        files = (path for folder in folders for path in _entries(folder, is_folder=False) if path.endswith(ending))
        return next(map(Path, files), None)

    def call(self, line: bytes) -> LoggedCall | None:
        """Return what a line says that one call of the model has used; None for other lines."""
        if b'"token_usage_record"' not in line:
            return None
        record = streams.parse(line) or {}
        used = object_at(record, "payload", "usage")
        name = text_at(record, "payload", "response_id")
        if record.get("type") != "token_usage_record" or not used or not name:
            return None
        usage = Usage(
            input_tokens=count_at(used, "input_tokens"),
            cached_tokens=count_at(used, "cached_input_tokens"),
            output_tokens=count_at(used, "output_tokens"),
            turns=1,
        )
        return LoggedCall(name, usage, _time(text_at(record, "timestamp")))


def _time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _entries(folder: str, *, is_folder: bool) -> list[str]:
    """Return the paths of real folders, or of plain files, in a folder, the last name first."""
    try:
        with os.scandir(folder) as entries:
            paths = [
                entry.path for entry in entries if (entry.is_dir if is_folder else entry.is_file)(follow_symlinks=False)
            ]
    except OSError:
        return []
    return sorted(paths, reverse=True)
