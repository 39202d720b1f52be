"""The user's own notes follow a merge as they follow `git rebase`, and an undo takes exactly that back."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.git.notes import user_notes
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from tests.support.cli import Cli
from tests.support.git import DATE, commit, git

COMMITS = "refs/notes/commits"


def rewritten_by_git(folder: Path, pairs: list[tuple[Oid, Oid]]) -> None:
    """Carry notes with git's own command, as a rebase runs it."""
    listing = "".join(f"{old} {new}\n" for old, new in pairs)
    git("notes", "copy", "--for-rewrite=rebase", "--stdin", cwd=folder, input=listing.encode())


def notes_of(folder: Path, ref: str) -> dict[str, str]:
    pairs = [line.split() for line in git("notes", f"--ref={ref}", "list", cwd=folder).splitlines()]
    return {oid: blob for blob, oid in pairs}


SETTINGS = {
    "one ref": {"notes.rewriteRef": COMMITS},
    "all of them": {"notes.rewriteRef": "refs/notes/*"},
    "overwrite": {"notes.rewriteRef": COMMITS, "notes.rewriteMode": "overwrite"},
    "ignore": {"notes.rewriteRef": COMMITS, "notes.rewriteMode": "ignore"},
    "sorted": {"notes.rewriteRef": COMMITS, "notes.rewriteMode": "cat_sort_uniq"},
    "switched off": {"notes.rewriteRef": COMMITS, "notes.rewrite.rebase": "false"},
    "not below refs/notes": {"notes.rewriteRef": "refs/heads/*"},
    "not set": {},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_notes_are_carried_as_git_does(repo: Repository, settings: dict[str, str]) -> None:
    """The same notes on the same commits, whatever the settings; two commits that become one give both notes."""
    folder = repo.work_tree
    assert folder is not None
    for name, value in settings.items():
        git("config", name, value, cwd=folder)
    first, second, third, new, other = (Oid(commit(folder, f"c{n}", {f"f{n}": "x\n"})) for n in range(5))
    for ref in (COMMITS, "refs/notes/review"):
        git("notes", f"--ref={ref}", "add", "-m", f"b on first, in {ref}", first, cwd=folder)
        git("notes", f"--ref={ref}", "add", "-m", "a on second", second, cwd=folder)
        git("notes", f"--ref={ref}", "add", "-m", "there before", other, cwd=folder)
    pairs = [(first, new), (second, new), (second, other), (third, third)]
    repo.forget_settings()
    updates = user_notes.carry(repo, pairs)
    repo.update_refs(updates, "carry notes")
    ours = {ref: notes_of(folder, ref) for ref in (COMMITS, "refs/notes/review")}
    repo.update_refs([type(update)(update.ref, update.old, update.new) for update in updates], "as before")
    if settings:
        rewritten_by_git(folder, pairs)
    assert ours == {ref: notes_of(folder, ref) for ref in (COMMITS, "refs/notes/review")}


def test_a_merge_carries_notes_and_an_undo_takes_them_back(repository_folder: Path) -> None:
    """What others wrote into the same notes meanwhile stays, also in a note that was carried."""
    cli = Cli(repository_folder)
    git("config", "notes.rewriteRef", COMMITS, cwd=cli.folder)
    for name in ("one", "two"):
        git("checkout", "--quiet", "-b", name, "main", cwd=cli.folder)
        commit(cli.folder, f"Add {name}", {name: "x\n"}, GIT_COMMITTER_DATE=DATE)
        git("notes", "add", "-m", f"reviewed {name}", cwd=cli.folder)
    git("checkout", "--quiet", "main", cwd=cli.folder)
    commit(cli.folder, "main moves", {"m": "x\n"})
    before = git("rev-parse", COMMITS, cwd=cli.folder)
    cli("adopt", "one", "two")
    cli("approve", "--all", "--force")
    cli("merge")
    one, two = (git("rev-parse", name, cwd=cli.folder) for name in ("orch/integration~1", "orch/integration"))
    assert git("notes", "show", one, cwd=cli.folder) == "reviewed one"
    cli("undo")
    assert git("rev-parse", COMMITS, cwd=cli.folder) == before
    cli("redo")
    assert git("notes", "show", two, cwd=cli.folder) == "reviewed two"
    git("notes", "add", "--force", "-m", "rewritten by hand", two, cwd=cli.folder)
    git("notes", "add", "-m", "on main", "main", cwd=cli.folder)
    cli("undo")
    assert git("notes", "show", two, cwd=cli.folder) == "rewritten by hand"
    assert git("notes", "show", "main", cwd=cli.folder) == "on main"
    assert git("notes", "show", one, cwd=cli.folder, ok=(0, 1)) == ""
