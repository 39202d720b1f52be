"""`uninstall` leaves a repository as it was, but for branches; `cleanup` says what proves that a task can go."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import fingerprints
from tests.support.cli import Cli, does, saved
from tests.support.git import git

_BRANCHES = ("heads/orch/", "logs/refs/heads/orch/")


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    cli = Cli(repository_folder)
    return cli


def state(cli: Cli) -> tuple[dict[str, str], set[str]]:
    """Return the fingerprint of what is the user's, with all refs, and the files of git's folder, but for objects."""
    shared = cli.repository.common_dir
    digests = fingerprints.fingerprint(cli.repository, movable=()).digests
    refs = {str(ref): str(oid) for ref, oid in cli.repository.refs().items()}
    every = {**digests, **refs}
    own = {name: value for name, value in every.items() if not name.startswith("refs/heads/orch/")}
    files = {str(path.relative_to(shared)) for path in shared.rglob("*") if path.is_file() or path.is_symlink()}
    objects = {name for name in files if name.startswith("objects/") or any(part in name for part in _BRANCHES)}
    return own, files - objects


def night(cli: Cli) -> None:
    """Run, merge one task, reject one with an uncommitted file, leave one unfinished; clean up and take that back."""
    (cli.folder / ".git/hooks/pre-push").write_text("#!/bin/sh\n# mine\n")
    cli("hooks", "install")
    cli.queue(*(does(name, saved(f"{name}.txt", name)) for name in ("one", "two", "three")))
    cli.run()
    cli("approve", "one")
    cli("reject", "two")
    cli("merge")
    (cli.folder.parent / "repo.orch" / "two" / "late.txt").write_text("late\n")
    cli("cleanup", "--yes")
    cli("undo")
    cli("submit", "Another day")


def test_uninstall_restores_the_repository(cli: Cli) -> None:
    """With `--purge` nothing but branches stays; without it, so do notes and what no branch has."""
    (cli.folder / ".git/hooks").mkdir(exist_ok=True)
    (cli.folder / ".git/hooks/pre-push").write_text("#!/bin/sh\n# mine\n")
    before = state(cli)
    night(cli)
    places = cli.folder.parent / "repo.orch"
    planned = cli.json("uninstall", "--dry-run")
    assert {*planned["unfinished"]} == {"three", "another-day"}
    assert {Path(path).name for path in planned["worktrees"]} >= {"two", "three"}
    assert "pass --yes" in " ".join(cli.error("uninstall", exit=9)["fix"])
    assert "may not uninstall" in cli("uninstall", "--yes", ok=5, env={"GITORCH_TASK": "x"}).stderr

    said = cli("uninstall", "--yes").stderr
    assert not places.exists()
    assert "git branch -D $(git branch --list 'orch/*')" in said
    assert "git update-ref -d refs/notes/gitorch" in said
    kept_refs = git("for-each-ref", "refs/gitorch", cwd=cli.folder).splitlines()
    assert not (cli.folder / ".git/worktrees").exists()
    assert f"refs with commits that no branch has stay ({len(kept_refs)})" in said
    kept, files = state(cli)
    # the run may have saved what it saw of an agent's work before that was committed
    in_flight = {f"refs/gitorch/rescue/{name}" for name in ("one", "three")}
    added = {name for name in kept if name not in before[0]}
    assert added - in_flight == {"refs/gitorch/rescue/two", "refs/notes/gitorch"}
    assert "gitorch" not in {Path(name).parts[0] for name in files}
    assert git("show", "refs/gitorch/rescue/two:late.txt", cwd=cli.folder) == "late"
    assert git("show", "orch/integration:one.txt", cwd=cli.folder) == "one"

    said = cli("uninstall", "--yes", "--purge").stderr
    assert "branches stay" in said
    assert "notes stay" not in said
    assert "no branch has" not in said
    after = state(cli)
    assert after[0] == before[0]
    assert {name for name in after[1] - before[1] if not name.startswith("logs/")} == set()
    assert before[1] - after[1] == set()


def test_one_ref_keeps_a_commit(cli: Cli) -> None:
    """The work of a rejected task that was cleaned up has no branch: one ref stays for it, and not every copy of it."""
    cli.queue(does("two", saved("two.txt", "2")))
    cli.run()
    cli("reject", "two")
    cli("cleanup", "--yes")
    (tip,) = cli.repository.refs("refs/gitorch/trash/two").values()
    git("update-ref", "refs/gitorch/incoming/two", tip, cwd=cli.folder)
    cli("uninstall", "--yes")
    refs = [ref for ref in cli.repository.refs("refs/gitorch") if not ref.startswith("refs/gitorch/rescue/")]
    assert [ref.rpartition("/")[0] for ref in refs] == ["refs/gitorch/trash/two"]


def test_cleanup_says_what_proves_it(cli: Cli) -> None:
    """A merged task whose commit left all branches stays; in a user's branch it is as good as in the integration."""
    cli.queue(*(does(name, saved(f"{name}.txt", name)) for name in ("one", "two")))
    cli.run()
    cli("reject", "two")
    cli("approve", "one")
    merged = cli.json("merge")["integration"]["after"]
    rows = {row["task"]: row for row in cli.json("cleanup", "-n")["proofs"]}
    assert rows["one"] == {
        "task": "one",
        "proof": f"merged as {merged[:12]}, the same tree",
        "commit": merged,
        "proven": True,
    }
    assert rows["two"]["proof"].startswith("rejected, ")
    git("update-ref", "-d", "refs/heads/orch/integration", cwd=cli.folder)
    answer = cli.json("cleanup", "-n")
    assert answer["tasks"] == ["two"]
    assert "is on no branch any more" in answer["proofs"][0]["proof"]
    git("branch", "release", merged, cwd=cli.folder)
    assert cli.json("cleanup", "-n")["tasks"] == ["one", "two"]
