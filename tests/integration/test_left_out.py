"""What a check holds back in a merge is said afterwards, too, until the task is merged or sent back."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import Cli
from tests.support.git import commit, git

CHECK = ("-c", "checks={test = '! test -e bad'}")


def test_status_says_what_a_check_held_back(repository_folder: Path) -> None:
    """The next step is not another merge; an undo takes the reason back, and a later merge may take the task in."""
    cli = Cli(repository_folder)
    for name in ("good", "bad"):
        git("checkout", "--quiet", "-b", name, "main", cwd=cli.folder)
        commit(cli.folder, f"Add {name}", {name: "x\n"})
    git("checkout", "--quiet", "main", cwd=cli.folder)
    cli("adopt", "good", "bad")
    cli("approve", "--all", "--force")
    before = cli.tasks()
    cli(*CHECK, "merge", ok=6)
    assert cli.states() == {"bad": "approved", "good": "merged"}
    reason = "left out of the last merge: check test fails with it"
    assert cli.tasks()["bad"]["reason"] == reason
    shown = cli("status")
    assert "orchestrate revise bad" in shown.text
    assert "orchestrate merge " not in shown.text
    assert reason in " ".join(shown.text.split())
    cli(*CHECK, "merge", ok=6)
    cli("undo")
    assert cli.tasks() == before
    cli(*CHECK, "merge", ok=6)
    cli("merge", "--verify", "never")
    assert cli.states() == {"bad": "merged", "good": "merged"}
    assert not cli.tasks()["bad"]["reason"]
