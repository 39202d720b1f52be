"""Replaying commits without a worktree gives what `git rebase` gives: the same commit ids, the same conflicts."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import (
    CommitRange,
    Conflicted,
    MemoryReplayer,
    Merged,
    Replayed,
    merge_heads,
    replay,
)
from gitorch.replay.rebase import RebaseReplayer
from tests.support.git import DATE, commit, git, run
from tests.support.histories import History, Line, Queue, write_histories, write_sequences
from tests.support.scale import scaled

HISTORIES = int(os.environ.get("GITORCH_TEST_HISTORIES") or scaled(30))


@pytest.fixture(autouse=True)
def _pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make both engines commit at the same moment."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", DATE)


def rebased(folder: Path, tip: Oid, *onto: str) -> Oid | Conflicted:
    """Do with `git rebase` what `replay` does: the truth."""
    git("checkout", "--quiet", "--force", "--detach", tip, cwd=folder)
    done = run("rebase", "--quiet", *onto, cwd=folder, ok=(0, 1))
    if done.returncode == 0:
        return Oid(git("rev-parse", "HEAD", cwd=folder))
    stages = git("ls-files", "--unmerged", "-z", cwd=folder).split("\0")[:-1]
    stopped = Oid(git("rev-parse", "REBASE_HEAD", cwd=folder))
    git("rebase", "--quit", cwd=folder)
    git("reset", "--quiet", "--hard", cwd=folder)
    git("clean", "-fdxq", cwd=folder)
    # where one side has a file and the other a folder, git calls the file `name~HEAD`, or `name~1234567 (Subject)`
    paths = {
        re.sub(r"~(HEAD|[0-9a-f]{7,40} \(.*\)?)$", "", line.partition("\t")[2], flags=re.DOTALL) for line in stages
    }
    return Conflicted(stopped, tuple(sorted(paths)))


def replayed(repository: Repository, history: History) -> Oid | Conflicted:
    found = replay(repository, history.base, history.tip, history.onto)
    return found.tip if isinstance(found, Replayed) else Conflicted(found.commit, tuple(sorted(found.paths)))


def test_replay_is_rebase(empty: Repository) -> None:
    """On random histories the tips have the same id, and conflicts come from the same commit in the same paths."""
    assert empty.work_tree is not None
    conflicts = 0
    for history in write_histories(empty.work_tree, range(HISTORIES)):
        expected = rebased(empty.work_tree, history.tip, history.onto)
        found = replayed(empty, history)
        if isinstance(found, Conflicted) and isinstance(expected, Conflicted) and not expected.paths:
            found = Conflicted(found.commit, ())  # git failed over its own conflict, and could not write an index
        assert found == expected, history
        conflicts += isinstance(expected, Conflicted)
    assert 0 < conflicts < HISTORIES, "a test that sees only one outcome says little"


@pytest.fixture
def folder(repo: Repository) -> Path:
    assert repo.work_tree is not None
    return repo.work_tree


def branch(folder: Path, name: str, start: str, *changes: tuple[str, dict[str, str | bytes | None]]) -> Oid:
    """Make commits on a new branch, and go back to `main`; return its tip."""
    git("checkout", "--quiet", "-B", name, start, cwd=folder)
    for message, files in changes:
        commit(folder, message, files)
    tip = Oid(git("rev-parse", "HEAD", cwd=folder))
    git("checkout", "--quiet", "main", cwd=folder)
    return tip


def clash(found: object) -> tuple[Oid, tuple[str, ...]] | None:
    """Return which commit conflicts, and where; None for anything else."""
    return (found.commit, tuple(sorted(found.paths))) if isinstance(found, Conflicted) else None


def head(folder: Path, name: str = "HEAD") -> Oid:
    return Oid(git("rev-parse", name, cwd=folder))


def test_the_reference_engine_says_the_same(empty: Repository, tmp_path: Path) -> None:
    """`git rebase` as an engine gives the same tips, pairs and conflicting commits as the engine in memory."""
    assert empty.work_tree is not None
    for queue in write_sequences(empty.work_tree, range(scaled(6))):
        with MemoryReplayer(empty) as replayer, RebaseReplayer(empty, tmp_path / "rebases") as rebaser:
            here, others = queue.onto, tuple[Oid, ...]()
            for line in queue.lines:
                one, other = (
                    engine.replay(CommitRange(line.base, line.tip, others), here) for engine in (replayer, rebaser)
                )
                if isinstance(one, Conflicted):
                    assert isinstance(other, Conflicted)
                    assert one.commit == other.commit
                    continue
                assert one == other, queue
                replayer.keep(one.tip)
                here, others = one.tip, (*others, line.tip)


def test_pairs_tell_which_commit_stands_for_which(repo: Repository, folder: Path) -> None:
    """Each commit has its pair, but one whose change is there already has none."""
    base = head(folder)
    tip = branch(folder, "own", base, ("one", {"one": "1"}), ("two", {"two": "2"}), ("three", {"three": "3"}))
    onto = branch(folder, "onto", base, ("other", {"other": "o"}), ("two again", {"two": "2"}))
    found = replay(repo, base, tip, onto)
    assert isinstance(found, Replayed)
    subjects = {old: git("log", "-1", "--format=%s", new, cwd=folder) for old, new in found.pairs}
    assert list(subjects.values()) == ["one", "three"]
    assert {old: git("log", "-1", "--format=%s", old, cwd=folder) for old in subjects} == subjects
    assert found.pairs[-1][1] == found.tip
    assert found.tip == rebased(folder, tip, onto)


def test_what_a_branch_does_again_is_done_again(repo: Repository, folder: Path) -> None:
    """A file that a branch adds, removes and adds again is there in the end, and each commit has its pair."""
    base = head(folder)
    one, two = ("add", {"a": "1\n"}), ("remove", {"a": None})
    onto = branch(folder, "onto", base, ("other", {"other": "o"}))
    git("checkout", "--quiet", "-B", "own", base, cwd=folder)
    tip = base
    for message, files in (one, two, one, two, one):
        tip = Oid(commit(folder, message, files))
    git("checkout", "--quiet", "main", cwd=folder)
    found = replay(repo, base, tip, onto)
    assert isinstance(found, Replayed)
    assert len(found.pairs) == 5
    assert found.tip == rebased(folder, tip, onto)


def test_a_mode_is_part_of_a_patch(repo: Repository, folder: Path) -> None:
    """The same edit with a new mode is not the same patch: what has moved away since still gets the mode."""
    base = head(folder)
    git("checkout", "--quiet", "-B", "own", base, cwd=folder)
    edited = (folder / "src/app.py").read_text().replace("line 3\n", "line three\n")
    (folder / "src/app.py").chmod(0o755)
    tip = Oid(commit(folder, "edit and mode", {"src/app.py": edited}))
    git("checkout", "--quiet", "main", cwd=folder)
    onto = branch(
        folder, "onto", base, ("edit", {"src/app.py": edited}), ("move", {"src/app.py": None, "new.py": edited})
    )
    found = replay(repo, base, tip, onto)
    assert isinstance(found, Replayed)
    # the rebase of git 2.38 drops the commit, and loses the mode with it
    assert (found.tip == rebased(folder, tip, onto)) is (repo.version >= (2, 39))
    assert git("ls-tree", found.tip, "new.py", cwd=folder).startswith("100755 ")


def test_what_is_on_top_already_stays_as_it_is(repo: Repository, folder: Path) -> None:
    """Where nothing has landed since, no commit is written anew."""
    base = head(folder)
    tip = branch(folder, "own", base, ("one", {"one": "1"}), ("two", {"two": "2"}))
    found = replay(repo, base, tip, base)
    assert isinstance(found, Replayed)
    assert found.tip == tip
    assert all(old == new for old, new in found.pairs)


def test_a_stack_takes_only_its_own_commits(repo: Repository, folder: Path) -> None:
    """With the base on another task's old tip, that task's commits are not replayed again."""
    start = head(folder)
    base = branch(folder, "below", start, ("below", {"below": "1"}))
    tip = branch(folder, "own", base, ("own", {"own": "1"}))
    onto = branch(folder, "onto", start, ("landed and amended", {"below": "2"}))
    found = replay(repo, base, tip, onto)
    assert isinstance(found, Replayed)
    git("checkout", "--quiet", "--detach", tip, cwd=folder)
    git("rebase", "--quiet", "--onto", onto, base, cwd=folder)
    assert found.tip == head(folder)


def test_a_history_without_a_common_commit(repo: Repository, folder: Path) -> None:
    """An orphan branch is replayed as rebase does it."""
    git("checkout", "--quiet", "--orphan", "orphan", cwd=folder)
    git("rm", "-rfq", ".", cwd=folder)
    tip = Oid(commit(folder, "alone", {"alone": "1"}))
    git("checkout", "--quiet", "main", cwd=folder)
    onto = head(folder)
    found = replay(repo, onto, tip, onto)
    assert isinstance(found, Replayed)
    assert found.tip == rebased(folder, tip, onto)


def test_signatures_and_encodings(repo: Repository, folder: Path) -> None:
    """A signature, which cannot hold for the new commit, is dropped; a message's encoding ends as UTF-8."""
    base = head(folder)
    onto = branch(folder, "onto", base, ("other", {"other": "o"}))
    tree = git("rev-parse", branch(folder, "own", base, ("one", {"one": "1"})) + "^{tree}", cwd=folder)
    raw = f"tree {tree}\nparent {base}\nauthor A <a@b.c> 1 +0000\ncommitter A <a@b.c> 1 +0000\n".encode()
    raw += b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n"
    raw += b"encoding ISO-8859-1\n\ncaf\xe9\n"
    tip = Oid(git("hash-object", "-t", "commit", "-w", "--stdin", cwd=folder, input=raw))
    found = replay(repo, base, tip, onto)
    assert isinstance(found, Replayed)
    assert found.tip == rebased(folder, tip, onto)
    written = run("cat-file", "commit", found.tip, cwd=folder).stdout
    assert b"gpgsig" not in written
    assert written.endswith("\n\ncafé\n".encode())


