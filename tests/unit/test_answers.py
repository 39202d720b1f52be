"""The JSON that programs read: each promised field with its type, and null where something is not known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitorch.cli.schema.answer import JsonAnswer, line, now
from gitorch.cli.schema.error import ErrorAnswer
from gitorch.cli.schema.merge import CheckFailureJson, MergeAnswer, MergeConflictJson
from gitorch.cli.schema.review import CardJson, DiffAnswer
from gitorch.cli.schema.status import StatusAnswer
from gitorch.cli.schema.task import CheckJson, TaskDetailsJson, TaskJson
from gitorch.errors import GitorchError, InvalidInput, LimitReached
from gitorch.flow.merge import Blocked, Failure, MergeConflict, MergePlan, MergeStep
from gitorch.flow.review import FileChange, ReviewCard, RiskSignal
from gitorch.model.naming import Oid, TaskId
from gitorch.model.outcome import Usage
from gitorch.model.task import Attempt, CheckResult, Comment, Phase, Priority, State, Task, change_spec
from gitorch.replay import Conflicted, Replayed, Stage
from gitorch.replay.hunks import Hunk
from tests.support.schemas import check_answer
from tests.support.tasks import make_task, with_fields

BASE, TIP, NEW, TREE = Oid("b" * 40), Oid("c" * 40), Oid("d" * 40), Oid("e" * 40)
CEST = timezone(timedelta(hours=2))

QUEUED = make_task(id=TaskId("api"), number=2, title="Serve the API", prompt="Serve the API", after=(TaskId("schema"),))
FINISHED = make_task(
    id=TaskId("schema"),
    number=1,
    title="Add a users table",
    prompt="Add a users table",
    agent="claude",
    role="backend-systems-engineer",
    priority=Priority.HIGH,
    state=State.FINISHED,
    reason="checks failed: lint",
    branch="orch/schema",
    worktree="/shop.orch/schema",
    base=BASE,
    tip=TIP,
    attempts=2,
    attempt=Attempt(
        number=2,
        agent="claude",
        base=BASE,
        phase=Phase.ENDED,
        round=2,
        session="8a0e",
        started=datetime(2026, 7, 1, 1, 30, tzinfo=CEST),
        seconds=61.25,
        ending="completed",
        summary="Done.",
        usage=Usage(usd=1.2, input_tokens=300, cached_tokens=200, output_tokens=40, turns=5),
        denials=("Bash: git push",),
        alarms=("refs/heads/main",),
    ),
    results=(
        CheckResult(name="test", command="pytest -q", tree=TREE, exit_code=0, seconds=1.5),
        CheckResult(name="lint", command="ruff check", tree=TREE),
    ),
    comments=(Comment(text="why?", file="a.py", line=3, author="Ada", attempt=1), Comment(text="well")),
    created=datetime(2026, 6, 30, 21, 0, tzinfo=UTC),
)


def plain(value: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that are printed; a whole answer must fit its schema."""
    fields = dict(msgspec.to_builtins(value))
    if isinstance(value, JsonAnswer):
        check_answer(fields)
    return fields


def task_fields(task: Task) -> dict[str, Any]:
    return plain(TaskJson.of(task))


def test_a_task_that_has_not_started() -> None:
    """All fields are there; what does not exist yet is null, and nothing is made up."""
    assert task_fields(QUEUED) == {
        "id": "api",
        "number": 2,
        "title": "Serve the API",
        "state": "queued",
        "agent": None,
        "role": None,
        "priority": "normal",
        "after": ["schema"],
        "branch": None,
        "worktree": None,
        "base": None,
        "tip": None,
        "attempts": 0,
        "attempt": None,
        "checks": {"passed": None, "results": []},
        "stale": False,
        "reason": None,
        "cost": None,
        "created": None,
        "comments": [],
        "past": [],
    }


