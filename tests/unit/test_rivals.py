"""Rival attempts: which one is proposed, and what the others mean to the rest of the board."""

from __future__ import annotations

import pytest

from gitorch.errors import InvalidInput
from gitorch.flow import intake
from gitorch.flow.merge.planning.candidate import candidate_tasks
from gitorch.model import graph, rivals
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import Attempt, CheckResult, Commits, RivalSpec, State, Task, TaskSpec, by_id

BASE, TIP = Oid("a" * 40), Oid("b" * 40)


def rival(number: int, state: State = State.FINISHED, *, lines: int = 10, exit_code: int | None = 0) -> Task:
    """Return a rival of the group `t` of three; `exit_code` is that of its check (None: it has none)."""
    name = TaskId("t" if number == 1 else f"t-{number}")
    check = CheckResult(name="test", command="x", tree=TIP, exit_code=exit_code)
    return Task(
        id=name,
        number=number,
        spec=TaskSpec(title="T", prompt="T", rival=RivalSpec(group=TaskId("t"), number=number, of=3)),
        state=state,
        commits=Commits(BASE, TIP),
        attempts=1,
        attempt=Attempt(number=1, agent="sh", diff_lines=lines),
        results=(check,) if exit_code is not None else (),
    )


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ([rival(1, lines=20), rival(2, lines=9), rival(3, lines=2, exit_code=1)], "t-2"),
        ([rival(1, lines=9), rival(2, lines=9), rival(3, lines=10)], "t"),
        ([rival(1, lines=2, exit_code=None), rival(2, lines=90)], "t-2"),
        ([rival(1, exit_code=1), rival(2, exit_code=1)], None),
        ([rival(1, State.FAILED), rival(2, State.RUNNING), rival(3, lines=90)], "t-3"),
        ([rival(1, State.QUEUED)], None),
    ],
)
def test_checks_decide_then_the_smallest_diff(group: list[Task], expected: str | None) -> None:
    """Failing work is never proposed; checks count more than none; a tie goes to the lowest number."""
    proposed = rivals.proposal(group)
    assert (proposed.id if proposed else None) == expected


def test_one_rival_stands_for_its_group() -> None:
    """The candidate has the proposed one only and names the others; once one is picked, the group is as any tasks."""
    alone = Task(id=TaskId("alone"), number=9, spec=TaskSpec(title="A", prompt="A"), state=State.FINISHED)
    tasks = by_id([rival(1, lines=20), rival(2), rival(3, State.RUNNING), alone])
    assert [*rivals.contenders(tasks)] == ["t-2", "alone"]
    selection = candidate_tasks(tasks)
    assert [task.id for task in selection.tasks] == ["t-2", "alone"]
    assert [entry.task for entry in selection.left_out] == ["t"]
    assert [*rivals.contenders(by_id([rival(1, State.QUEUED), rival(2, State.RUNNING)]))] == ["t"]
    picked = by_id([rival(1, State.REJECTED), rival(2, State.APPROVED)])
    assert rivals.contenders(picked) == picked


def test_what_waits_for_rivals_waits_for_the_pick() -> None:
    """A dependant starts when one rival is approved, not when one is finished."""
    waiting = Task(id=TaskId("n"), number=5, spec=TaskSpec(title="N", prompt="N", after=(TaskId("t"),)))
    assert graph.ready(by_id([rival(1), rival(2), waiting])) == []
    assert [task.id for task in graph.blockers(waiting, by_id([rival(1), waiting]))] == ["t"]
    assert graph.ready(by_id([rival(1, State.APPROVED), rival(2), waiting])) == [waiting]


def test_a_draft_becomes_rivals() -> None:
    """The first has the task's name, the others free ones; dependants name the first; contradictions are refused."""
    text = """
[[task]]
title = "Duo"
agents = ["claude", "codex"]
[[task]]
title = "Duo 2"
attempts = 2
agent = "sh"
after = ["Duo"]
"""
    tasks = intake.resolve(intake.read(text.encode(), "tasks.toml"), {}, 7)
    assert [(task.id, task.number, task.spec.agent) for task in tasks] == [
        ("duo", 7, "claude"),
        ("duo-3", 8, "codex"),
        ("duo-2", 9, "sh"),
        ("duo-2-2", 10, "sh"),
    ]
    assert [rivals.number_of(task) for task in tasks] == [1, 2, 1, 2]
    assert {task.spec.after for task in tasks[2:]} == {("duo",)}
    for keys in ('agents = ["a"]\nagent = "b"', 'agents = ["a", "b"]\nattempts = 2', "attempts = 0"):
        with pytest.raises(InvalidInput, match=r"tasks\.toml"):
            intake.resolve(intake.read(f'[[task]]\ntitle = "X"\n{keys}\n'.encode(), "tasks.toml"), {}, 1)
