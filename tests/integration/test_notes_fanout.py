"""Notes in folders: git reads what is written here at any depth, and only what has to be read is read."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from gitorch.git.notes.fanout import NotesTree
from gitorch.git.objects import BatchEntry
from gitorch.git.repository import GitFailed, Repository
from gitorch.model.naming import NOTES, Oid
from gitorch.model.refs import RefUpdate
from tests.support.git import git


class CountingRepository(Repository):
    """A repository that counts the objects which are read from it."""

    asked = 0

    def read_objects(self, names: Iterable[str]) -> list[BatchEntry]:
        wanted = [*names]
        self.asked += len(wanted)
        return super().read_objects(wanted)


def ids(dice: random.Random, count: int, digits: int = 40) -> list[Oid]:
    return [Oid(f"{dice.getrandbits(4 * digits):0{digits}x}") for _ in range(count)]


def listed(folder: Path) -> dict[str, str]:
    """Return the notes as git itself lists and reads them."""
    pairs = [line.split() for line in git("notes", "--ref=gitorch", "list", cwd=folder).split("\n") if line]
    request = "".join(f"{blob}\n" for blob, _ in pairs).encode()
    contents = git("cat-file", "--batch=%(objectsize)", cwd=folder, input=request).split("\n")
    return {commit: contents[3 * number + 1] for number, (_, commit) in enumerate(pairs)}


def commits_in(folder: Path, count: int) -> list[Oid]:
    """Make commits, which `fast-import` demands of what has a note."""
    stream = "".join(f"commit refs/heads/many\ncommitter U <u@x.org> {n} +0000\ndata 1\nx\n" for n in range(count))
    git("fast-import", "--quiet", "--force", cwd=folder, input=stream.encode())
    return [Oid(line) for line in git("rev-list", "many", cwd=folder).split("\n")]


def by_fast_import(folder: Path, commits: Iterable[Oid]) -> None:
    """Write notes as git's own `fast-import` does, which cuts up folders by the number of notes."""
    stream = [f"commit {NOTES}\ncommitter U <u@x.org> 1 +0000\ndata 1\nx\n"]
    stream += [f"N inline {commit}\ndata 4\nold\n\n" for commit in commits]
    git("fast-import", "--quiet", "--force", cwd=folder, input="".join(stream).encode())


def write(repository: Repository, contents: dict[Oid, bytes]) -> None:
    tip = repository.object_ids(NOTES)[0]
    repository.update_refs([RefUpdate(NOTES, NotesTree(repository, tip).write(contents, "test"), tip)], "test")


def nested(folder: Path, depths: dict[Oid, int]) -> None:
    """Write notes at these depths, as tools other than git may have done."""
    blob = git("hash-object", "-w", "--stdin", cwd=folder, input=b"old\n")
    lines = []
    for commit, depth in depths.items():
        parts = [commit[2 * level : 2 * level + 2] for level in range(depth)]
        lines.append(f"100644 {blob}\t{'/'.join([*parts, commit[2 * depth :]])}\n")
    index = {"GIT_INDEX_FILE": str(folder / ".git/other-index")}
    git("update-index", "--add", "--index-info", cwd=folder, input="".join(lines).encode(), env=index)
    tree = git("write-tree", cwd=folder, env=index)
    git("update-ref", NOTES, git("commit-tree", "-m", "x", tree, cwd=folder), cwd=folder)


@pytest.mark.parametrize("start", [0, 200, 600])
def test_git_reads_what_was_written(repository_folder: Path, repo: Repository, start: int) -> None:
    """Random changes on notes of any number: git lists exactly these, and finds no fault in the objects."""
    dice = random.Random(start)
    commits = commits_in(repository_folder, start + 300)
    expected: dict[str, str] = dict.fromkeys(commits[:start], "old")
    if start:
        by_fast_import(repository_folder, commits[:start])
    for step in range(6):
        changed = dice.sample(commits, dice.choice((1, 40, 150)))
        contents = {commit: b"" if dice.random() < 0.3 else b"%d\n" % step for commit in changed}
        write(repo, contents)
        expected = {commit: text for commit, text in expected.items() if commit not in contents}
        expected |= {commit: content.decode().strip() for commit, content in contents.items() if content}
        assert listed(repository_folder) == expected
        found = NotesTree(repo, repo.object_ids(NOTES)[0]).contents(commits)
        assert {commit: text.decode().strip() for commit, text in found.items() if text} == expected
    git("fsck", "--strict", cwd=repository_folder)


