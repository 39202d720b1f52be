"""`diff --viewer`: the reviewer's own program on the range of a task, and the comments that it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import terminal
from tests.support.cli import OBEDIENT, Cli, does, saved
from tests.support.git import git

WRITES = """\
cat > {output} <<END
## new.txt:1 (+)
say it louder

## gone.txt:7 (-)
where is it?
END
echo {range} > seen; exit 10
"""


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder, GITORCH_SANDBOX_MODE="off")


def test_comments_come_back(cli: Cli) -> None:
    """The viewer gets the task's commits; its comments wait to be sent, also one whose place does not exist."""
    cli.queue(does("one", saved("new.txt", "hello"), id="one"))
    cli.run()
    cli.configure(OBEDIENT + f"[review]\nviewer = '''{WRITES}'''\n")
    cli("diff", "one", "--viewer", ok=10)
    task = cli.tasks()["one"]
    base, tip = (cli.folder / "seen").read_text().strip().split("..")
    assert (base, tip) == (task["base"], task["tip"])
    comments = cli.json("task", "one")["task"]["comments"]
    assert [(comment.get("file", ""), comment.get("line", 0)) for comment in comments] == [("new.txt", 1), ("", 0)]
    assert comments[1]["text"] == "gone.txt:7: where is it?"


REMOVED = """\
cat > {output} <<END
## old.txt:2 (-)
must: keep this line
END
"""


def test_a_comment_on_a_removed_line_says_so_everywhere(cli: Cli) -> None:
    """The line of the base is not that of the branch: JSON, the review and the brief of the agent tell them apart."""
    (cli.folder / "old.txt").write_text("a\nb\nc\n")
    git("add", "-A", cwd=cli.folder)
    git("commit", "-qm", "old", cwd=cli.folder)
    cli.queue(does("one", r"printf 'a\nc\nd\n' > old.txt; git commit -qam x", id="one"))
    cli.run()
    cli.configure(OBEDIENT + f"[review]\nviewer = '''{REMOVED}'''\n")
    cli("diff", "one", "--viewer", ok=10)
    (comment,) = cli.json("task", "one")["task"]["comments"]
    assert (comment["line"], comment["old"], comment["severity"]) == (2, True, "must")
    assert comment["text"] == "keep this line"
    assert "old.txt:2 · of the base · must" in cli("task", "one").text
    cli("revise", "one")
    brief = cli("task", "one", "--brief").text
    assert "`old.txt:2` (of the base, which the branch removes): keep this line" in brief
    assert "-b" in brief


_SERVER = """\
trap 'printf "## new.txt:1 (+)\\nsay it louder\\n" > {output}; exit 0' INT
echo "the viewer serves"; while :; do sleep 0.1; done
"""


@terminal.NEEDED
def test_a_viewer_that_is_ended_by_an_interrupt(cli: Cli, tmp_path: Path) -> None:
    """Ctrl-C is for the viewer, which may be a server, as difit is: its comments come back."""
    cli.queue(does("one", saved("new.txt", "hello"), id="one"))
    cli.run()
    cli.configure(f"{OBEDIENT}[review]\nviewer = {json.dumps(_SERVER)}\n")
    with terminal.terminal(tmp_path, cli.folder, cli.environment) as screen:
        screen.orchestrate("diff", "one", "--viewer")
        screen.shows("the viewer serves")
        screen.press("C-c")
        screen.shows("one: 1 comment from the viewer, 1 to be sent")
        cli.configure(f"{OBEDIENT}[review]\nviewer = 'echo again; sleep 100; : {{output}}'\n")
        screen.orchestrate("diff", "one", "--viewer")
        screen.shows("again")
        screen.press("C-c")
        screen.shows("one: the viewer wrote no comments")


def test_a_viewer_of_the_repository_needs_trust(cli: Cli) -> None:
    """A command in the repository's own file does not run before it is trusted; one that fails says so."""
    cli.queue(does("one", saved("new.txt", "hello"), id="one"))
    cli.run()
    assert cli("diff", "one", "--viewer", ok=5).stderr.startswith("error: no viewer is configured")
    (cli.folder / ".orchestrate.toml").write_text('[review]\nviewer = "touch ran; exit 3"\n')
    assert "trust" in cli("diff", "one", "--viewer", ok=5).stderr
    assert not (cli.folder / "ran").exists()
    cli("config", "trust", "--yes")
    assert "exit code 3" in cli("diff", "one", "--viewer", ok=5).stderr
    assert (cli.folder / "ran").exists()
