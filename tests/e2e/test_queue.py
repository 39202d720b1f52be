"""`edit` and `move`: what waits is changed, taken back by `undo`, and started in the order that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli, told


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def started(cli: Cli) -> list[str]:
    """Return the tasks in the order in which their attempts started."""
    tasks = sorted(cli.tasks().values(), key=lambda task: task["attempt"]["started"])
    return [task["id"] for task in tasks]


def test_several_texts_in_quotes_are_said_to_be_one_task(cli: Cli) -> None:
    """Words without quotes are one prompt, as for `echo`; two sentences were likely meant as two tasks."""
    assert "quotes" not in cli("submit", "Add", "a", "table").stderr
    assert "2 texts in quotes are one task" in cli("submit", "Add a table", "Add a page").stderr
    assert set(cli.states()) == {"add-a-table", "add-a-table-add-a-page"}


def test_what_waits_can_be_changed_and_moved(cli: Cli) -> None:
    """Edits and moves show in the answer, in `status` and in the run; `undo` takes each back exactly."""
    for name in ("one", "two", "three"):
        cli("submit", told(f"Task {name}", f"echo {name} > {name}.txt"))
    before = cli.tasks()

    moved = cli.json("move", "task-three", "--first")
    assert moved["queue"] == ["task-three", "task-one", "task-two"]
    assert cli.json("move", "1", "--after-in-queue", "task-two")["queue"] == ["task-three", "task-two", "task-one"]
    cli("undo")
    cli("undo")
    assert cli.tasks() == before
    cli("move", "task-three", "task-two", "--before", "task-one")
    assert cli.error("move", "task-one", "--before", "task-one", exit=5)["code"] == "not-queued"
    assert "give one of" in cli.error("move", "task-one", exit=2)["what"]

    edited = cli.json("edit", "task-one", "--after", "task-two", "--priority", "high", "--paths", "*.txt")["task"]
    assert (edited["after"], edited["priority"]) == (["task-two"], "high")
    cli("edit", "task-one", "--title", "First things first", "--paths", "")
    assert cli.tasks()["task-one"]["title"] == "First things first"
    assert cli.error("edit", "task-two", "--after", "task-one", exit=2)["code"] == "cycle"
    assert cli.error("edit", "task-two", "--agent", "clade", exit=2)["code"] == "unknown-agent"
    assert cli.error("edit", "task-two", exit=9)["code"] == "no-change"

    cli("edit", "task-two", "-m", "-", input=told("Task two", "echo new > two.txt").encode())
    cli.run("-m", "1")
    assert started(cli) == ["task-three", "task-two", "task-one"]
    assert "new" in cli("diff", "task-two").text

    meant = cli("edit", "task-two", "--check", "true").stderr
    assert "task-two is finished: its new checks have not run" in meant
    assert "counts for the next attempt" in cli.json("edit", "task-two", "-m", "Another thing")["meaning"]
    assert "order of the merge" in cli.json("edit", "task-three", "--priority", "low")["meaning"]
    cli("approve", "task-three", "--force")
    assert cli.error("edit", "task-three", "--check", "false", exit=5)["code"] == "approved"