def test_notes_at_many_depths(repository_folder: Path, repo: Repository) -> None:
    """A note is changed and removed where it is, and a new one goes where its neighbours are."""
    dice = random.Random(5)
    commits = ids(dice, 40)
    nested(repository_folder, {commit: number % 4 for number, commit in enumerate(commits)})
    assert set(listed(repository_folder)) == set(commits)
    beside = Oid(commits[3][:6] + commits[4][6:])
    write(repo, {commits[0]: b"new\n", commits[1]: b"", commits[2]: b"new\n", commits[3]: b"", beside: b"new\n"})
    expected = dict.fromkeys(commits, "old") | {commits[0]: "new", commits[2]: "new", beside: "new"}
    assert listed(repository_folder) == {oid: text for oid, text in expected.items() if oid not in commits[1:4:2]}
    paths = git("ls-tree", "-r", "--name-only", NOTES, cwd=repository_folder).split("\n")
    assert f"{beside[:2]}/{beside[2:4]}/{beside[4:6]}/{beside[6:]}" in paths
    git("fsck", "--strict", cwd=repository_folder)


def test_files_that_are_no_notes_stay(repository_folder: Path, repo: Repository) -> None:
    """What other tools keep in the tree of the notes is left where it is."""
    git("read-tree", "--empty", cwd=repository_folder)
    tree = git("mktree", cwd=repository_folder, input=f"100755 blob {_blob(repository_folder)}\tREADME\n".encode())
    git("update-ref", NOTES, git("commit-tree", "-m", "x", tree, cwd=repository_folder), cwd=repository_folder)
    commits = ids(random.Random(1), 300)
    write(repo, dict.fromkeys(commits, b"x\n"))
    assert git("show", f"{NOTES}:README", cwd=repository_folder) == "old"
    assert set(listed(repository_folder)) == set(commits)


def _blob(folder: Path) -> str:
    return git("hash-object", "-w", "--stdin", cwd=folder, input=b"old\n")


def test_ids_of_sha256(tmp_path: Path) -> None:
    """Notes are written in repositories of either kind of ids."""
    folder = tmp_path / "long"
    git("init", "-q", "--object-format=sha256", str(folder), cwd=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=folder)
    commits = ids(random.Random(2), 300, 64)
    write(Repository.discover(folder), dict.fromkeys(commits, b"x\n"))
    assert set(listed(folder)) == set(commits)
    git("fsck", "--strict", cwd=folder)


def test_only_the_way_to_a_note_is_read(repository_folder: Path) -> None:
    """In a repository of many notes, one more is as cheap as the first ones: of 400 folders, two are read."""
    commits = commits_in(repository_folder, 800)
    by_fast_import(repository_folder, commits)
    repository = CountingRepository.discover(repository_folder)
    assert isinstance(repository, CountingRepository)
    write(repository, {commits[0]: b"new\n"})
    assert repository.asked == 2


def test_a_missing_folder_is_an_error(repository_folder: Path, repo: Repository) -> None:
    """Notes that cannot be read are not taken for notes that are not there."""
    commits = ids(random.Random(4), 300)
    write(repo, dict.fromkeys(commits, b"x\n"))
    tip = repo.object_ids(NOTES)[0]
    for pack in (repository_folder / ".git/objects/pack").iterdir():
        pack.unlink()
    with pytest.raises(GitFailed):
        NotesTree(Repository.discover(repository_folder), tip).contents(commits[:1])
