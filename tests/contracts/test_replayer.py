"""The contract of every `Replayer`: its results are those of `git rebase`, whatever computes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitorch.flow.merge import merge_replayer
from gitorch.git.repository import GitFailed, Repository
from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, Conflicted, MemoryReplayer, Merged, Replayed, Replayer
from gitorch.replay.rebase import RebaseReplayer
from tests.support.git import DATE, commit, git

LINES = [f"line {number}\n" for number in range(1, 21)]
TEXT = "".join(LINES)

KINDS: dict[str, Callable[[Repository, Path], Replayer]] = {
    "memory": lambda repository, _: MemoryReplayer(repository),
    "memory, whole trees": lambda repository, _: MemoryReplayer(repository, whole_trees=True),
    "git rebase": lambda repository, folder: RebaseReplayer(repository, folder / "rebases"),
    "a merge's": lambda repository, _: merge_replayer(MemoryReplayer(repository)),
}


class Branches:
    """A repository whose branches start on one commit, and a replayer of one kind."""

    def __init__(self, folder: Path, replayer: Replayer) -> None:
        self.folder = folder
        self.replayer = replayer
        self.base = Oid(git("rev-parse", "HEAD", cwd=folder))

    def branch(self, start: Oid, *changes: tuple[str, dict[str, str | bytes | None]]) -> Oid:
        """Return the tip of a branch with a commit for each subject and its files."""
        git("checkout", "--quiet", "--detach", start, cwd=self.folder)
        for subject, files in changes:
            commit(self.folder, subject, files)
        return Oid(git("rev-parse", "HEAD", cwd=self.folder))

    def rebased(self, tip: Oid, onto: Oid) -> Oid:
        """Return what plain `git rebase` makes of a branch."""
        git("checkout", "--quiet", "--detach", tip, cwd=self.folder)
        git("rebase", "--quiet", onto, cwd=self.folder)
        return Oid(git("rev-parse", "HEAD", cwd=self.folder))

    def replay(self, base: Oid, tip: Oid, onto: Oid, excluded: tuple[Oid, ...] = ()) -> Replayed:
        """Replay and keep commits that do not conflict."""
        result = self.replayer.replay(CommitRange(base, tip, excluded), onto)
        assert isinstance(result, Replayed), result
        self.replayer.keep(result.tip)
        return result


@pytest.fixture(params=KINDS)
def branches(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Branches]:
    monkeypatch.setenv("GIT_COMMITTER_DATE", DATE)
    folder = tmp_path / "repo"
    folder.mkdir()
    git("init", "--quiet", cwd=folder)
    commit(folder, "start", {"src/app.py": TEXT, "src/other.py": "x\n"})
    with KINDS[request.param](Repository.discover(folder), tmp_path) as replayer:
        yield Branches(folder, replayer)


def test_a_replay_has_the_ids_of_git_rebase(branches: Branches) -> None:
    """Paths of one side, a file that both sides changed, a new folder and a deletion: the same commits."""
    tip = branches.branch(
        branches.base,
        ("own\n\nWith a body.", {"src/app.py": "first\n" + TEXT, "new/file": "n\n"}),
        ("more", {"src/other.py": None}),
    )
    onto = branches.branch(branches.base, ("trunk", {"src/app.py": TEXT + "last\n"}))
    result = branches.replay(branches.base, tip, onto)
    assert result.tip == branches.rebased(tip, onto)
    assert [git("log", "-1", "--format=%s", old, cwd=branches.folder) for old, _ in result.pairs] == ["own", "more"]
    assert (result.pairs[-1][1], result.dropped) == (result.tip, ())
    git("fsck", "--strict", "--connectivity-only", cwd=branches.folder)


def test_a_commit_on_top_stays_as_it_is(branches: Branches) -> None:
    """A branch whose base has not moved is its own replay."""
    tip = branches.branch(branches.base, ("own", {"a": "1\n"}))
    result = branches.replay(branches.base, tip, branches.base)
    assert (result.tip, result.pairs) == (tip, ((tip, tip),))


def test_a_change_that_is_there_is_dropped(branches: Branches) -> None:
    """A commit whose patch the new base has already gets no pair."""
    tip = branches.branch(branches.base, ("own", {"a": "1\n"}), ("same", {"b": "2\n"}))
    onto = branches.branch(branches.base, ("other", {"c": "3\n"}), ("the same", {"b": "2\n"}))
    result = branches.replay(branches.base, tip, onto)
    assert (len(result.pairs), result.dropped) == (1, (tip,))
    assert result.tip == branches.rebased(tip, onto)


def test_replays_build_on_each_other(branches: Branches) -> None:
    """A branch goes onto the replay of another, and a stack leaves out the commits of the branch below it."""
    first = branches.branch(branches.base, ("first", {"a": "1\n"}))
    second = branches.branch(branches.base, ("second", {"b": "2\n"}))
    stacked = branches.branch(first, ("stacked", {"c": "3\n"}))
    tip = branches.branch(branches.base, ("trunk", {"d": "4\n"}))
    for base, own, excluded in (
        (branches.base, first, ()),
        (branches.base, second, (first,)),
        (first, stacked, (first, second)),
    ):
        tip = branches.replay(base, own, tip, excluded).tip
    log = git("log", "--format=%s", tip, cwd=branches.folder).split()
    assert log == ["stacked", "second", "first", "trunk", "start"]


def test_a_conflict_names_the_commit_and_its_files(branches: Branches) -> None:
    """The first commit that conflicts stops the replay, with the three versions of each file; nothing is moved."""
    tip = branches.branch(branches.base, ("fine", {"a": "1\n"}), ("own", {"src/app.py": "mine\n" + TEXT}))
    onto = branches.branch(branches.base, ("trunk", {"src/app.py": "theirs\n" + TEXT}))
    before = branches.replayer.repository.refs()
    conflict = branches.replayer.replay(CommitRange(branches.base, tip), onto)
    assert isinstance(conflict, Conflicted)
    assert (conflict.commit, conflict.paths) == (tip, ("src/app.py",))
    assert [(stage.number, stage.path) for stage in conflict.stages] == [(n, "src/app.py") for n in (1, 2, 3)]
    blobs = [git("rev-parse", f"{oid}:src/app.py", cwd=branches.folder) for oid in (branches.base, onto, tip)]
    assert [stage.blob for stage in conflict.stages] == blobs
    assert branches.replayer.repository.refs() == before
    after = branches.branch(branches.base, ("after", {"z": "1\n"}))
    assert branches.replay(branches.base, after, onto).tip == branches.rebased(after, onto)


def test_paths_trees_and_files_can_be_read(branches: Branches) -> None:
    """What commits change, and what a replay contains, before and after it is kept."""
    tip = branches.branch(branches.base, ("own", {"new/file": "n\n"}), ("more", {"src/app.py": "first\n" + TEXT}))
    onto = branches.branch(branches.base, ("trunk", {"d": "4\n"}))
    commits = CommitRange(branches.base, tip)
    replayer = branches.replayer
    replayer.read([commits], onto)
    assert replayer.paths(commits, onto) == {"new/file", "src/app.py"}
    result = replayer.replay(commits, onto)
    assert isinstance(result, Replayed)
    tree = replayer.tree(result.tip)
    for _ in range(2):
        assert replayer.file(tree, "new/file") == b"n\n"
        assert replayer.file(tree, "d") == b"4\n"
        assert replayer.file(tree, "missing") is None
        replayer.keep(result.tip)
    assert git("rev-parse", f"{result.tip}^{{tree}}", cwd=branches.folder) == tree


def test_two_commits_can_be_merged(branches: Branches) -> None:
    """A merge is the tree of git's own merge, or the conflict of the second commit."""
    first = branches.branch(branches.base, ("first", {"src/app.py": "first\n" + TEXT}))
    second = branches.branch(branches.base, ("second", {"src/app.py": TEXT + "last\n"}))
    other = branches.branch(branches.base, ("other", {"src/app.py": "other\n" + TEXT}))
    merged = branches.replayer.merge(first, second)
    assert isinstance(merged, Merged)
    branches.replayer.keep_tree(merged.tree)
    git("checkout", "--quiet", "--detach", first, cwd=branches.folder)
    git("merge", "--quiet", "--no-edit", second, cwd=branches.folder)
    assert merged.tree == git("rev-parse", "HEAD^{tree}", cwd=branches.folder)
    conflict = branches.replayer.merge(first, other)
    assert isinstance(conflict, Conflicted)
    assert (conflict.commit, conflict.paths) == (other, ("src/app.py",))


