"""kill -9 in the middle of `approve --pick`: one rival is picked and the others dropped, or nothing has happened."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from gitorch import services
from gitorch.model.naming import TaskId
from gitorch.model.task import RivalSpec, State, change_spec
from gitorch.services.open import open_workspace
from gitorch.services.workspace import Workspace
from tests.faults.killing import killed_at
from tests.faults.test_kill_undo import Day
from tests.support.days import WHO, finished, submit, whole
from tests.support.git import git

RIVALS = ("one", "two", "three")
PICKED = 2


def judged(folder: Path) -> None:
    """Make two finished rivals and one that still waits; a task waits for the first of them."""
    library = finished(folder, *RIVALS[:2])
    submit(library, RIVALS[2], "next")
    members = [services.lookup.find_task(library, name) for name in RIVALS]
    group = members[0].id
    spec = [RivalSpec(group=group, number=number + 1, of=len(members)) for number in range(len(members))]
    rivals = [change_spec(task, rival=place) for task, place in zip(members, spec, strict=True)]
    follower = change_spec(services.lookup.find_task(library, "next"), after=(group,))
    library.store.save([*rivals, follower])


def pick(library: Workspace) -> None:
    """Do what `approve one --pick 2` does."""
    task = services.reviewing.rivals.chosen(library, services.lookup.find_task(library, "one"), PICKED)
    services.reviewing.review.approve(library, [task], WHO, force=True)


def test_killed_at_any_step_a_rival_is_picked_or_none_is(repository_folder: Path) -> None:
    """Killed before each step in turn, the next command finds it whole; picking again then ends in the same state."""
    judged(repository_folder)
    day = Day(repository_folder)
    before = whole(repository_folder)
    pick(day.open())
    after = _facts(whole(repository_folder))
    assert after["states"] == dict(zip(RIVALS, (State.REJECTED, State.APPROVED, State.CANCELLED), strict=True)) | {
        "next": State.QUEUED
    }
    assert after["next"] == (TaskId("two"),)
    day.reset()
    outcomes, step = Counter[str](), 1
    while killed_at(lambda: pick(open_workspace(repository_folder)), step):
        found = day.now()
        happened = _facts(found) == after
        outcomes["it was picked" if happened else "nothing had moved"] += 1
        assert happened or found == before, step
        if not happened and step % 4 == 0:
            pick(day.open())
            assert _facts(day.now()) == after, step
        if happened:
            _verify_kept(repository_folder)
        day.reset()
        step += 1
    print(dict(outcomes))
    assert set(outcomes) == {"it was picked", "nothing had moved"}


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    """Return what a pick changes: states, the task that waited, refs, and the number of notes on each commit."""
    tasks = found["tasks"]
    return {
        "states": {name: task.state for name, task in tasks.items()},
        "next": tasks["next"].spec.after,
        "refs": [line for line in found["refs"] if not line.startswith("refs/notes/")],
        "notes": sorted(note.count("\n") for note in found["notes"]),
    }


def _verify_kept(folder: Path) -> None:
    """The commits of the one that was not picked are under the ref of its attempt."""
    tip = git("rev-parse", "work/one", cwd=folder)
    assert git("for-each-ref", "--format=%(objectname)", "refs/gitorch/attempts/one/", cwd=folder) == tip
