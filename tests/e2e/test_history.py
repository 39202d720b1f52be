"""Earlier nights, and tasks that have left the board."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.cli import Cli, does, saved
from tests.support.git import git


def test_removed_tasks_still_answer(repository_folder: Path) -> None:
    """After `cleanup`: `history`, `task`, `log`, `diff`; without the operation log and the trash, what notes know."""
    cli = Cli(repository_folder)
    cli.queue(does("Keep", saved("keep.txt", "1"), "echo kept it"), does("Drop", saved("drop.txt", "2")))
    cli.run()
    tip = git("rev-parse", "orch/keep", cwd=cli.folder)
    cli("comment", "keep", "keep.txt:1", "-m", "fine")
    cli("approve", "keep", "--force")
    cli("reject", "drop", "-m", "not needed")
    cli("merge")
    removed = cli("cleanup", "--yes").stderr
    assert "removed " in removed
    assert ": merged as " in removed

    listed = cli.json("history")
    (run,) = listed["runs"]
    assert (run["killed"], run["active"], run["stopped"]) == (False, False, None)
    assert {task["id"]: task["state"] for task in run["tasks"]} == {"keep": "finished", "drop": "finished"}
    assert {task["id"]: (task["state"], bool(task["removed"])) for task in listed["tasks"]} == {
        "keep": ("merged", True),
        "drop": ("rejected", True),
    }
    text = cli("history").text
    assert "2 finished" in text
    assert "rejected" in text

    past = cli.json("history", "keep")
    assert (past["on_board"], past["task"]["tip"]) == (False, tip)
    assert [verdict["verdict"] for verdict in past["verdicts"]] == ["approve"]
    assert [comment["text"] for comment in past["task"]["comments"]] == ["fine"]
    (commit,) = past["commits"]
    assert commit["merged_as"] == git("rev-parse", "orch/integration", cwd=cli.folder)
    assert tip in past["refs"].values()
    page = cli("history", "drop").text
    assert "not needed" in page
    assert "cleaned up" in page

    assert cli.json("task", "drop")["removed"] == cli.json("history", "drop")["removed"]
    assert "cleaned up" in cli("task", "keep").text
    assert "kept it" in cli("log", "keep").text
    assert "+1" in cli("diff", "keep").text
    assert cli.json("diff", "drop")["files"][0]["path"] == "drop.txt"
    assert cli.error("task", "kepe", exit=3)["why"] == "there is keep"

    shutil.rmtree(cli.folder / ".git" / "gitorch" / "trash")
    assert "trash" in cli.error("log", "keep", exit=3)["why"]
    (cli.folder / ".git" / "gitorch" / "operations.jsonl").unlink()
    for name, state in (("keep", "merged"), ("drop", "rejected")):
        noted = cli.json("history", name)
        assert (noted["task"]["state"], noted["removed"], noted["logs"]) == (state, None, None)
        assert noted["task"]["prompt"].startswith(name.title())
    assert cli.json("history", "keep")["task"]["tip"] == tip
    assert "+1" in cli("diff", "keep").text