def split_folder(branches: Branches, also: str = "") -> tuple[Oid, Oid]:
    """Return a commit that adds a file to the folder `c`, and one that splits `c` in two: git names no file for it.

    With `also`, both commits add this file, with different content.
    """
    extra = [also] if also else []
    start = branches.branch(branches.base, ("c", {"c/one": TEXT, "c/two": "other\n" + TEXT * 2}))
    moves: dict[str, str | bytes | None] = {"c/one": None, "c/two": None, "d/one": TEXT, "e/two": "other\n" + TEXT * 2}
    onto = branches.branch(start, ("split", moves | dict.fromkeys(extra, "o\n")))
    return branches.branch(start, ("add", {"c/new": "new\n", **dict.fromkeys(extra, "t\n")})), onto


def test_a_conflict_without_a_file_has_the_folder(branches: Branches) -> None:
    """A folder that one side split, and into which the other adds, has no stage in git's index; it conflicts."""
    tip, onto = split_folder(branches)
    base = Oid(git("rev-parse", f"{tip}^", cwd=branches.folder))
    conflict = branches.replayer.replay(CommitRange(base, tip), onto)
    assert isinstance(conflict, Conflicted)
    assert (conflict.commit, conflict.paths, conflict.stages) == (tip, ("c",), ())
    merged = branches.replayer.merge(onto, tip)
    assert isinstance(merged, Conflicted)
    assert merged.paths == ("c",)


