"""A resolution: a proposed result for a conflict, with its evidence; proven when the checks pass on its tree."""

from __future__ import annotations

import msgspec

from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult

SYNTAX_KINDS = frozenset({"structure", "both", "renamed"})
"""The kinds of resolutions that no person has seen: they are published only if they are proven."""


class ResolvedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One resolved file: the blobs of its three sides (no base if both added it) and of its result.

    `kind` is what resolved it (`memory`, `structure`, ...), `evidence` has sentences for a reviewer.
    """

    path: str
    kind: str
    base: Oid | None
    ours: Oid
    theirs: Oid
    result: Oid
    evidence: tuple[str, ...] = ()

    @property
    def needs_proof(self) -> bool:
        return self.kind in SYNTAX_KINDS


class Resolution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A resolution of the conflict of one task with others that went in before it.

    It holds for exactly the tips `onto` (of what it was put on) and `task_tip`; `tip` and `tree` are its result.
    `checks` are the results on that tree. `reason` says why it is not proven; it may be proven yet if it
    `awaits_checks`.
    """

    task: TaskId
    partners: tuple[TaskId, ...]
    files: tuple[ResolvedFile, ...]
    task_tip: Oid
    onto: Oid
    tip: Oid
    tree: Oid
    proven: bool = False
    reason: str = ""
    checks: tuple[CheckResult, ...] = ()
    awaits_checks: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(file.path for file in self.files))

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(sorted({file.kind for file in self.files}))

    @property
    def evidence(self) -> tuple[str, ...]:
        """What a reviewer has to know, once each."""
        return tuple(dict.fromkeys(sentence for file in self.files for sentence in file.evidence))