def test_a_lie_about_the_encoding_loses_nothing(repo: Repository, folder: Path) -> None:
    """If a message is not in the encoding that its commit names, git takes its odd bytes for Latin-1."""
    base = head(folder)
    onto = branch(folder, "onto", base, ("other", {"other": "o"}))
    tree = git("rev-parse", branch(folder, "own", base, ("one", {"one": "1"})) + "^{tree}", cwd=folder)
    raw = f"tree {tree}\nparent {base}\nauthor A <a@b.c> 1 +0000\ncommitter A <a@b.c> 1 +0000\n".encode()
    raw += b"encoding no-such-thing\n\ncaf\xe9\n"
    tip = Oid(git("hash-object", "-t", "commit", "-w", "--stdin", cwd=folder, input=raw))
    found = replay(repo, base, tip, onto)
    assert isinstance(found, Replayed)
    assert found.tip == rebased(folder, tip, onto)
    assert run("cat-file", "commit", found.tip, cwd=folder).stdout.endswith("\n\ncafé\n".encode())


@pytest.mark.parametrize("place", ["", "src/"])
def test_attributes_say_how_files_merge(repo: Repository, folder: Path, place: str) -> None:
    """A union driver merges and a binary file conflicts, as in a checkout; whatever the user has checked out."""
    git("checkout", "--quiet", "-b", "start", cwd=folder)
    commit(folder, "rules", {f"{place}.gitattributes": "list.txt merge=union\n*.lock binary\n"})
    base = Oid(commit(folder, "files", {f"{place}list.txt": "a\n", f"{place}x.lock": "1\n2\n3\n4\n5\n6\n"}))
    for name, one, two in (("list.txt", "a\nb\n", "a\nc\n"), ("x.lock", "0\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\n7\n")):
        tip = branch(folder, "own", base, ("own", {place + name: one}))
        onto = branch(folder, "onto", base, ("landed", {place + name: two}))
        history = History(0, base, tip, onto)
        assert replayed(repo, history) == rebased(folder, tip, onto)
        git("checkout", "--quiet", "main", cwd=folder)
        found = replayed(repo, history)
        assert isinstance(found, Conflicted) == (name == "x.lock")
        assert isinstance(merge_heads(repo, [onto, tip], "m"), Conflicted) == (name == "x.lock")


