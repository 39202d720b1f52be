"""What a merge publishes: the integration branch, the notes that follow the commits, and related refs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitorch.flow.merge.into import Rebased, original_updates
from gitorch.flow.merge.values import MergePlan, MergeStep
from gitorch.git.notes import note_store, user_notes
from gitorch.git.repository import Repository
from gitorch.model import note
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.model.resolution import SYNTAX_KINDS, Resolution
from gitorch.replay import Replayed

NoteLines = Mapping[Oid, Sequence[note.Line]]


def ref_updates(
    repository: Repository, plan: MergePlan, integration: str, extra_lines: NoteLines | None = None
) -> list[RefUpdate]:
    """Return the ref updates that publish a plan: the integration branch, and the notes that follow the commits.

    The user's own notes follow too, if `notes.rewriteRef` says so. A plan with a target also moves that branch. A
    replayed integration branch is kept as it was under a ref of its own. `extra_lines` are added to the notes of new
    commits.
    """
    updates = [RefUpdate(branch_ref(integration), plan.tip, plan.before)] if plan.tip != plan.before else []
    if isinstance(plan.rebased, Rebased):
        updates += original_updates(repository, plan.rebased, integration)
    if plan.target is not None and plan.target.before != plan.tip:
        updates.append(RefUpdate(plan.target.ref, plan.tip, plan.target.before))
    lines = _note_lines(repository, plan, integration)
    for commit, extra in (extra_lines or {}).items():
        lines.setdefault(commit, []).extend(extra)
    pairs = [*_rebased_pairs(plan), *(pair for step in plan.steps for pair in step.replayed.pairs)]
    carried = user_notes.carry(repository, pairs)
    return [*updates, *(note_store.build(repository, lines) if lines else []), *carried]


def _note_lines(repository: Repository, plan: MergePlan, integration: str) -> dict[Oid, list[note.Line]]:
    lines: dict[Oid, list[note.Line]] = {}
    steps = [pair for step in plan.steps for pair in step.replayed.pairs]
    rebased = _rebased_pairs(plan)
    existing = note_store.read_many(repository, [old for old, new in (*rebased, *steps) if new != old])
    lines |= {new: list(existing[old]) for old, new in rebased if new != old and existing[old]}
    proofs = {entry.task: entry for entry in plan.resolutions if entry.proven}
    for step in plan.steps:
        for old, new in step.replayed.pairs:
            carried = existing[old] if new != old else []
            lines.setdefault(new, []).extend([*carried, note.merged_line(step.task.id, old, integration)])
            lines[new].extend(_resolved_lines(step, old, proofs.get(step.task.id)))
    if results := (*plan.results, *(flake for flake in plan.flakes if flake not in plan.results)):
        lines.setdefault(plan.tip, []).extend(note.check_line(result) for result in results)
    return lines


def _rebased_pairs(plan: MergePlan) -> tuple[tuple[Oid, Oid], ...]:
    replayed = plan.rebased.replayed if isinstance(plan.rebased, Rebased) else None
    return replayed.pairs if isinstance(replayed, Replayed) else ()


def _resolved_lines(step: MergeStep, commit: Oid, proof: Resolution | None) -> list[note.Line]:
    return [
        note.resolved_line(
            step.task.id, resolved.by, resolved.paths, resolved.files, proof if resolved.by in SYNTAX_KINDS else None
        )
        for resolved in step.replayed.resolved
        if resolved.commit == commit
    ]
