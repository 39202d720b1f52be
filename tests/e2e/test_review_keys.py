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
        screen.shows("Signals", "1/1 [d]iff [h]unks")
        screen.press("?")
        screen.shows("r  revise: send back with your comments", "s  this page, with your comments")
        screen.press("h")
        screen.shows("+++ b/limits.py", "commit ", "One", "+broken = 1", "1/2 [v]iewed")
        screen.press("v")
        screen.shows("+import limits", "1/1 [v]iewed")
        screen.press("q")
        screen.press("c")
        screen.shows("1 comment waits to be sent")
        screen.press("r")
        screen.shows("sent work back")
        screen.orchestrate("run", "-q")
        screen.orchestrate("review", "work")
        screen.shows("attempt 2", "1/1 [d]iff")
        screen.clear()
        screen.press("i")
        shown = screen.shows("1 hunk to look at", "1 of 1", "say fixed", "done", "+fixed = 1", "[d]iff")
        assert "import limits" not in shown
        screen.press("a")
        screen.shows("approved work")
    assert cli.states() == {"work": "approved"}
