"""What gitorch remembers of an ACP session: tool calls that it rejected, and what the session had cost."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.storage import atomic


class SessionMemory(msgspec.Struct, frozen=True, kw_only=True):
    """The file. `rejected` are identities of tool calls; `usd` is the cost of the session so far."""

    rejected: tuple[str, ...] = ()
    usd: float = 0.0


def recall(folder: Path, session: str) -> SessionMemory:
    """Return what is remembered; nothing if the file is missing or cannot be read."""
    content = atomic.read_or_empty(_path(folder, session))
    try:
        return typed.from_json(content, SessionMemory) if content else SessionMemory()
    except msgspec.DecodeError:
        return SessionMemory()


def remember(folder: Path, session: str, memory: SessionMemory) -> None:
    """Replace the file, for its owner only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic.replace(_path(folder, session), msgspec.json.encode(memory), mode=0o600)


def _path(folder: Path, session: str) -> Path:
    # an agent chooses its ids freely: they are no file names
    return folder / f"{hashlib.sha256(session.encode('utf-8', 'replace')).hexdigest()[:32]}.json"
