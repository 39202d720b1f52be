"""Notes that agents share, across the wall of a box: a copy goes in before a round, what is new comes out after it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gitorch import typed
from gitorch.errors import InvalidInput, Refused
from gitorch.rooms.private_repository import PrivateRepository
from gitorch.storage.shared_notes import MOST_BYTES, SharedNote, SharedNotes


def exchange(private: PrivateRepository, notes: SharedNotes, task: str) -> None:
    """Take the new notes of a task's agent out of its box, and bring the notes of all agents in.

    `orchestrate context` in the box works on the copy: the state folder itself is out of reach. What comes out is the
    task's own, whatever it says of itself; what is too long or too much is left behind.
    """
    _take(private, notes, task)
    run = notes.run
    lines = b"".join(msgspec.json.encode(note) + b"\n" for note in notes.read(run))
    private.replace_file("gitorch/context/run", f"{run}\n".encode())
    private.replace_file(f"gitorch/context/run-{run}.jsonl", lines)


def _take(private: PrivateRepository, notes: SharedNotes, task: str) -> None:
    lines = private.read_file(f"gitorch/context/run-{notes.run}.jsonl", MOST_BYTES).split(b"\n")
    take(map(_text, lines), notes, task)


def take(texts: Iterable[str], notes: SharedNotes, task: str) -> None:
    """Add what a task's agent has noted where the notes of others are not; what is there already is left out."""
    existing = {note.text for note in notes.read(notes.run)}
    for text in texts:
        if not text or text in existing:
            continue
        try:
            existing.add(notes.add(text, task=task).text)
        except InvalidInput:
            continue
        except Refused:
            return  # it has written enough


def _text(line: bytes) -> str:
    try:
        return typed.from_json(line, SharedNote).text if line else ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
