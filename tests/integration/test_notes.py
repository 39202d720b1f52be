"""Notes in real git: nobody's line is lost, and plain git shows them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from gitorch.git.notes import note_store
from gitorch.git.repository import Repository
from gitorch.model.naming import NOTES, Oid
from gitorch.model.note import Line, parse_lines
from tests.support.git import commit, git, run
from tests.support.notes import fields_of, note_line
from tests.support.scale import scaled
from tests.support.tasks import texts

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def folder(repo: Repository) -> Path:
    assert repo.work_tree is not None
    return repo.work_tree


@pytest.fixture
def head(repo: Repository) -> Oid:
    found = repo.resolve("HEAD")
    assert found is not None
    return found


def line(number: int, **more: object) -> Line:
    return note_line(kind="attempt", v=1, number=number, **more)


def test_lines_are_appended_in_order(repo: Repository, head: Oid) -> None:
    """Lines come back as they were written, oldest first, from one commit or from all."""
    assert note_store.read(repo, head) == []
    assert note_store.read_all(repo) == {}
    note_store.append(repo, {head: [line(1), line(2)]}, "test")
    note_store.append(repo, {head: [line(3)]}, "test")
    assert note_store.read(repo, head) == [line(1), line(2), line(3)]
    assert note_store.read_all(repo) == {head: [line(1), line(2), line(3)]}


def test_plain_git_shows_the_lines(repo: Repository, folder: Path, head: Oid) -> None:
    """`git notes --ref=gitorch show` prints one JSON object a line, in ASCII."""
    note_store.append(repo, {head: [line(1, prompt="ünï 🚀\x1b[31m\n`;`"), line(2)]}, "test")
    shown = git("notes", "--ref=gitorch", "show", head, cwd=folder)
    assert shown.isascii()
    assert "\x1b" not in shown
    assert [*parse_lines(shown.encode())] == [line(1, prompt="ünï 🚀\x1b[31m\n`;`"), line(2)]


@settings(max_examples=scaled(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts)
def test_any_text_comes_back(repo: Repository, head: Oid, text: str) -> None:
    """Whatever an agent or a person wrote is one line, and comes back as it was."""
    before = note_store.read(repo, head)
    note_store.append(repo, {head: [line(1, prompt=text)]}, "test")
    assert note_store.read(repo, head) == [*before, line(1, prompt=text)]


def test_several_commits_at_once(repo: Repository, folder: Path, head: Oid) -> None:
    """Lines for several commits are one change."""
    other = Oid(commit(folder, "other", {"other": "x"}))
    note_store.append(repo, {head: [line(1)], other: [line(2)]}, "both")
    assert note_store.read_all(repo) == {head: [line(1)], other: [line(2)]}
    assert git("rev-list", "--count", NOTES, cwd=folder) == "1"


def test_nothing_is_visible_before_the_move(repo: Repository, head: Oid) -> None:
    """What was built is not there until its moves are made, together with others."""
    moves = note_store.build(repo, {head: [line(1)]})
    before = repo.refs()
    assert note_store.read(repo, head) == []
    repo.update_refs(moves, "test")
    assert note_store.read(repo, head) == [line(1)]
    assert {ref for ref in repo.refs() if ref not in before} <= {NOTES}


def test_what_people_wrote_stays(repo: Repository, folder: Path, head: Oid) -> None:
    """Words and foreign JSON in the same notes are passed over, and kept."""
    git("notes", "--ref=gitorch", "add", "-m", 'looks good\n{"kind": 3}\n[1]\n{"broken"', head, cwd=folder)
    note_store.append(repo, {head: [line(1)]}, "test")
    assert note_store.read(repo, head) == [line(1)]
    assert git("notes", "--ref=gitorch", "show", head, cwd=folder).startswith("looks good\n")


def test_many_notes_in_folders(repo: Repository, folder: Path, head: Oid) -> None:
    """Lines are appended to the same note also when git has spread the notes over folders."""
    commits = [head, *(Oid(_bare_commit(folder, number)) for number in range(300))]
    note_store.append(repo, {one: [line(at)] for at, one in enumerate(commits)}, "many")
    assert "/" in git("ls-tree", "-r", "--name-only", NOTES, cwd=folder)
    note_store.append(repo, {one: [line(1000)] for one in commits[:3]}, "more")
    found = note_store.read_all(repo)
    assert len(found) == 301
    assert found[commits[2]] == [line(2), line(1000)]
    assert note_store.read(repo, commits[1]) == [line(1), line(1000)]


def _bare_commit(folder: Path, number: int) -> str:
    return git("commit-tree", "HEAD^{tree}", "-p", "HEAD", cwd=folder, input=b"%d" % number)


def test_sixteen_processes_lose_none(repo: Repository, head: Oid) -> None:
    """Parallel appends, to one commit and in one repository, all arrive."""

    def write(number: int) -> None:
        for step in range(3):
            note_store.append(repo, {head: [line(10 * number + step)]}, "test")

    children = [FORK.Process(target=write, args=(number,)) for number in range(16)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 16
    numbers = [fields["number"] for fields in fields_of(note_store.read(repo, head))]
    assert sorted(numbers) == sorted(10 * number + step for number in range(16) for step in range(3))
    assert all(numbers.index(10 * number) < numbers.index(10 * number + 2) for number in range(16))


def test_beside_somebody_else_who_writes_notes(repo: Repository, folder: Path, head: Oid) -> None:
    """A person's `git notes add` meanwhile is not written over.

    git's own command has no compare-and-swap: it can write over lines of ours that came while it worked.
    """

    def write() -> None:
        for step in range(15):
            note_store.append(repo, {head: [line(step)]}, "test")

    child = FORK.Process(target=write)
    child.start()
    other = Oid(_bare_commit(folder, 1))
    added = run("notes", "--ref=gitorch", "add", "-f", "-m", "a person's words", other, cwd=folder, ok=(0, 1, 128, 255))
    child.join()
    assert child.exitcode == 0
    numbers = [fields["number"] for fields in fields_of(note_store.read(repo, head))]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 14
    words = git("notes", "--ref=gitorch", "show", other, cwd=folder, ok=(0, 1))
    assert words == ("a person's words" if added.returncode == 0 else "")  # git gives up when the ref is locked


def test_no_refs_are_left_behind(repo: Repository, head: Oid) -> None:
    """Writing notes leaves no other ref than the notes."""
    before = set(repo.refs())
    for number in range(3):
        note_store.append(repo, {head: [line(number)]}, "test")
    assert set(repo.refs()) - before == {NOTES}