def test_a_task_that_was_worked_on() -> None:
    """Times are RFC 3339 in UTC, durations seconds; a check that could not be run has a null exit code."""
    cost = {"usd": 1.2, "input_tokens": 300, "output_tokens": 40, "cached_tokens": 200, "turns": 5}
    assert task_fields(FINISHED) == {
        "id": "schema",
        "number": 1,
        "title": "Add a users table",
        "state": "finished",
        "agent": "claude",
        "role": "backend-systems-engineer",
        "priority": "high",
        "after": [],
        "branch": "orch/schema",
        "worktree": "/shop.orch/schema",
        "base": BASE,
        "tip": TIP,
        "attempts": 2,
        "attempt": {
            "number": 2,
            "agent": "claude",
            "base": BASE,
            "phase": "ended",
            "round": 2,
            "session": "8a0e",
            "resumed": False,
            "started": "2026-06-30T23:30:00Z",
            "seconds": 61.25,
            "ending": "completed",
            "outcome": None,
            "summary": "Done.",
            "cost": cost,
            "denials": ["Bash: git push"],
            "alarms": ["refs/heads/main"],
        },
        "checks": {
            "passed": False,
            "results": [
                {"name": "test", "exit_code": 0, "seconds": 1.5, "command": "pytest -q", "tree": TREE},
                {"name": "lint", "exit_code": None, "seconds": 0.0, "command": "ruff check", "tree": TREE},
            ],
        },
        "stale": False,
        "reason": "checks failed: lint",
        "cost": cost,
        "created": "2026-06-30T21:00:00Z",
        "comments": [
            {"file": "a.py", "line": 3, "text": "why?", "who": "Ada", "attempt": 1},
            {"text": "well", "who": None, "attempt": None},
        ],
        "past": [],
    }


def test_fields_that_apply_to_some_tasks_are_absent_from_the_others() -> None:
    """Absent means "does not apply": only a waiting task has a wake-up time, only a merged one its commit."""
    wake = datetime(2026, 7, 1, 5, 0, 0, 250_000, tzinfo=UTC)
    one = with_fields(QUEUED, wake=wake, merged_as=NEW, adopted=True, paths=("src/**",))
    more = {name: value for name, value in task_fields(one).items() if name not in task_fields(QUEUED)}
    assert more == {"wake": "2026-07-01T05:00:00.250Z", "merged_as": NEW, "adopted": True, "paths": ["src/**"]}


def test_details_are_a_task_with_what_was_asked() -> None:
    """`task` prints the fields of `status`, then the prompt, and what a plan said."""
    task = with_fields(FINISHED, goal="A shop", acceptance=("it works",))
    asked = {"prompt": "Add a users table", "goal": "A shop", "acceptance": ["it works"]}
    assert list(plain(TaskDetailsJson.of(task)).items()) == list({**task_fields(task), **asked}.items())
    assert plain(TaskDetailsJson.of(QUEUED)) == {**task_fields(QUEUED), "prompt": "Serve the API"}


@pytest.mark.parametrize("state", State)
def test_every_state_is_its_word(state: State) -> None:
    """Programs get the words of the contract, in each state."""
    assert task_fields(msgspec.structs.replace(QUEUED, state=state))["state"] == state.value


def test_passed_is_null_where_nothing_was_checked() -> None:
    """No false green: without a check, whether it passed is not known."""
    green = msgspec.structs.replace(FINISHED, results=FINISHED.results[:1])
    assert task_fields(green)["checks"]["passed"] is True
    assert task_fields(QUEUED)["checks"]["passed"] is None


def test_status() -> None:
    """`gitorch/status/1` holds the repository, the integration branch and every task."""
    found = plain(
        StatusAnswer.of([FINISHED, QUEUED], repository=Path("/shop"), integration="orch/integration", tip=None)
    )
    assert found == {
        "schema": "gitorch/status/1",
        "repository": "/shop",
        "integration": {"branch": "orch/integration", "oid": None},
        "tasks": [task_fields(FINISHED), task_fields(QUEUED)],
        "conflicts": [],
        "candidate": None,
        "moved": [],
        "sandbox": None,
        "disk": None,
    }


def a_plan(**fields: Any) -> MergePlan:
    return MergePlan(
        before=BASE,
        onto=BASE,
        conflicts=(MergeConflict(task=QUEUED, paths=("a.py",), partners=(FINISHED.id,)),),
        blocked=(Blocked(QUEUED, "it has no commits"),),
        failures=(Failure(QUEUED, "test"),),
        **fields,
    )


def test_a_merge() -> None:
    """`gitorch/merge/1` tells for each task what became of it, and of which commit which one came."""
    step = MergeStep(task=FINISHED, replayed=Replayed(NEW, ((TIP, NEW),)), paths=frozenset(["a.py"]))
    assert plain(MergeAnswer.of(a_plan(steps=(step,), results=FINISHED.results[:1]), "orch/integration")) == {
        "schema": "gitorch/merge/1",
        "integration": {"branch": "orch/integration", "before": BASE, "after": NEW},
        "merged": [{"id": "schema", "old_tip": TIP, "new_tip": NEW, "commits": [{"old": TIP, "new": NEW}]}],
        "conflicted": [{"id": "api", "paths": ["a.py"], "with": ["schema"]}],
        "failed": [{"id": "api", "check": "test", "with": [], "alone": None, "output": None}],
        "held": [{"id": "api", "reason": "it has no commits"}],
        "checks": [{"name": "test", "exit_code": 0, "seconds": 1.5, "command": "pytest -q", "tree": TREE}],
        "resolved": [],
        "dry_run": False,
    }


