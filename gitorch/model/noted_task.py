"""Rebuild tasks from the notes on their branches, if the task file is lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitorch.model import handoff
from gitorch.model.naming import Oid, TaskId, slug
from gitorch.model.note import AdoptedNote, AttemptNote, CheckNote, Line, VerdictNote
from gitorch.model.task import Attempt, CheckResult, Commits, Phase, State, Task, TaskSpec

UNKNOWN_END = "rebuilt from its branch: the result of its attempt is unknown"

_VERDICTS = {"approve": State.APPROVED, "reject": State.REJECTED}


def read_task(name: str, number: int, branch: str, tip: Oid, base: Oid | None, lines: Iterable[Line]) -> Task:
    """Rebuild a task from its branch and the notes on its tip.

    Without the note of an attempt, only the branch is known: the task is failed and keeps its branch.
    """
    attempt = AttemptNote(task=name)
    results: list[CheckResult] = []
    state, reason = State.FAILED, UNKNOWN_END
    for line in lines:
        match line.note:
            case AttemptNote(task=task) if task == name:
                attempt, results = line.note, []
                state, reason = _state(attempt), ""
            case CheckNote():
                results.append(_result(line.note))
            case VerdictNote(verdict=verdict) if not reason:
                state = _VERDICTS.get(verdict, state)
            case _:
                pass
    base = attempt.base or base
    return Task(
        id=slug(name),
        number=attempt.task_number or number,
        spec=TaskSpec(
            title=attempt.title or name,
            prompt=attempt.prompt or attempt.title or name,
            agent=attempt.agent,
            role=attempt.role,
            goal=attempt.goal or "",
            acceptance=attempt.acceptance or (),
            after=tuple(map(TaskId, attempt.after)),
            rival=attempt.rival or None,
        ),
        state=state,
        reason=reason,
        branch=branch,
        commits=Commits(base, tip) if base else None,
        attempts=attempt.number,
        attempt=Attempt(
            number=attempt.number,
            agent=attempt.agent,
            base=base,
            phase=Phase.ENDED,
            session=attempt.session,
            summary=handoff.render_sections(attempt.handoff) if attempt.handoff else "",
            ending=attempt.exit_reason,
        ),
        results=tuple(results),
    )


def read_adopted(lines: Sequence[Line], tip: Oid) -> Task | None:
    """Rebuild an adopted task from the notes on its tip; None if there is none.

    A merge copies notes to the commits it makes: those name another tip.
    """
    notes = [line.note for line in lines]
    adopted = next((note for note in notes if isinstance(note, AdoptedNote) and note.tip == tip), None)
    if adopted is None:
        return None
    verdicts = [note.verdict for note in notes if isinstance(note, VerdictNote) and note.task == adopted.task]
    title = adopted.title or adopted.task
    return Task(
        id=slug(adopted.task),
        number=adopted.task_number,
        spec=TaskSpec(title=title, prompt=adopted.prompt or title, after=tuple(map(TaskId, adopted.after))),
        state=_VERDICTS.get(verdicts[-1], State.FINISHED) if verdicts else State.FINISHED,
        branch=adopted.branch,
        commits=Commits(adopted.base, tip) if adopted.base else None,
        results=tuple(_result(note) for note in notes if isinstance(note, CheckNote)),
        adopted=True,
    )


def _state(note: AttemptNote) -> State:
    try:
        state = State(note.state)
    except ValueError:
        return State.FAILED
    return State.FAILED if state in (State.RUNNING, State.MERGED) else state


def _result(note: CheckNote) -> CheckResult:
    return CheckResult(
        name=note.name, command=note.command, tree=note.tree, exit_code=note.exit_code, seconds=note.seconds
    )