@pytest.mark.parametrize(
    "command", ["./tools/unite %O %A %B", "sh tools/unite '%O' %A %B", "python3 -c 0 tools/away %A"]
)
def test_a_merge_driver_beside_the_files(repo: Repository, folder: Path, command: str) -> None:
    """A driver that the user's settings name by a path in the checkout runs as in `git rebase`."""
    script = folder / "tools/unite"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\nsort -u "$2" "$3" > "$2.new" && mv "$2.new" "$2"\n')
    script.chmod(0o755)
    commit(folder, "rules", {".gitattributes": "*.txt merge=unite\n"})
    base = Oid(commit(folder, "files", {"list.txt": "a\n"}))
    git("config", "merge.unite.driver", command, cwd=folder)
    tip = branch(folder, "own", base, ("own", {"list.txt": "a\nb\n"}))
    onto = branch(folder, "onto", base, ("landed", {"list.txt": "a\nc\n"}))
    git("checkout", "--quiet", "main", cwd=folder)
    repo.forget_settings()
    assert replayed(repo, History(0, base, tip, onto)) == rebased(folder, tip, onto)


def test_nothing_of_the_user_moves(repo: Repository, folder: Path) -> None:
    """Neither a clean replay nor a conflict touches refs, index or files."""
    base = head(folder)
    tip = branch(folder, "own", base, ("ours", {"README.md": "ours\n"}))
    onto = branch(folder, "onto", base, ("theirs", {"README.md": "theirs\n"}))
    (folder / "src/app.py").write_text("unsaved work\n")
    git("add", "src/app.py", cwd=folder)
    (folder / "README.md").write_text("not even staged\n")

    def seen() -> tuple[str, str, bytes]:
        return (
            git("for-each-ref", cwd=folder),
            git("status", "--porcelain", cwd=folder),
            (folder / ".git/index").read_bytes(),
        )

    before = seen()
    assert clash(replay(repo, base, tip, onto)) == (tip, ("README.md",))
    assert isinstance(replay(repo, base, tip, base), Replayed)
    assert seen() == before