def test_a_conflict_has_its_stages_and_hunks() -> None:
    """A program gets git's stages and the places in the files, beside the paths and partners."""
    stages = tuple(Stage("a.py", number, "100644", Oid(f"{number}" * 40)) for number in (1, 2, 3))
    clash = MergeConflict(
        task=QUEUED, paths=("a.py",), partners=(), conflict=Conflicted(commit=TIP, paths=("a.py",), stages=stages)
    )
    assert plain(MergeConflictJson.of(clash, (Hunk(path="a.py", line=3, ours=("x",), theirs=("y", "z")),))) == {
        "id": "api",
        "paths": ["a.py"],
        "with": [],
        "commit": TIP,
        "stages": [
            {"path": "a.py", "stage": number, "mode": "100644", "oid": f"{number}" * 40} for number in (1, 2, 3)
        ],
        "hunks": [{"path": "a.py", "line": 3, "ours": ["x"], "theirs": ["y", "z"]}],
    }


def test_a_failure_names_who_it_fails_with() -> None:
    """Green alone and red together is told apart from red alone, and from not known; a flake is marked."""
    failure = Failure(QUEUED, "test", partners=(FINISHED.id,), alone=True, output="merges/x/stdout")
    assert plain(CheckFailureJson.of(failure)) == {
        "id": "api",
        "check": "test",
        "with": ["schema"],
        "alone": True,
        "output": "merges/x/stdout",
    }
    flake = msgspec.structs.replace(FINISHED.results[0], flaky=True)
    assert plain(MergeAnswer.of(a_plan(flakes=(flake,)), "orch/integration"))["flakes"] == [plain(CheckJson.of(flake))]
    assert plain(CheckJson.of(flake))["flaky"] is True


def test_a_merge_of_nothing_moves_nothing() -> None:
    """Where nothing went in, `after` is `before`; a red base is named."""
    found = plain(MergeAnswer.of(a_plan(red_base="test"), "orch/integration"))
    assert found["integration"] == {"branch": "orch/integration", "before": BASE, "after": BASE}
    assert (found["merged"], found["red_base"]) == ([], "test")


def test_a_card() -> None:
    """A binary file has no line counts: null, not 0."""
    changes = (FileChange("a.py", "M", 3, 1), FileChange("logo.png", "A", None, None, size=70))
    one = ReviewCard(
        task=FINISHED, changes=changes, commits=("c1 x",), signals=(RiskSignal(3, "bad", "a.py"), RiskSignal(1, "odd"))
    )
    found = plain(CardJson.of(one))
    assert plain(DiffAnswer.of(one)) == {"schema": "gitorch/diff/1", **found}
    assert {name: found[name] for name in ("risk", "added", "removed", "commits")} == {
        "risk": "high",
        "added": 3,
        "removed": 1,
        "commits": ["c1 x"],
    }
    assert found["signals"] == [{"weight": 3, "text": "bad", "path": "a.py"}, {"weight": 1, "text": "odd"}]
    assert found["files"][1] == {"path": "logo.png", "status": "A", "added": None, "removed": None, "size": 70}


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (
            LimitReached("merge-conflict", "api conflicts", why="a.py", fix=("orchestrate retry api",)),
            {
                "code": "merge-conflict",
                "what": "api conflicts",
                "why": "a.py",
                "fix": ["orchestrate retry api"],
                "exit": 8,
            },
        ),
        (InvalidInput("usage", "no"), {"code": "usage", "what": "no", "why": None, "fix": [], "exit": 2}),
        (GitorchError("unexpected", "boom"), {"code": "unexpected", "what": "boom", "why": None, "fix": [], "exit": 1}),
    ],
)
def test_an_error(failure: GitorchError, expected: dict[str, Any]) -> None:
    """`gitorch/error/1` carries the exit code of its kind."""
    assert plain(ErrorAnswer.of(failure)) == {"schema": "gitorch/error/1", **expected}


def test_all_of_it_is_json_on_one_line() -> None:
    """Every shape is plain JSON values, on one line, and text comes back byte for byte."""
    words = "`x`; 'q' \"w\" \n\t\\ 日本 🎉 \x1b[2J \u202e"
    task = change_spec(FINISHED, title=words)
    text = line(StatusAnswer.of([task], repository="/shop", integration="b", tip=TIP))
    assert "\n" not in text
    assert "\x1b" not in text
    assert json.loads(text)["tasks"][0]["title"] == words
    assert now().endswith("Z")
