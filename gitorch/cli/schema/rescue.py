"""The answers of `rescue`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, ObjectId, Timestamp, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitorch.services.rescue import RescuePoint, SavedFile


class RescuePointJson(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that holds uncommitted work of a task."""

    task: str
    number: int
    """Counts from 1, the newest."""
    commit: ObjectId
    head: ObjectId | Absent = msgspec.UNSET
    """The commit that was checked out; absent if there was none yet."""
    time: Timestamp
    reason: str
    skipped: list[str]
    """What was not saved: paths as JSON strings, each with the reason."""

    @classmethod
    def of(cls, point: RescuePoint) -> RescuePointJson:
        """Return a rescue point."""
        return cls(
            task=point.task,
            number=point.number,
            commit=point.commit,
            head=point.head or msgspec.UNSET,
            time=timestamp(point.time),
            reason=point.subject,
            skipped=list(point.skipped),
        )


class SavedFileJson(msgspec.Struct, frozen=True, kw_only=True):
    """A path that a rescue point changes."""

    path: str
    change: Literal["saved", "deleted"]


def saved_files(files: Iterable[SavedFile]) -> list[SavedFileJson]:
    """Return the files of a rescue point."""
    return [SavedFileJson(path=file.path, change="saved" if file.blob else "deleted") for file in files]


class RescueListAnswer(JsonAnswer, tag="gitorch/rescue/1", frozen=True, kw_only=True):
    """The answer of `rescue list`."""

    points: list[RescuePointJson]


class RescueShowAnswer(JsonAnswer, tag="gitorch/rescue/1", frozen=True, kw_only=True):
    """The answer of `rescue show`."""

    point: RescuePointJson
    files: list[SavedFileJson]


class RescueRestoreAnswer(JsonAnswer, tag="gitorch/rescue/1", frozen=True, kw_only=True):
    """The answer of `rescue restore`."""

    point: RescuePointJson
    files: list[SavedFileJson]
    folder: str
    """The folder that the files were written to."""
