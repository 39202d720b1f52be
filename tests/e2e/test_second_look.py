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


_LONG = """\
if git log --format=%s | grep -q "^One"; then
  sed -i s/broken/fixed/ new.txt; git rm -q extra.txt; git commit -qam "Two"
else
  (seq 1 30; echo broken; seq 32 60) > new.txt; sed -i s/^5$/five/ old.txt; echo x > extra.txt
  git add -A; git commit -qm One
fi"""


def test_a_second_look_shows_only_the_lines_that_are_new(cli: Cli) -> None:
    """A fix in a long new file shows its line, also after a rebase; what others changed meanwhile is left out."""
    (cli.folder / "old.txt").write_text("".join(f"{number}\n" for number in range(1, 40)))
    git("add", "-A", cwd=cli.folder)
    git("commit", "-qm", "old", cwd=cli.folder)
    cli.queue(does("Work", _LONG, id="work"))
    cli.run()
    cli("revise", "work", "-m", "say fixed, and drop the extra file")
    cli.run()
    text = cli("diff", "work", "--since-review").text
    assert "1 hunk to look at, 2 changes gone" in text
    patch = text[text.index("diff --git") :].splitlines()
    assert [line for line in patch if line[:1] in "+-" and line[1:2] not in "+-"] == ["-broken", "+fixed", "-x"]
    look = cli.json("diff", "work", "--since-review")["since_review"]
    assert [hunk["place"] for hunk in look["hunks"]] == ["new.txt:1"]
    assert "+fixed\n" in look["patch"]
    assert "+30" not in look["patch"]

    (cli.folder / "old.txt").write_text("".join(f"{number}\n" for number in range(1, 39)) + "others\n")
    git("commit", "-qam", "upstream", cwd=cli.folder)
    git("rebase", "-q", "main", cwd=Path(cli.tasks()["work"]["worktree"]))
    patch = cli.json("diff", "work", "--since-review")["since_review"]["patch"]
    assert "+fixed\n" in patch
    assert "others" not in patch
    assert "+30" not in patch


_EDITOR = """\
#!/bin/sh
sed -i -e '/^> +broken/a must: say `fixed`;\\n```suggestion\\nfixed\\n```' "$1"
"""


def test_a_review_is_written_between_the_lines(cli: Cli, tmp_path: Path) -> None:
    """The editor gets the diff and the pending comments; exit 10 while comments wait; the agent gets one review."""
    cli.queue(does("Work", _WORK, id="work"))
    cli.run()
    editor = tmp_path / "editor.sh"
    editor.write_text(_EDITOR)
    editor.chmod(0o755)
    cli("comment", "work", "b.txt:3-5", "--severity", "should", "-m", "# shorter")
    cli("review", "-e", "work", ok=10, env={"VISUAL": str(editor)})
    comments = cli.tasks()["work"]["comments"]
    assert [{key: comment[key] for key in ("file", "line", "severity", "text")} for comment in comments] == [
        {"file": "a.txt", "line": 1, "severity": "must", "text": "say `fixed`;"},
        {"file": "b.txt", "line": 3, "severity": "should", "text": "# shorter"},
    ]
    assert (comments[0]["suggestion"], comments[1]["end"]) == ("fixed", 5)
    assert cli.error("review", "work", "-F", "-", exit=2, input=b"> +other\n")["code"] == "review-file"
    assert cli.error("review", "work", "-F", "-", exit=2, input=b"@ nowhere.txt:1\nx\n")["code"] == "no-such-file"
    # what a broken pipe leaves is no review that wants the comments gone
    assert cli.error("review", "work", "-F", "-", exit=2, input=b"\n")["code"] == "no-comment"
    assert cli.tasks()["work"]["comments"] == comments
    sent = cli("review", "work", "-F", "-", input=b"@gitorch revise\n> +broken\nmust: say fixed\n")
    assert "next: orchestrate run" in sent.stderr
    assert "work: queued, 1 earlier comment removed" in sent.stderr
    cli.run()
    brief = cli("task", "work", "--brief").text
    assert "Comment 1. `a.txt:1`: say fixed\n\n(must: it is not accepted without this)" in brief
    assert "```\n+broken\n```" in brief
