"""The answers of `context`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, present

if TYPE_CHECKING:
    from gitorch.model.handoff import Handoff
    from gitorch.storage.shared_notes import SharedNote


class SharedNoteJson(msgspec.Struct, frozen=True, kw_only=True):
    """A note that the agents of a run share."""

    run: int
    number: int
    task: str | Absent = msgspec.UNSET
    """The task whose agent wrote it; absent when a person did."""
    author: str | Absent | None = msgspec.field(default=msgspec.UNSET, name="who")
    """The person who wrote it; absent when an agent did."""
    time: str = msgspec.field(name="when")
    text: str

    @classmethod
    def of(cls, note: SharedNote) -> SharedNoteJson:
        """Return a note."""
        return cls(
            run=note.run,
            number=note.number,
            task=present(note.task),
            author=msgspec.UNSET if note.task else note.author or None,
            time=note.time,
            text=note.text,
        )


class HandoffJson(msgspec.Struct, frozen=True, kw_only=True):
    """The summary that an agent wrote at the end of its attempt; empty parts are absent."""

    done: str | Absent = msgspec.UNSET
    decided: str | Absent = msgspec.UNSET
    open: str | Absent = msgspec.UNSET
    check: str | Absent = msgspec.UNSET
    """How to check the work."""
    files: list[str] | Absent = msgspec.UNSET
    """The files that changed, as git sees it."""
    more_files: int | Absent = msgspec.UNSET
    """How many more files changed than are listed."""

    @classmethod
    def of(cls, handoff: Handoff) -> HandoffJson:
        """Return a handoff."""
        return cls(
            done=present(handoff.done),
            decided=present(handoff.decided),
            open=present(handoff.open),
            check=present(handoff.check),
            files=present(list(handoff.files)),
            more_files=present(handoff.more_files),
        )


class ContextAnswer(JsonAnswer, tag="gitorch/context/1", frozen=True, kw_only=True):
    """The answer of `context list` and `context show`."""

    notes: list[SharedNoteJson]

    @classmethod
    def of(cls, notes: Iterable[SharedNote]) -> ContextAnswer:
        """Return the answer for these notes."""
        return cls(notes=[SharedNoteJson.of(note) for note in notes])


class ContextAddAnswer(JsonAnswer, tag="gitorch/context/1", frozen=True, kw_only=True):
    """The answer of `context add`."""

    note: SharedNoteJson


class ContextHandoffAnswer(JsonAnswer, tag="gitorch/context/1", frozen=True, kw_only=True):
    """The answer of `context show TASK`."""

    task: str
    handoff: HandoffJson
