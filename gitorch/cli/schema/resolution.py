"""A resolution: a proposed result for a conflict, with its evidence, and whether it is proven."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gitorch.cli.schema.answer import Absent, ObjectId
from gitorch.cli.schema.task import CheckJson
from gitorch.model.resolution import Resolution, ResolvedFile


class ResolvedFileJson(msgspec.Struct, frozen=True, kw_only=True):
    """One resolved file: its three sides, and the result."""

    path: str
    kind: str
    """`structure` (by syntactic unit), `both` (both insertions kept) or `renamed` (two names became one)."""
    base: ObjectId | None
    """Null when both sides added the file."""
    ours: ObjectId
    theirs: ObjectId
    result: ObjectId
    evidence: list[str]
    """Sentences for a reviewer."""

    @classmethod
    def of(cls, file: ResolvedFile) -> ResolvedFileJson:
        """Return one file."""
        return cls(
            path=file.path,
            kind=file.kind,
            base=file.base,
            ours=file.ours,
            theirs=file.theirs,
            result=file.result,
            evidence=list(file.evidence),
        )


class ResolutionJson(msgspec.Struct, frozen=True, kw_only=True):
    """A resolution of the conflict of one task. It holds for exactly these tips."""

    id: str
    partners: list[str] = msgspec.field(name="with")
    """Ids of the tasks whose changes meet; empty when it is what was merged earlier."""
    paths: list[str]
    kinds: list[str]
    evidence: list[str]
    proven: bool
    """Whether the checks of the repository and of all these tasks pass on its tree."""
    reason: str | None
    """Why it is not proven."""
    checks: list[CheckJson]
    """The checks of its tree."""
    files: list[ResolvedFileJson]
    task_tip: ObjectId
    onto: ObjectId
    """The commit that the task was put on."""
    tip: ObjectId
    tree: ObjectId

    @classmethod
    def of(cls, resolution: Resolution) -> ResolutionJson:
        """Return a resolution."""
        return cls(
            id=resolution.task,
            partners=list(resolution.partners),
            paths=list(resolution.paths),
            kinds=list(resolution.kinds),
            evidence=list(resolution.evidence),
            proven=resolution.proven,
            reason=resolution.reason or None,
            checks=[CheckJson.of(result) for result in resolution.checks],
            files=[ResolvedFileJson.of(file) for file in resolution.files],
            task_tip=resolution.task_tip,
            onto=resolution.onto,
            tip=resolution.tip,
            tree=resolution.tree,
        )


def resolution_json(resolutions: Sequence[Resolution]) -> ResolutionJson | Absent:
    """Return the first resolution; absent if there is none."""
    return ResolutionJson.of(resolutions[0]) if resolutions else msgspec.UNSET


def resolutions_json(resolutions: Iterable[Resolution]) -> list[ResolutionJson]:
    """Return several resolutions."""
    return [ResolutionJson.of(resolution) for resolution in resolutions]
