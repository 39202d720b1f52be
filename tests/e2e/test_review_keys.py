"""A morning at a terminal: keys for hunks, marks, comments, the review file and the second look."""

from __future__ import annotations

from pathlib import Path

from tests.support import terminal
from tests.support.cli import Cli, does

_WORK = """\
if git log --format=%s | grep -q "^One"; then
  sed -i s/broken/fixed/ limits.py; git commit -qam Two; echo "Comment 1: done $(git rev-parse --short HEAD)"
else
  echo "broken = 1" > limits.py; echo "import limits" > a.py; git add -A; git commit -qm One
fi"""


@terminal.NEEDED
def test_a_morning_with_keys(repository_folder: Path, tmp_path: Path) -> None:
    """View, mark, comment, edit, send back; then see only what is new, and approve."""
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE="off")
    cli.queue(does("Work", _WORK, id="work"))
    cli.run()
    editor = tmp_path / "editor.sh"
    editor.write_text("#!/bin/sh\nsed -i -e '1i say fixed' \"$1\"\n")
    editor.chmod(0o755)
    environment = {**cli.environment, "VISUAL": str(editor), "PAGER": "cat", "NO_COLOR": "1"}
    with terminal.terminal(tmp_path, cli.folder, environment) as screen:
        screen.orchestrate("review", "work")
        assert "since then" not in screen.shows("Signals", "1/1 [d]iff [h]unks")
        screen.press("?")
        screen.shows("r  revise: send back with your comments", "s  this page, with your comments")
        screen.press("h")
        screen.shows("+++ b/limits.py", "commit ", "One", "+broken = 1", "1/2 [v]iewed")
        screen.press("v")
        screen.shows("+import limits", "1/1 [v]iewed")
        screen.clear()
        screen.press("?")
        assert "+import limits" not in screen.shows("u  remove the mark", "1/1 [v]iewed")
        screen.press("v")
        screen.shows("all hunks are viewed", "1/1 [d]iff")
        screen.press("h")
        screen.shows("all hunks are viewed, and shown again", "viewed 1/2 [v]iewed")
        screen.press("n")
        screen.shows("+import limits", "viewed 2/2 [v]iewed")
        screen.press("u")
        screen.shows("\n2/2 [v]iewed")
        screen.press("q")
        screen.press("c")
        screen.shows("1 comment waits to be sent")
        screen.press("q")
        screen.shows("1 comment to send: orchestrate revise work")
        screen.orchestrate("review", "work")
        screen.press("r")
        screen.shows("sent work back", "next: orchestrate run")
        screen.clear()
        screen.orchestrate("run", "-q")
        screen.orchestrate("review", "work")
        opened = screen.shows("attempt 2", "since it was sent back", "say fixed", "+fixed = 1", "1/1 [i] since then")
        assert "import limits" not in opened
        screen.clear()
        screen.press("i")
        shown = screen.shows("1 hunk to look at", "1 of 1", "say fixed", "done", "+fixed = 1", "[d]iff")
        assert "import limits" not in shown
        screen.press("a")
        screen.shows("approved work", "next: orchestrate merge --dry-run")
    assert cli.states() == {"work": "approved"}


@terminal.NEEDED
def test_an_editor_opens_the_worktree_and_may_fail(repository_folder: Path, tmp_path: Path) -> None:
    """`o` opens the worktree in it, `c` and `e` a text; if it fails, the review goes on."""
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE="off")
    cli.queue(does("Work", "echo 1 > a.py; git add -A; git commit -qm One", id="work"))
    cli.run()
    editor, opened = tmp_path / "editor.sh", tmp_path / "opened"
    editor.write_text(f'#!/bin/sh\nbasename "$1" >> {opened}\ntest -d "$1"\n')
    editor.chmod(0o755)
    environment = {**cli.environment, "VISUAL": str(editor), "GIT_EDITOR": str(editor), "PAGER": "cat", "NO_COLOR": "1"}
    with terminal.terminal(tmp_path, cli.folder, environment) as screen:
        screen.orchestrate("review", "work")
        for key in "oec":
            screen.shows("1/1 [d]iff [h]unks")
            screen.clear()
            screen.press(key)
            if key != "o":
                screen.shows("the editor failed, and nothing was changed")
        screen.shows("1/1 [d]iff [h]unks")
        screen.press("a")
        screen.shows("approved work")
    names = opened.read_text().split()
    assert [names[0], len(names)] == ["work", 3]


_BETWEEN = """\
#!/bin/sh
sed -i -e '/^> +three/a must: count to four' -e '1i fine so far' "$1"
"""


@terminal.NEEDED
def test_a_comment_on_a_line_of_a_hunk(repository_folder: Path, tmp_path: Path) -> None:
    """`c` shows the hunk in the editor: words between its lines are about these, words above them about the hunk."""
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE="off")
    script = "printf 'one\\ntwo\\nthree\\n' > n.txt; git add -A; git commit -qm One"
    cli.queue(does("Work", script, id="work"))
    cli.run()
    editor = tmp_path / "editor.sh"
    editor.write_text(_BETWEEN)
    editor.chmod(0o755)
    environment = {**cli.environment, "VISUAL": str(editor), "PAGER": "cat", "NO_COLOR": "1"}
    with terminal.terminal(tmp_path, cli.folder, environment) as screen:
        screen.orchestrate("review", "work")
        screen.shows("1/1 [d]iff")
        screen.press("h")
        screen.shows("+three", "1/1 [v]iewed")
        screen.press("c")
        screen.shows("commented on n.txt:1, n.txt:3")
    comments = cli.tasks()["work"]["comments"]
    assert [(comment["line"], comment.get("severity", ""), comment["text"]) for comment in comments] == [
        (1, "", "fine so far"),
        (3, "must", "count to four"),
    ]
