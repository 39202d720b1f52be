"""`notes push` and `notes fetch`: what two people note on the same commits comes together, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from gitorch.services.notes_exchange import with_lines
from tests.support.cli import Cli
from tests.support.git import git

NOTES = "refs/notes/gitorch"


@pytest.fixture
def cli(repository_folder: Path, tmp_path: Path) -> Cli:
    git("init", "--quiet", "--bare", str(tmp_path / "hub.git"), cwd=tmp_path)
    git("remote", "add", "origin", str(tmp_path / "hub.git"), cwd=repository_folder)
    git("push", "--quiet", "origin", "HEAD:main", cwd=repository_folder)
    return Cli(repository_folder)


@pytest.fixture
def other(cli: Cli, tmp_path: Path) -> Cli:
    git("clone", "--quiet", "--branch=main", str(tmp_path / "hub.git"), str(tmp_path / "other"), cwd=tmp_path)
    return Cli(tmp_path / "other")


def note(cli: Cli, text: str) -> None:
    git("notes", f"--ref={NOTES}", "add", "-m", text, cwd=cli.folder)


def lines(cli: Cli) -> set[str]:
    return set(git("notes", f"--ref={NOTES}", "show", "HEAD", cwd=cli.folder).splitlines())


def test_notes_of_two_people_come_together(cli: Cli, other: Cli) -> None:
    note(cli, '{"kind": "a"}')
    assert "pushed" in cli("notes", "push").text
    assert cli.json("notes", "push")["before"] == git("rev-parse", NOTES, cwd=cli.folder)
    note(other, '{"kind": "b"}')
    error = other.error("notes", "push", exit=5)
    assert error["fix"] == ["orchestrate notes fetch origin", "orchestrate notes push origin"]
    assert "added" in other("notes", "fetch").text
    assert lines(other) == {'{"kind": "a"}', '{"kind": "b"}'}
    assert "already" in other("notes", "fetch").text
    other("notes", "push", "origin")
    cli("notes", "fetch")
    assert lines(cli) == lines(other)


def test_a_remote_beside_the_work_tree(cli: Cli, other: Cli) -> None:
    """A relative path in the address of a remote starts where git starts it, also from a subfolder."""
    (cli.folder / "deep").mkdir()
    for side in (cli, other):
        git("remote", "set-url", "origin", "../hub.git", cwd=side.folder)
    note(cli, '{"kind": "a"}')
    assert "pushed" in cli("notes", "push", cwd=cli.folder / "deep").text
    assert "added" in other("notes", "fetch").text
    assert lines(other) == {'{"kind": "a"}'}


def test_a_fetch_is_undone(cli: Cli, other: Cli) -> None:
    note(cli, '{"kind": "a"}')
    cli("notes", "push")
    note(other, '{"kind": "b"}')
    other("notes", "fetch")
    other("undo")
    assert lines(other) == {'{"kind": "b"}'}
    other("redo")
    assert lines(other) == {'{"kind": "a"}', '{"kind": "b"}'}


def test_nothing_else_moves(cli: Cli, other: Cli) -> None:
    note(cli, '{"kind": "a"}')
    cli("notes", "push")
    before = git("for-each-ref", "refs/heads", "refs/remotes", "refs/tags", cwd=other.folder)
    with other.untouched():
        other("notes", "fetch")
    assert git("for-each-ref", "refs/heads", "refs/remotes", "refs/tags", cwd=other.folder) == before
    assert not (other.folder / ".git" / "FETCH_HEAD").exists()


def test_what_cannot_be_exchanged(cli: Cli, other: Cli, tmp_path: Path) -> None:
    cli.error("notes", "push", exit=3)
    cli.error("notes", "fetch", exit=3)
    assert "there is origin" in str(cli.error("notes", "fetch", "nowhere", exit=2)["why"])
    assert cli.error("notes", "push", "--upload-pack=x", exit=2)
    (tmp_path / "hub.git").rename(tmp_path / "gone.git")
    note(other, '{"kind": "b"}')
    assert other.error("notes", "push", exit=5)["code"] == "remote-failed"


@given(st.lists(st.sampled_from([b"a", b"b", b"c"]), unique=True), st.lists(st.sampled_from([b"a", b"b", b"c"])))
def test_no_line_is_lost_or_repeated(ours: list[bytes], theirs: list[bytes]) -> None:
    note = with_lines(b"".join(line + b"\n" for line in ours), b"\n".join(theirs))
    assert note.splitlines()[: len(ours)] == ours
    assert set(note.splitlines()) == {*ours, *theirs}
    assert with_lines(note, b"\n".join(theirs)) == note
