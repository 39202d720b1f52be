"""Finished tasks follow what they build on: rebased at once, checked again, and named where that does not work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import OBEDIENT, Cli, does
from tests.support.git import git
from tests.support.prepared import PreparedNight

_CHECKED = f'{OBEDIENT}[checks]\ntest = "! grep -q bad *.txt"\n'
_LOW = """\
if git log --format=%s | grep -q "^Low"; then sed -i s/five/FIVE/ low.txt; git commit -qam "Low 2"
else printf 'one\\ntwo\\nthree\\nfour\\nfive\\n' > low.txt; git add -A; git commit -qm Low; fi"""


def _commit_by_hand(cli: Cli, name: str, path: str, text: str) -> None:
    worktree = Path(cli.tasks()[name]["worktree"])
    (worktree / path).write_text(text)
    git("commit", "-qam", "By hand", cwd=worktree)


def spend(folder: Path) -> Cli:
    """Three finished tasks, one on the other, and one that will conflict with a change of the first."""
    cli = Cli(folder, _CHECKED, GITORCH_SANDBOX_MODE="off")
    cli.queue(
        does("Low", _LOW, id="low"),
        does("Mid", "echo mid > mid.txt; git add -A; git commit -qm Mid", id="mid", after=["low"]),
        does("Top", "echo top > top.txt; git add -A; git commit -qm Top", id="top", after=["mid"]),
        does("Clash", "sed -i s/five/5/ low.txt; git commit -qam Clash", id="clash", after=["low"]),
    )
    cli.run()
    return cli


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, _template: Path) -> PreparedNight:
    return PreparedNight(tmp_path_factory.mktemp("prepared"), _template, spend)


@pytest.fixture
def cli(night: PreparedNight, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return night.restore(monkeypatch)


def based(cli: Cli, tasks: dict[str, dict[str, Any]]) -> dict[str, bool]:
    """Return whether each task is on the tip of the one below it."""
    below = {"mid": "low", "top": "mid", "clash": "low"}
    return {name: tasks[name]["base"] == tasks[lower]["tip"] for name, lower in below.items()}


def test_a_second_attempt_takes_its_dependants_along(cli: Cli) -> None:
    """Clean: moved, checked, with notes, worktree and the earlier tip kept. Conflicting: named. `undo` is exact."""
    before = cli.tasks()
    cli("comment", "mid", "-m", "looks good so far")
    cli("revise", "low", "-m", "shout")
    assert cli.tasks()["mid"]["stale"] is True
    cli.run()
    tasks = cli.tasks()
    assert based(cli, tasks) == {"mid": True, "top": True, "clash": False}
    for name in ("mid", "top"):
        task = tasks[name]
        assert (task["state"], task["stale"], task["checks"]["passed"]) == ("finished", False, True), task
        assert task["tip"] != before[name]["tip"]
        assert git("show", f"orch/{name}:low.txt", cwd=cli.folder).endswith("FIVE")
        assert git("log", "--format=%s", f"{task['base']}..{task['tip']}", cwd=cli.folder) == name.capitalize()
        worktree = Path(task["worktree"])
        assert (git("rev-parse", "HEAD", cwd=worktree), git("status", "--porcelain", cwd=worktree)) == (task["tip"], "")
        kept = git("for-each-ref", "--format=%(objectname)", f"refs/gitorch/trash/{name}/", cwd=cli.folder)
        assert kept == before[name]["tip"]
        note = git("notes", "--ref=gitorch", "show", task["tip"], cwd=cli.folder)
        assert '"kind":"attempt"' in note
        assert '"kind":"check"' in note
    assert len(tasks["mid"]["comments"]) == 1
    clash = tasks["clash"]
    assert (clash["state"], clash["stale"], clash["tip"]) == ("finished", True, before["clash"]["tip"])
    assert clash["reason"].startswith("not rebased: it conflicts with low in low.txt")
    assert clash["restack"] == {"rebased_on": [], "problem": "it conflicts with low in low.txt"}
    assert "not rebased: it conflicts with low in low.txt" in cli("status").text
    assert [cli.json("undo")["operation"]["what"] for _ in range(3)] == [
        "check top",
        "check mid",
        "restack mid, top",
    ]
    undone = cli.tasks()
    assert {name: undone[name]["tip"] for name in ("mid", "top")} == {
        name: before[name]["tip"] for name in ("mid", "top")
    }
    assert git("rev-parse", "HEAD", cwd=Path(undone["mid"]["worktree"])) == before["mid"]["tip"]
    assert [undone[name]["stale"] for name in ("mid", "top", "clash")] == [True] * 3
    cli.run()
    assert based(cli, cli.tasks()) == {"mid": True, "top": True, "clash": False}
    cli("approve", "low", "mid", "top")
    merged = cli.json("merge")
    assert [entry["id"] for entry in merged["merged"]] == ["low", "mid", "top"]


def test_a_commit_by_hand_takes_its_dependants_along(cli: Cli) -> None:
    """`check`, `approve` and `apply` of a task restack what builds on it; the next run checks that."""
    low = Path(cli.tasks()["low"]["worktree"])
    (low / "low.txt").write_text("one\ntwo\nthree\nfour\nfive\nsix\n")
    git("commit", "-qam", "By hand", cwd=low)
    said = cli("check", "low").stderr
    assert "mid was rebased on the new work of low; its checks run in the next run" in said
    tasks = cli.tasks()
    assert based(cli, tasks) == {"mid": True, "top": True, "clash": False}
    assert tasks["mid"]["checks"]["passed"] is None
    assert cli.error("approve", "mid", exit=5)["code"] == "checks-failed"
    cli.run()
    assert cli.tasks()["mid"]["checks"]["passed"] is True
    cli("comment", "mid", "mid.txt:1", "-m", "```suggestion\nbad\n```")
    cli("apply", "mid", ok=6)
    assert based(cli, cli.tasks())["top"] is True
    cli.run(ok=6)
    top = cli.tasks()["top"]
    assert (top["checks"]["passed"], top["reason"]) == (False, "checks failed: test")


@pytest.mark.parametrize("words", [("diff", "low"), ("review", "low"), ("diff", "low", "--json")])
def test_a_look_at_a_commit_by_hand_takes_its_dependants_along(cli: Cli, words: tuple[str, ...]) -> None:
    """`status` says at once that they are stale and moves nothing; who looks at the commit has them rebased on it."""
    before = cli.tasks()
    _commit_by_hand(cli, "low", "low.txt", "zero\none\ntwo\nthree\nfour\nfive\n")
    assert [task["stale"] for task in cli.tasks().values()] == [False, True, True, True]
    assert "1 commit by Una User since attempt 1" in cli("status").text
    program = {"GITORCH_CLIENT": "a program"}
    cli(*words, env=program)
    assert git("rev-parse", "orch/mid", cwd=cli.folder) == before["mid"]["tip"]
    said = cli(*words).stderr
    assert "warning:" not in said  # it is what happened, and nothing is wrong
    assert "mid was rebased on the new work of low; its checks run in the next run" in said
    assert "clash was rebased" in said
    tasks = cli.tasks()
    assert based(cli, tasks) == {"mid": True, "top": True, "clash": True}
    assert [task["stale"] for task in tasks.values()] == [False] * 4
    assert tasks["mid"]["restack"] == {"rebased_on": ["low"], "problem": None}
    assert "rebased" not in cli(*words).stderr
    cli.run()
    assert [task["checks"]["passed"] for task in cli.tasks().values()] == [None, True, True, True]
    assert "restack" not in cli.tasks()["mid"]
    cli("check", "low")
    cli("approve", "low", "mid", "top", "clash")
    assert len(cli.json("merge")["merged"]) == 4


def test_a_commit_by_hand_in_the_middle_takes_the_top_along(cli: Cli) -> None:
    """What a reviewer has seen of a task that itself builds on another one is what its dependants follow."""
    _commit_by_hand(cli, "mid", "mid.txt", "by hand\n")
    assert "top was rebased on the new work of mid" in cli("diff", "mid").stderr
    tasks = cli.tasks()
    assert based(cli, tasks) == {"mid": True, "top": True, "clash": True}
    assert [task["stale"] for task in tasks.values()] == [False] * 4


def test_what_was_changed_by_hand_is_not_moved_unseen(cli: Cli) -> None:
    """A dependant with a commit that nobody has looked at stays, with the reason, until it was; so does a dirty one."""
    tasks = cli.tasks()
    mid, low = Path(tasks["mid"]["worktree"]), Path(tasks["low"]["worktree"])
    git("commit", "-q", "--allow-empty", "-m", "By hand", cwd=mid)
    (low / "low.txt").write_text("zero\none\ntwo\nthree\nfour\nfive\n")
    git("commit", "-qam", "By hand", cwd=low)
    said = cli("diff", "low").stderr
    cli("approve", "low", "--force")
    assert "it was changed by hand, and nobody has looked at that" in said
    tasks = cli.tasks()
    assert (tasks["mid"]["stale"], tasks["top"]["stale"]) == (True, True)
    (mid / "mid.txt").write_text("not committed\n")
    cli("diff", "mid")
    cli.run()
    assert cli.tasks()["mid"]["stale"] is True
    assert "are changed and not committed" in cli.tasks()["mid"]["reason"]
    git("checkout", "-q", "mid.txt", cwd=mid)
    cli.run()
    tasks = cli.tasks()
    assert based(cli, tasks) == {"mid": True, "top": True, "clash": True}, [t["reason"] for t in tasks.values()]
    assert "1 commit by Una User since attempt 1: By hand" in cli("task", "mid").text


def test_it_can_be_turned_off(cli: Cli) -> None:
    """`merge.restack = false` leaves what builds on changed work as it is."""
    cli("revise", "low", "-m", "shout")
    cli.run("-c", "merge.restack=false")
    tasks = cli.tasks()
    assert (tasks["mid"]["stale"], based(cli, tasks)["mid"]) == (True, False)