def test_a_folder_in_conflict_is_named_beside_files(branches: Branches) -> None:
    """Whoever resolves the files of a conflict must not overlook the folder."""
    tip, onto = split_folder(branches, "both")
    base = Oid(git("rev-parse", f"{tip}^", cwd=branches.folder))
    conflict = branches.replayer.replay(CommitRange(base, tip), onto)
    assert isinstance(conflict, Conflicted)
    assert "both" in conflict.paths
    if not isinstance(branches.replayer, RebaseReplayer):  # git's index does not name the folder
        assert set(conflict.paths) == {"both", "c"}


def test_a_submodule_in_conflict_is_a_path_without_content(branches: Branches) -> None:
    """A commit of another repository is not an object of this one: nobody reads it."""

    def pointer(start: Oid, digit: str) -> Oid:
        git("checkout", "--quiet", "--detach", start, cwd=branches.folder)
        git("update-index", "--add", "--cacheinfo", f"160000,{digit * 40},sub", cwd=branches.folder)
        git("commit", "--quiet", "-m", f"sub {digit}", cwd=branches.folder)
        tip = Oid(git("rev-parse", "HEAD", cwd=branches.folder))
        git("reset", "--quiet", "--hard", cwd=branches.folder)
        return tip

    start = pointer(branches.base, "1")
    onto, tip = pointer(start, "2"), pointer(start, "3")
    conflict = branches.replayer.replay(CommitRange(start, tip), onto)
    assert isinstance(conflict, Conflicted)
    assert conflict.paths == ("sub",)
    assert branches.replayer.file(branches.replayer.tree(tip), "sub") is None


