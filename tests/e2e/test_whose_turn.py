"""What `status` and `review --list` say first: whose turn it is, in an order with its reasons, and the same of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli, does
from tests.support.git import commit


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    commit(repository_folder, "Shared", {"shared.txt": "base\n"})
    return Cli(repository_folder, GITORCH_SANDBOX_MODE="off")


def test_status_and_review_agree_on_order_and_conflicts(cli: Cli) -> None:
    """What unlocks others comes first; a predicted conflict is in both; the size of each diff is shown."""
    for name in ("first", "second"):
        cli.queue(does(name, f"echo {name} > shared.txt; git commit -qam {name}"))
    cli.queue(does("base", "seq 3 > base.txt; git add -A; git commit -qm base", id="base"))
    cli.queue(does("top", "seq 2 > top.txt; git add -A; git commit -qm top", id="top", after=["base"]))
    cli.run()
    tasks = cli.tasks()
    assert (tasks["base"]["diff"], tasks["first"]["diff"]) == ({"added": 3, "removed": 0}, {"added": 1, "removed": 1})
    lines = cli("status").text.splitlines()
    start = next(
        number for number, line in enumerate(lines) if line.startswith("4 tasks: 4 to review, 2 will conflict")
    )
    assert start <= 3  # after what confines agents
    rows = {line.split()[1]: line for line in lines[start + 2 : start + 6]}
    assert next(iter(rows)) == "base"
    assert "+3 -0" in rows["base"]
    assert "review: unlocks 1 task" in rows["base"]
    assert "will conflict with second" in rows["first"]
    cards = cli.json("review", "--list")["tasks"]
    assert cards[0]["task"]["id"] == "base"
    assert cards[0]["unlocks"] == ["top"]
    first = next(card for card in cards if card["task"]["id"] == "first")
    assert {"weight": 2, "text": "will conflict with second", "path": "shared.txt", "kind": "conflict-task"} in first[
        "signals"
    ]
    listed = cli("review", "--list").text.splitlines()
    assert "unlocks top" in listed[1]
    assert "will conflict with" in listed[2]
    assert cli().text == cli("status").text


def test_without_tasks_the_bare_command_is_help(cli: Cli, tmp_path: Path) -> None:
    """Where there is nothing yet, or no repository, the bare command shows the commands."""
    for folder in (cli.folder, tmp_path):
        assert cli(cwd=folder).text.startswith("Usage:")
