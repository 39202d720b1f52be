"""What a merge moves: the integration branch, and the notes that follow the commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitorch.flow.merger.values import Plan
from gitorch.git import notes
from gitorch.git.repository import RefMove, Repository
from gitorch.model import note
from gitorch.model.naming import Oid, branch_ref

Said = Mapping[Oid, Sequence[note.Line]]


def moves(repository: Repository, made: Plan, integration: str, said: Said | None = None) -> list[RefMove]:
    """Return the ref moves that publish a plan: the integration branch, and the notes that follow the commits.

    `said` are further lines for the notes of new commits.
    """
    lines = _note_lines(repository, made, integration)
    for commit, more in (said or {}).items():
        lines.setdefault(commit, []).extend(more)
    return [RefMove(branch_ref(integration), made.tip, made.before), *notes.build(repository, lines)]


def _note_lines(repository: Repository, made: Plan, integration: str) -> dict[Oid, list[note.Line]]:
    lines: dict[Oid, list[note.Line]] = {}
    rewritten = [old for step in made.steps for old, new in step.replayed.pairs if new != old]
    known = notes.read_many(repository, rewritten)
    for step in made.steps:
        for old, new in step.replayed.pairs:
            carried = known[old] if new != old else []
            lines.setdefault(new, []).extend([*carried, note.merged_line(step.task.id, old, integration)])
    if judged := (*made.results, *(flake for flake in made.flakes if flake not in made.results)):
        lines.setdefault(made.tip, []).extend(note.check_line(result) for result in judged)
    return lines