def test_a_blob_of_a_replay_can_be_read(branches: Branches) -> None:
    """A file that two branches changed exists in memory only, and is read like any other."""
    first = branches.branch(branches.base, ("first", {"src/app.py": "first\n" + TEXT}))
    second = branches.branch(branches.base, ("second", {"src/app.py": TEXT + "last\n"}))
    third = branches.branch(branches.base, ("third", {"src/app.py": TEXT.replace("line 10\n", "ten\n")}))
    other = branches.branch(branches.base, ("other", {"src/app.py": "other\n" + TEXT}))
    tip = first
    for number, branch in enumerate((second, third)):
        result = branches.replayer.replay(CommitRange(branches.base, branch, (first, second)[: number + 1]), tip)
        assert isinstance(result, Replayed)
        tip = result.tip
    conflict = branches.replayer.replay(CommitRange(branches.base, other), tip)
    assert isinstance(conflict, Conflicted)
    ours = next(stage.blob for stage in conflict.stages if stage.number == 2)
    assert branches.replayer.blob(ours) == f"first\n{TEXT}last\n".replace("line 10\n", "ten\n").encode()
    assert branches.replayer.blob(Oid("1" * 40)) is None


def test_what_a_branch_has_and_what_it_is_put_on(branches: Branches) -> None:
    """Own commits are listed oldest first, and what the base got since without merges, with its paths."""
    first = branches.branch(branches.base, ("own", {"own": "1\n"}))
    tip = branches.branch(first, ("more", {"own": "2\n"}))
    side = branches.branch(branches.base, ("side", {"side": "x\n"}))
    trunk = branches.branch(branches.base, ("trunk", {"trunk": "x\n", "src/other.py": "y\n"}))
    git("merge", "--quiet", "--no-edit", side, cwd=branches.folder)
    onto = Oid(git("rev-parse", "HEAD", cwd=branches.folder))
    commits = CommitRange(branches.base, tip)
    assert branches.replayer.own_commits(commits, onto) == [first, tip]
    found = branches.replayer.upstream(branches.base, onto)
    assert {(commit.oid, commit.parent, commit.paths) for commit in found} == {
        (trunk, branches.base, frozenset({"trunk", "src/other.py"})),
        (side, branches.base, frozenset({"side"})),
    }
    assert branches.replayer.upstream(onto, onto) == []
    assert not branches.replayer.is_stack(commits, onto)
    assert branches.replayer.is_stack(CommitRange(first, tip), onto)


def test_a_merge_on_a_chosen_base(branches: Branches) -> None:
    """Only what each side has changed since that base is merged, whatever history says."""
    one = branches.branch(branches.base, ("one", {"src/app.py": "first\n" + TEXT}))
    two = branches.branch(branches.base, ("two", {"src/app.py": TEXT + "last\n"}))
    merged = branches.replayer.merge_on(branches.base, one, two)
    assert isinstance(merged, Merged)
    assert branches.replayer.file(merged.tree, "src/app.py") == f"first\n{TEXT}last\n".encode()
    undone = branches.replayer.merge_on(one, one, branches.base)
    assert isinstance(undone, Merged)
    assert undone.tree == branches.replayer.tree(branches.base)


def test_a_commit_that_is_made_here(branches: Branches) -> None:
    """It has the author and message of another one, is the base of replays, and is stored with all that it needs."""
    tip = branches.branch(branches.base, ("own\n\nWith a body.", {"src/app.py": "first\n" + TEXT}))
    later = branches.branch(tip, ("later", {"src/app.py": "first\n" + TEXT + "last\n"}))
    onto = branches.branch(branches.base, ("trunk", {"src/other.py": "y\n"}))
    replayer = branches.replayer
    tree = replayer.with_files(replayer.tree(onto), {"src/app.py": replayer.add_blob(b"made\n")})
    assert replayer.with_files(tree, {}) == tree
    made = replayer.rewrite(tip, tree, onto)
    assert replayer.tree(made) == tree
    assert replayer.file(tree, "src/other.py") == b"y\n"
    assert isinstance(replayer.replay(CommitRange(tip, later), made), Conflicted)
    replayer.keep(made)
    assert git("log", "-1", "--format=%an %B", made, cwd=branches.folder) == git(
        "log", "-1", "--format=%an %B", tip, cwd=branches.folder
    )
    assert git("show", f"{made}:src/app.py", cwd=branches.folder) == "made"
    git("fsck", "--strict", "--connectivity-only", cwd=branches.folder)
    with pytest.raises(GitFailed, match="has no file"):
        replayer.with_files(tree, {"missing": replayer.add_blob(b"x\n")})
