"""The second look at a task: what changed since the verdict, with comments, answers and marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli, does
from tests.support.git import git

_WORK = """\
if git log --format=%s | grep -q "^One"; then
  sed -i s/broken/fixed/ a.txt; git commit -qam "Two"; echo "Comment 1: done $(git rev-parse --short HEAD)"
  echo "Comment 2: kept, because it is fine"
else
  seq 1 40 > b.txt; echo broken > a.txt; git add -A; git commit -qm One
fi"""


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder, GITORCH_SANDBOX_MODE="off")


def test_a_second_look_shows_what_is_new(cli: Cli) -> None:
    """Marks and verdicts hold for hunks: a restack leaves nothing to look at, a fix leaves its hunk with the answer."""
    cli.queue(does("Work", _WORK, id="work"))
    cli.run()
    assert cli.error("diff", "work", "--since-review", exit=5)["code"] == "not-reviewed"
    marked = cli.json("review", "work", "--viewed", "b.txt")["tasks"][0]["hunks"]
    assert {hunk["path"]: hunk["viewed"] for hunk in marked} == {"a.txt": False, "b.txt": True}
    assert cli.error("review", "work", "--viewed", "nowhere.txt", exit=2)["code"] == "no-such-place"
    cli("comment", "work", "a.txt:1", "-m", "say fixed")
    cli("revise", "work", "-m", "also explain")
    brief_asks = cli.run().code == 0
    assert brief_asks
    look = cli.json("diff", "work", "--since-review")["since_review"]
    assert [hunk["place"] for hunk in look["hunks"]] == ["a.txt:1"]
    assert (look["verdict"], look["attempt"], look["gone"]) == ("revise", 1, 1)
    tip = git("rev-parse", "--short", "orch/work", cwd=cli.folder)
    assert [(entry["text"], entry["answer"]) for entry in look["comments"]] == [
        ("say fixed", {"kind": "done", "commit": tip}),
        ("also explain", {"kind": "kept", "text": "because it is fine"}),
    ]
    lines = cli("diff", "work", "--since-review").text.splitlines()
    assert lines[0] == (
        "since it was sent back (attempt 1), 1 hunk to look at, 1 change gone, 2 of 2 comments answered"
    )
    assert lines[-1] == "+fixed"
    # rebased by hand: the marks and the verdict are still known
    git("commit", "-q", "--allow-empty", "-m", "upstream", cwd=cli.folder)
    worktree = Path(cli.tasks()["work"]["worktree"])
    git("rebase", "-q", "main", cwd=worktree)
    marked = cli.json("diff", "work")["hunks"]
    assert {hunk["path"]: hunk["viewed"] for hunk in marked} == {"a.txt": False, "b.txt": True}
    cli("approve", "work")
    assert cli.json("diff", "work", "--since-review")["since_review"]["hunks"] == []
    undone = cli.json("review", "work", "--not-viewed", "b.txt:7")["tasks"][0]["hunks"]
    assert [hunk["viewed"] for hunk in undone] == [False, False]
