"""kill -9 inside questions, restacks and `apply`: the next commands end where they would have, and no words are lost.

`GITORCH_KILLS=1 pytest tests/faults/test_kill_morning.py` kills before every step; otherwise before one of each.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.faults.invariants import known, verify
from tests.faults.kill_points import SHARES, command, shared, steps_of_share
from tests.faults.killing import killed_at, steps_of
from tests.support.cli import OBEDIENT, Cli, does, settle
from tests.support.git import git

Tasks = Mapping[str, Mapping[str, Any]]

_CONFIG = f'{OBEDIENT}[checks]\ntest = "! grep -q bad *.txt"\n'
_LOW = """\
if git log --format=%s | grep -q "^Low"; then sed -i s/five/FIVE/ low.txt; git commit -qam "Low 2"
else printf 'one\\ntwo\\nthree\\nfour\\nfive\\n' > low.txt; git add -A; git commit -qm Low; fi"""
_WORDS = "looks good so far"
"""A comment that waits on the task that builds on the other one."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """A command that is killed, how its repository is made, and whether it has to be given again afterwards."""

    prepare: Callable[[Cli], object]
    words: tuple[str, ...]
    is_done: Callable[[Tasks], bool] = lambda _tasks: False


def _asked(cli: Cli) -> None:
    script = "#!do\necho 'Answer 1: since'; echo y > meddled.txt; git add -A; git commit -qm Meddled\n#!end"
    cli("comment", "low", "low.txt:1", "-m", f"?? why\n{script}")


def _sent(cli: Cli) -> None:
    _asked(cli)
    cli("revise", "low")


def _by_hand(cli: Cli) -> None:
    low = Path(cli.tasks()["low"]["worktree"])
    (low / "low.txt").write_text("one\ntwo\nthree\nfour\nfive\nsix\n")
    git("commit", "-qam", "By hand", cwd=low)


def _suggested(cli: Cli) -> None:
    cli("comment", "low", "low.txt:2", "-m", "two is no word\n```suggestion\nsecond\n```")
    cli("comment", "low", "low.txt:4", "-m", "only words")


def _is_asked(tasks: Tasks) -> bool:
    return bool(tasks["low"]["state"] == "queued")


def _is_applied(tasks: Tasks) -> bool:
    return not any("suggestion" in comment for comment in tasks["low"]["comments"])


ACTS = {
    "ask": Act(prepare=_asked, words=("revise", "low"), is_done=_is_asked),
    "answer": Act(prepare=_sent, words=("run",)),
    "restack": Act(prepare=_by_hand, words=("check", "low")),
    "restack in a run": Act(prepare=lambda cli: cli("revise", "low", "-m", "shout"), words=("run",)),
    "apply": Act(prepare=_suggested, words=("apply", "low"), is_done=_is_applied),
}


class Site:
    """A repository with two finished tasks, one on the other, which can be put back."""

    def __init__(self, folder: Path, act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GITORCH_SANDBOX_MODE", "off")
        monkeypatch.setenv("GITORCH_RUN_TRY_BASE", "false")
        self.top = folder.with_name("top")
        self.top.mkdir()
        self.cli, self.act = Cli(folder.rename(self.top / "repo"), _CONFIG, GITORCH_SANDBOX_MODE="off"), act
        self.cli.queue(
            does("Low", _LOW, id="low"),
            does("Mid", "echo mid > mid.txt; git add -A; git commit -qm Mid", id="mid", after=["low"]),
        )
        self.cli.run()
        self.cli("comment", "mid", "-m", _WORDS)
        act.prepare(self.cli)
        self.kept = self.top.with_name("kept")
        subprocess.run(["cp", "-a", self.top, self.kept], check=True)

    def reset(self) -> None:
        """Put everything back."""
        settle(self.cli.folder)
        shutil.rmtree(self.top)
        subprocess.run(["cp", "-a", self.kept, self.top], check=True)

    def work(self) -> None:
        """Do what the command does, in this process."""
        command(self.cli.folder, self.act.words)

    def converge(self) -> None:
        """Give the command again if it has not happened, and run what is queued then."""
        if not self.act.is_done(self.cli.tasks()):
            self.cli(*self.act.words)
        self.cli.run()


@pytest.mark.parametrize(("name", "share"), shared(ACTS))
def test_killed_in_a_review_the_next_commands_end_the_same(
    name: str, share: int, repository_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Branches, checks, verdicts, comments and answers are those of a command that was not killed."""
    site = Site(repository_folder, ACTS[name], monkeypatch)
    words, count = _words(site.cli), 0
    steps = steps_of_share(share) if SHARES else (2 * steps_of(site.work, site.top) // 3,)
    site.reset()
    site.converge()
    expected = _facts(site.cli)
    assert all(fact["is_based"] and fact["passed"] and not fact["stale"] for fact in expected.values()), expected
    for step in steps:
        site.reset()
        must_hold = known(site.cli.folder)
        if not killed_at(site.work, step, folder=site.top):
            break
        _verify_words(site.cli, words)
        site.converge()
        assert _facts(site.cli) == expected, step
        verify(must_hold)
        count += 1
    print(f"{name}: killed {count} times")
    assert count


def _words(cli: Cli) -> set[str]:
    """Return the comments and the questions of all tasks."""
    tasks = cli.tasks().values()
    return {comment["text"] for task in tasks for comment in (*task["comments"], *task.get("answered", []))}


def _verify_words(cli: Cli, before: set[str]) -> None:
    """No words are lost: what an attempt has answered is in the note of its verdict, what was applied in a commit."""
    log = git("log", "--all", "--notes=gitorch", "--format=%B%N", cwd=cli.folder)
    assert not [words for words in before - _words(cli) if words not in log]


def _facts(cli: Cli) -> dict[str, dict[str, Any]]:
    """Return what must be the same in the end, without times and commit ids."""
    settle(cli.folder)
    tasks = cli.tasks()
    below = {"low": "main", "mid": tasks["low"]["tip"]}
    return {name: _fact(cli, task, below[name]) for name, task in tasks.items()}


def _fact(cli: Cli, task: Mapping[str, Any], below: str) -> dict[str, Any]:
    notes = git("notes", "--ref=gitorch", "show", task["tip"], cwd=cli.folder)
    return {
        "is_based": task["base"] == git("rev-parse", below, cwd=cli.folder),
        "passed": task["checks"]["passed"],
        "comments": [comment["text"] for comment in task["comments"]],
        "answers": [comment.get("answer") for comment in task.get("answered", [])],
        "subjects": git("log", "--format=%s", f"{task['base']}..orch/{task['id']}", cwd=cli.folder),
        "tree": git("rev-parse", f"{task['tip']}^{{tree}}", cwd=cli.folder),
        "status": git("status", "--porcelain", cwd=Path(task["worktree"])),
        "verdicts": notes.count('"verdict":'),
        **{key: task[key] for key in ("state", "stale", "reason")},
    }
