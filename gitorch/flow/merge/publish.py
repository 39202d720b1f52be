"""What a merge moves: the integration branch, the notes that follow the commits, and what goes with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitorch.flow.merge.into import Rebased, orig_move
from gitorch.flow.merge.values import Plan, Step
from gitorch.git import notes
from gitorch.git.repository import Repository
from gitorch.model import note
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.replay import Replayed

Said = Mapping[Oid, Sequence[note.Line]]


def moves(repository: Repository, made: Plan, integration: str, said: Said | None = None) -> list[RefUpdate]:
    """Return the ref moves that publish a plan: the integration branch, and the notes that follow the commits.

    With them go, where the plan has them, the branch that the integration branch is brought to, and a ref that keeps
    the integration branch as it was before it was replayed. `said` are further lines for the notes of new commits.
    """
    found = [RefUpdate(branch_ref(integration), made.tip, made.before)] if made.tip != made.before else []
    if isinstance(made.rebased, Rebased):
        found += orig_move(repository, made.rebased, integration)
    if made.target is not None and made.target.before != made.tip:
        found.append(RefUpdate(made.target.ref, made.tip, made.target.before))
    lines = _note_lines(repository, made, integration)
    for commit, more in (said or {}).items():
        lines.setdefault(commit, []).extend(more)
    return [*found, *(notes.build(repository, lines) if lines else [])]


def _note_lines(repository: Repository, made: Plan, integration: str) -> dict[Oid, list[note.Line]]:
    lines: dict[Oid, list[note.Line]] = {}
    steps = [pair for step in made.steps for pair in step.replayed.pairs]
    moved = _rebased_pairs(made)
    known = notes.read_many(repository, [old for old, new in (*moved, *steps) if new != old])
    lines |= {new: list(known[old]) for old, new in moved if new != old and known[old]}
    for step in made.steps:
        for old, new in step.replayed.pairs:
            carried = known[old] if new != old else []
            lines.setdefault(new, []).extend([*carried, note.merged_line(step.task.id, old, integration)])
            lines[new].extend(_resolved_lines(step, old))
    if judged := (*made.results, *(flake for flake in made.flakes if flake not in made.results)):
        lines.setdefault(made.tip, []).extend(note.check_line(result) for result in judged)
    return lines


def _rebased_pairs(made: Plan) -> tuple[tuple[Oid, Oid], ...]:
    replayed = made.rebased.replayed if isinstance(made.rebased, Rebased) else None
    return replayed.pairs if isinstance(replayed, Replayed) else ()


def _resolved_lines(step: Step, commit: Oid) -> list[note.Line]:
    return [
        note.resolved_line(step.task.id, one.paths, one.by) for one in step.replayed.resolved if one.commit == commit
    ]
