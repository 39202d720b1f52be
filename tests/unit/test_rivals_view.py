"""The rivals of a task as a person reads them: every number, state and check, however narrow the terminal is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from rich.console import Console

from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views import labels
from gitorch.cli.views.reviewing.rivals import comparison
from gitorch.model.naming import Oid, TaskId
from gitorch.model.outcome import Usage
from gitorch.model.task import Attempt, CheckResult, Commits, RivalSpec, State, Task, TaskSpec, by_id

NOW = datetime(2026, 1, 1, 8, tzinfo=UTC)
TREE = Oid("b" * 40)
GROUP = TaskId("add-a-discount-for-loyal-customers")


def rival(number: int, agent: str, *, exit_code: int = 0) -> Task:
    """Return a finished rival with a long name, which took minutes and cost money."""
    name = GROUP if number == 1 else TaskId(f"{GROUP}-{number}")
    start = NOW - timedelta(hours=1)
    attempt = Attempt(
        number=1, agent=agent, diff_lines=1000 + number, started=start, seconds=754.0, usage=Usage(usd=0.004)
    )
    return Task(
        id=name,
        number=number,
        spec=TaskSpec(title="T", prompt="T", agent=agent, rival=RivalSpec(group=GROUP, number=number, of=3)),
        state=State.FINISHED,
        commits=Commits(Oid("a" * 40), TREE),
        attempts=1,
        attempt=attempt,
        results=(CheckResult(name="test", command="x", tree=TREE, exit_code=exit_code),),
    )


@pytest.mark.parametrize("width", [50, 60, 80, 100, 140])
def test_rivals_can_be_read_on_narrow_terminals(width: int) -> None:
    """Numbers, states, lines and checks are whole; what has no room is left out and named."""
    group = [rival(1, "claude-opus"), rival(2, "codex", exit_code=1), rival(3, "sh")]
    terminal = msgspec.structs.replace(TerminalStyle(), width=width)
    page = comparison(group[0], by_id(group), terminal, NOW)
    assert page is not None
    console = Console(width=width - 12, color_system=None)
    with console.capture() as capture:
        console.print(page)
    lines = capture.get().splitlines()
    rows = lines[1:4]
    for number, row in enumerate(rows, start=1):
        assert row.lstrip().startswith(f"{number}*" if number == 1 else f"{number} ")
        assert "finished" in row
        assert str(1000 + number) in row
        assert "1/1" in row or "0/1" in row
        assert row.count("…") <= 1  # a long name
    assert ("claude-opus" in rows[0]) == (width >= 60)
    names = [row.split()[1].removeprefix("*") for row in rows]
    assert len({*names}) == len(names), names
    hidden = [word for word in ("Took", "Cost", "Agent") if word not in lines[0]]
    assert (" hidden: " in capture.get()) == bool(hidden)
    assert all(word.lower() in capture.get() for word in hidden)
    assert "--pick" in capture.get()


def test_an_unchecked_rival_says_so_once() -> None:
    """In the list of a review, and on the board: what is proposed, by its number, and that nothing was checked."""
    group = by_id(msgspec.structs.replace(rival(number, "sh"), results=()) for number in (1, 2))
    reasons = [labels.next_step(task, group, NOW)[1] for task in group.values()]
    assert reasons == [
        "rival 1 of 3, proposed: 1001 lines; not checked",
        "rival 2 of 3, rival 1 is proposed; not checked",
    ]