def test_a_tree_of_two_commits(repo: Repository, folder: Path) -> None:
    """Two sides merge into the tree that `git merge` makes, or conflict in the same paths."""
    base = head(folder)
    one = branch(folder, "one", base, ("one", {"src/app.py": "x\n" + (folder / "src/app.py").read_text()}))
    two = branch(folder, "two", base, ("two", {"src/app.py": (folder / "src/app.py").read_text() + "y\n"}))
    three = branch(folder, "three", base, ("three", {"src/app.py": "z\n"}))
    git("checkout", "--quiet", "--detach", one, cwd=folder)
    git("merge", "--quiet", "-m", "m", two, cwd=folder)
    with MemoryReplayer(repo) as replayer:
        assert replayer.merge(one, two) == Merged(Oid(git("rev-parse", "HEAD^{tree}", cwd=folder)))
        assert clash(replayer.merge(one, three)) == (three, ("src/app.py",))


def test_heads_merge_to_the_same_commit_every_time(
    repo: Repository, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge of several tips depends on them alone: not on who merges, nor when, nor on heads that others hold."""
    base = head(folder)
    heads = [branch(folder, f"h{number}", base, (f"{number}", {f"f{number}": "x"})) for number in range(3)]
    first = merge_heads(repo, heads, "Bases\n")
    for name, value in {
        "GIT_COMMITTER_DATE": "1999-01-01T00:00:00Z",
        "GIT_COMMITTER_NAME": "Else",
        "TZ": "Asia/Tokyo",
    }.items():
        monkeypatch.setenv(name, value)
    assert merge_heads(repo, heads, "Bases\n") == first
    assert merge_heads(repo, [base, *heads, heads[0]], "Bases\n") == first
    assert isinstance(first, str)
    assert {"f0", "f1", "f2"} <= set(git("ls-tree", "--name-only", first, cwd=folder).split())
    assert all(repo.is_ancestor(one, first) for one in heads)
    assert merge_heads(repo, [heads[0]], "Bases\n") == heads[0]
    assert merge_heads(repo, [base, heads[1]], "Bases\n") == heads[1]


def test_heads_that_conflict(repo: Repository, folder: Path) -> None:
    """The head that cannot be combined with those before it is named, and the paths."""
    base = head(folder)
    one = branch(folder, "one", base, ("one", {"README.md": "one\n"}))
    two = branch(folder, "two", base, ("two", {"README.md": "two\n"}))
    assert clash(merge_heads(repo, [one, two], "Bases\n")) == (two, ("README.md",))


SEQUENCES = int(os.environ.get("GITORCH_TEST_SEQUENCES") or scaled(20))
_TOGETHER = 250  # sequences in one repository: git grows slow over loose objects that nothing points at


@pytest.mark.parametrize("whole", [False, True])
def test_a_sequence_is_rebased_branch_by_branch(empties: Iterator[Repository], whole: bool) -> None:
    """Branches and stacks put on each other in memory, by either way, are what `git rebase` makes one by one."""
    counted = Counter[str]()
    for first in range(0, SEQUENCES, _TOGETHER):
        repository = next(empties)
        assert repository.work_tree is not None
        for queue in write_sequences(repository.work_tree, range(first, min(first + _TOGETHER, SEQUENCES))):
            counted.update(_compared(repository, queue, whole=whole))
    print(f"{SEQUENCES} sequences, {counted.total()} branches as git rebase has them: {dict(counted)}")
    assert counted["in"]
    assert counted["conflicting"]


def _compared(repository: Repository, queue: Queue, *, whole: bool) -> Iterator[str]:
    """Put the branches of one sequence on each other by both; yield for each how both saw it."""
    assert repository.work_tree is not None
    with MemoryReplayer(repository, whole_trees=whole) as replayer:
        replayer.read([CommitRange(line.base, line.tip) for line in queue.lines], queue.onto)
        here, landed = queue.onto, set[int]()
        for number, line in enumerate(queue.lines):
            others = tuple(queue.lines[one].tip for one in sorted(landed))
            found = replayer.replay(CommitRange(line.base, line.tip, others), here)
            if isinstance(found, Replayed):
                replayer.keep(found.tip)
            expected = truth(repository.work_tree, queue, line, here)
            got = found.tip if isinstance(found, Replayed) else clash(found)
            if isinstance(got, tuple) and isinstance(expected, tuple) and not expected[1]:
                got = (got[0], ())  # git failed over its own conflict, and could not write an index
            assert got == expected, (queue, number)
            if isinstance(found, Replayed):
                here = found.tip
                landed.add(number)
            yield "in" if isinstance(found, Replayed) else "conflicting"


def truth(folder: Path, queue: Queue, line: Line, here: Oid) -> Oid | tuple[Oid, tuple[str, ...]]:
    # a parent that went in as it was is below already: then it is no stack any more
    below = run("merge-base", "--is-ancestor", line.base, here, cwd=folder, ok=(0, 1)).returncode == 0
    rebase = [here] if below else ["--onto", here, line.base]
    expected = rebased(folder, line.tip, *rebase)
    return expected if isinstance(expected, str) else (expected.commit, expected.paths)
