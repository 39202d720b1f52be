"""What a resolution changed, as `diff --resolution` shows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from gitorch.cli.schema.answer import ObjectId
from gitorch.cli.schema.resolution import ResolvedFileJson

if TYPE_CHECKING:
    from gitorch.replay.resolved_hunks import ResolvedHunk
    from gitorch.services.merging.resolution_diff import ShownFile, ShownResolution


class ResolvedHunkJson(msgspec.Struct, frozen=True, kw_only=True):
    """One place that a resolution changed: the lines of both sides, of what both started from, and of the result."""

    line: int
    """The number of the first line in the result."""
    base: list[str]
    ours: list[str]
    theirs: list[str]
    result: list[str]

    @classmethod
    def of(cls, hunk: ResolvedHunk) -> ResolvedHunkJson:
        """Return one place."""
        lines = {name: list(getattr(hunk, name)) for name in ("base", "ours", "theirs", "result")}
        return cls(line=hunk.line, **lines)


class ShownFileJson(ResolvedFileJson, frozen=True, kw_only=True):
    """One resolved file, and what the resolution changed in it."""

    hunks: list[ResolvedHunkJson] | None
    """Null for a binary file, and for one that is too large to compare."""

    @classmethod
    def of_shown(cls, file: ShownFile) -> ShownFileJson:
        """Return one file."""
        hunks = None if file.hunks is None else [ResolvedHunkJson.of(hunk) for hunk in file.hunks]
        return cls(**msgspec.structs.asdict(ResolvedFileJson.of(file.file)), hunks=hunks)


class ShownResolutionJson(msgspec.Struct, frozen=True, kw_only=True):
    """A resolution: proposed, or published in a commit."""

    partners: list[str] = msgspec.field(name="with")
    """Ids of the tasks whose changes meet; empty where that is not known, or it is what was merged earlier."""
    commit: ObjectId | None
    """The commit that published it; null for a proposed one."""
    proven: bool
    reason: str | None
    """Why it is not proven."""
    checks: list[str]
    """The checks that passed on its tree."""
    files: list[ShownFileJson]


def shown_resolutions_json(resolutions: Iterable[ShownResolution]) -> list[ShownResolutionJson]:
    """Return several resolutions."""
    return [
        ShownResolutionJson(
            partners=list(entry.partners),
            commit=entry.commit,
            proven=entry.proven,
            reason=entry.reason or None,
            checks=list(entry.checks),
            files=[ShownFileJson.of_shown(file) for file in entry.files],
        )
        for entry in resolutions
    ]
