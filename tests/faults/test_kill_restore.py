"""kill -9 in the middle of `rescue restore`: the next one completes it, and overwrites nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.faults.invariants import known, verify
from tests.faults.kill_points import command
from tests.faults.killing import killed_at
from tests.support.cli import Cli, does

SAVED = {"a/b/one.txt": "one\n" * 4000, "two.txt": "two\n", "empty": "", "run.sh": "#!/bin/sh\n"}
WORDS = ("rescue", "restore", "one", "--to", "../restored")


def rescued(folder: Path) -> Cli:
    """Have a task that failed, with files that only its rescue point has once it was cleaned up."""
    cli = Cli(folder)
    cli.queue(does("One", "false", id="one"))
    cli.run(ok=6)
    worktree = folder.parent / "repo.orch" / "one"
    for name, text in SAVED.items():
        (worktree / name).parent.mkdir(parents=True, exist_ok=True)
        (worktree / name).write_text(text)
    (worktree / "run.sh").chmod(0o755)
    (worktree / "pointer").symlink_to("two.txt")
    cli("reject", "one")
    cli("cleanup", "--yes")
    return cli


def test_killed_at_any_step_the_next_restore_completes_it(repository_folder: Path) -> None:
    """Before each step in turn; the repository stays as it was."""
    cli = rescued(repository_folder)
    target = repository_folder.parent / "restored"
    must_hold = known(repository_folder)
    outcomes, step = Counter[str](), 1
    while killed_at(lambda: command(repository_folder, WORDS), step):
        state = _state(target)
        outcomes[state] += 1
        if state != "whole":
            cli(*WORDS)
        assert _state(target) == "whole", step
        assert list(target.glob(".gitorch*")) == []
        verify(must_hold)
        _remove(target)
        step += 1
    print(dict(outcomes))
    assert outcomes["begun"] > 5


def test_what_somebody_changed_since_is_not_overwritten(repository_folder: Path) -> None:
    cli = rescued(repository_folder)
    target = repository_folder.parent / "restored"
    step = 1
    while killed_at(lambda: command(repository_folder, WORDS), step) and not (target / "two.txt").exists():
        _remove(target)
        step += 1
    (target / "two.txt").write_text("mine\n")
    answer = cli(*WORDS, ok=5)
    assert "two.txt has changed since a restore was interrupted" in answer.stderr
    assert (target / "two.txt").read_text() == "mine\n"


def _state(target: Path) -> str:
    if not target.exists() or not any(target.iterdir()):
        return "nothing"
    is_whole = all((target / name).is_file() and (target / name).read_text() == text for name, text in SAVED.items())
    return "whole" if is_whole and (target / "pointer").is_symlink() and not [*target.glob(".gitorch*")] else "begun"


def _remove(target: Path) -> None:
    for path in sorted(target.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    if target.exists():
        target.rmdir()
