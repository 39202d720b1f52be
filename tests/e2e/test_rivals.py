"""Rival attempts, from `submit` to the merge."""

from __future__ import annotations

from pathlib import Path

from tests.support.checked import checked
from tests.support.cli import OBEDIENT, Cli, does, saved
from tests.support.git import git

AGENTS = """
[agents.long]
kind = "command"
command = ["/bin/sh", "-c", "seq 20 > one.txt"]
[agents.bad]
kind = "command"
command = ["/bin/sh", "-c", "echo 1 > two.txt"]
"""


def test_one_of_three_is_picked(repository_folder: Path) -> None:
    """Checks, then the smallest diff; the others keep their commits; dependants follow; the pick can be undone."""
    cli = Cli(repository_folder, OBEDIENT + AGENTS)
    checked(cli, test="test -f one.txt")
    prompt = str(does("One", saved("one.txt", "1"))["prompt"])
    assert "did you mean long" in cli.error("submit", "--agents", "lung,sh", prompt, exit=2)["what"]
    tasks = cli.json("submit", "--agents", "long,sh,bad", prompt)["tasks"]
    assert [(task["id"], task["agent"], task["rival"]["number"]) for task in tasks] == [
        ("one", "long", 1),
        ("one-2", "sh", 2),
        ("one-3", "bad", 3),
    ]
    cli("submit", "--after", "one", str(does("Next", "cp one.txt next.txt")["prompt"]))
    assert cli.error("approve", "one", exit=5)["code"] == "rivals-at-work"
    cli.run(ok=6)
    board = cli.tasks()
    assert [board[name]["state"] for name in ("one", "one-2", "one-3", "next")] == [*["finished"] * 3, "queued"]
    assert {card["proposed"] for card in cli.json("review")["tasks"]} == {"one-2"}
    assert {entry["id"] for entry in cli.json("status")["candidate"]["left_out"]} == {"one", "one-3"}
    text = cli("task", "one").text
    assert "2*" in text
    assert "orchestrate approve one picks it, and --pick N another" in " ".join(text.split())
    assert "1 (one), 2 (one-2), 3 (one-3)" in cli.error("approve", "one", "--pick", "4", exit=2)["why"]

    tips = {name: board[name]["tip"] for name in ("one", "one-2", "one-3")}
    answer = cli.json("approve", "one")
    assert [task["id"] for task in answer["tasks"]] == ["one-2"]
    assert {task["id"]: task["state"] for task in answer["rivals"]} == {"one": "rejected", "one-3": "rejected"}
    assert cli.tasks()["next"]["after"] == ["one-2"]
    for name in ("one", "one-3"):
        assert git("rev-parse", f"refs/gitorch/attempts/{name}/1", cwd=cli.folder) == tips[name]
    cli("undo")
    assert {name: task["state"] for name, task in cli.tasks().items()} == {
        **dict.fromkeys(tips, "finished"),
        "next": "queued",
    }
    assert git("for-each-ref", "refs/gitorch/attempts", cwd=cli.folder) == ""

    cli("approve", "one", "--pick", "1")
    assert cli.tasks()["next"]["after"] == ["one"]
    cli("approve", "one-2", ok=5)
    cli("undo")
    cli("approve", "one-2")
    cli.run()
    assert git("show", "orch/next:next.txt", cwd=cli.folder) == "1"
    cli("approve", "next")
    assert [task["id"] for task in cli.json("merge")["merged"]] == ["one-2", "next"]
    cli("cleanup", "--yes")
    assert cli.json("history", "one")["verdicts"][0]["comments"][0]["text"] == "one-2 was picked"
    assert git("rev-parse", "refs/gitorch/attempts/one/1", cwd=cli.folder) == tips["one"]
