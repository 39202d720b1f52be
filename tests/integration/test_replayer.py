"""The replay engine beside its results: what is visible when, what it leaves behind, and odd repositories."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitorch.git.repository import GitFailed, Repository
from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, Conflicted, MemoryReplayer, Replayed, quarantine
from gitorch.replay.history import History
from tests.support.git import commit, commit_on_branch, git

LINES = [f"line {number}\n" for number in range(1, 21)]


def grown(folder: Path) -> tuple[Oid, Oid, Oid]:
    """Make a branch and a trunk that change one file in different places; return base, tip and onto."""
    folder.mkdir(parents=True, exist_ok=True)
    base = Oid(commit(folder, "start", {"src/app.py": "".join(LINES), "src/other.py": "x\n"}))
    git("checkout", "--quiet", "-b", "own", cwd=folder)
    tip = Oid(commit(folder, "own", {"src/app.py": "".join(["first\n", *LINES]), "src/new.py": "n\n"}))
    git("checkout", "--quiet", "--detach", base, cwd=folder)
    onto = Oid(commit(folder, "trunk", {"src/app.py": "".join([*LINES, "last\n"])}))
    return base, tip, onto


@pytest.mark.parametrize("name", ["plain", 'quo"te', "co:lon", "new\nline", "back\\slash", "ünï"])
@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_any_place_and_any_kind_of_ids(tmp_path: Path, name: str, form: str) -> None:
    """A replay gives what `git rebase` gives, wherever the repository is and however it names objects."""
    folder = tmp_path / name
    folder.mkdir()
    git("init", "--quiet", f"--object-format={form}", cwd=folder)
    base, tip, onto = grown(folder)
    repository = Repository.discover(folder)
    with MemoryReplayer(repository) as replayer:
        done = replayer.replay(CommitRange(base, tip), onto)
        assert isinstance(done, Replayed)
        replayer.keep(done.tip)
    git("fsck", "--strict", cwd=folder)
    text = git("show", f"{done.tip}:src/app.py", cwd=folder)
    assert text.splitlines() == ["first", *"".join(LINES).splitlines(), "last"]
    git("checkout", "--quiet", "--detach", tip, cwd=folder)
    git("rebase", "--quiet", onto, cwd=folder)
    assert git("rev-parse", "HEAD^{tree}", cwd=folder) == git("rev-parse", f"{done.tip}^{{tree}}", cwd=folder)


def test_what_several_growing_sequences_reach(repo: Repository) -> None:
    """Asked in turns, shortened and begun anew, a sequence of tips reaches what each of them reaches."""
    assert repo.work_tree is not None
    base = Oid(git("rev-parse", "HEAD", cwd=repo.work_tree))
    tips = [Oid(commit_on_branch(repo.work_tree, f"b{n}", base, (f"{n}\n", {f"{n}": "x\n"}))) for n in range(5)]
    history = History(repo)
    history.read([CommitRange(base, tip) for tip in tips], base)
    for count in (1, 2, 0, 3, 1, 5, 0, 2, 4):
        for sequence in (tips[:count], tips[:1], [tips[4], *tips[:count]]):
            reached = set[Oid]().union(*(history.reachable(tip) for tip in sequence))
            assert history.reachable_from(sequence) == reached
    assert tips[0] in history.reachable(tips[0])


def test_a_merge_of_many_hides_no_other_commit(repo: Repository) -> None:
    """One branch has a commit with thousands of parents; what the next one changes is read all the same."""
    assert repo.work_tree is not None
    base = Oid(git("rev-parse", "HEAD", cwd=repo.work_tree))
    plain = [Oid(commit_on_branch(repo.work_tree, f"b{n}", base, (f"{n}\n", {f"{n}": "x\n"}))) for n in range(4)]
    octopus = f"tree {git('rev-parse', 'b0^{tree}', cwd=repo.work_tree)}\n" + f"parent {base}\n" * 2000
    octopus += "author a <a@x.org> 1900000000 +0000\ncommitter a <a@x.org> 1900000000 +0000\n\nmany\n"
    words = ("hash-object", "-t", "commit", "-w", "--stdin")
    many = Oid(git(*words, cwd=repo.work_tree, input=octopus.encode()))
    history = History(repo)
    history.read([CommitRange(base, tip) for tip in (many, *plain)], base)
    assert [len(history.pick(tip).changes) for tip in plain] == [1, 1, 1, 1]


def test_nothing_is_visible_before_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay puts no object into the repository and nothing into its folder; `keep` puts all that is needed."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git("init", "--quiet", cwd=folder)
    base, tip, onto = grown(folder)
    repository = Repository.discover(folder)
    before = sorted(path for path in repository.common_dir.rglob("*") if path.name != "index")
    with MemoryReplayer(repository) as replayer:
        done = replayer.replay(CommitRange(base, tip), onto)
        assert isinstance(done, Replayed)
        place = replayer._quarantine.folder
        assert place.exists()
        assert replayer.file(replayer.tree(done.tip), "src/new.py") == b"n\n"
        assert replayer.paths(CommitRange(base, tip), onto) == {"src/app.py", "src/new.py"}
        assert not repository.exists(done.tip)
        assert sorted(path for path in repository.common_dir.rglob("*") if path.name != "index") == before
        replayer.keep(done.tip)
        replayer.keep(done.tip)  # a second time there is nothing left to do
        assert repository.exists(done.tip)
    assert not place.exists()
    git("fsck", "--strict", "--connectivity-only", cwd=folder)
    assert len([*(repository.common_dir / "objects/pack").glob("*.pack")]) == 1


def test_a_replay_on_a_replay(tmp_path: Path) -> None:
    """What was made in memory can be built on, and keeping the end keeps all of it."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git("init", "--quiet", cwd=folder)
    base, tip, onto = grown(folder)
    git("checkout", "--quiet", "--detach", base, cwd=folder)
    second = Oid(commit(folder, "second", {"src/app.py": "".join([*LINES[:10], "middle\n", *LINES[10:]])}))
    with MemoryReplayer(Repository.discover(folder)) as replayer:
        one = replayer.replay(CommitRange(base, tip), onto)
        assert isinstance(one, Replayed)
        two = replayer.replay(CommitRange(base, second, (tip,)), one.tip)
        assert isinstance(two, Replayed)
        again = replayer.replay(CommitRange(base, second), onto)  # and another order beside it
        assert isinstance(again, Replayed)
        assert again.tip != two.tip
        replayer.keep(two.tip)
    log = git("log", "--format=%s", two.tip, cwd=folder)
    assert log.split() == ["second", "own", "trunk", "start"]


def test_a_conflict_holds_its_stages_and_both_sides(tmp_path: Path) -> None:
    """The paths, the three stages, and the whole tree with markers in the file are there to be shown."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git("init", "--quiet", cwd=folder)
    base, tip, _ = grown(folder)
    git("checkout", "--quiet", "--detach", base, cwd=folder)
    onto = Oid(commit(folder, "clash", {"src/app.py": "".join(["other\n", *LINES])}))
    with MemoryReplayer(Repository.discover(folder)) as replayer:
        found = replayer.replay(CommitRange(base, tip), onto)
        assert isinstance(found, Conflicted)
        assert found.commit == tip
        assert found.paths == ("src/app.py",)
        assert [stage.number for stage in found.stages] == [1, 2, 3]
        assert found.tree is not None
        text = replayer.file(found.tree, "src/app.py")
        assert text is not None
        assert b"<<<<<<<" in text
        assert b"other\n=======\nfirst\n" in text
        assert replayer.file(found.tree, "src/new.py") == b"n\n"
        assert replayer.file(found.tree, "src/other.py") == b"x\n"
        assert replayer.file(found.tree, "nowhere") is None


def test_what_a_killed_merge_left_is_swept(tmp_path: Path) -> None:
    """A folder of objects whose process is gone goes with the next merge; one whose process lives stays."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git("init", "--quiet", cwd=folder)
    base, tip, onto = grown(folder)
    repository = Repository.discover(folder)
    place = quarantine.quarantine_root(repository.common_dir)
    child = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(child, 0)
    dead, alive = place / f"gitorch-objects-{child}-dead", place / f"gitorch-objects-{os.getpid()}-alive"
    for one in (dead, alive):
        (one / "objects").mkdir(parents=True)
    try:
        with MemoryReplayer(repository) as replayer:
            replayer.replay(CommitRange(base, tip), onto)
            assert not dead.exists()
            assert alive.exists()
    finally:
        (alive / "objects").rmdir()
        alive.rmdir()


def test_an_object_that_is_missing_is_said(tmp_path: Path) -> None:
    """A repository that lacks a commit it names is an error with the commit's id, not a wrong result."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git("init", "--quiet", cwd=folder)
    base, tip, _ = grown(folder)
    with MemoryReplayer(Repository.discover(folder)) as replayer, pytest.raises(GitFailed):
        replayer.replay(CommitRange(base, tip), Oid("1" * 40))


def test_a_replayer_that_nobody_closed_ends_with_its_process(tmp_path: Path) -> None:
    """A process that leaves without closing its replayer ends as it meant to, and its git processes with it."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git("init", "--quiet", cwd=folder)
    base, tip, onto = grown(folder)
    script = f"""
import pathlib, sys
from gitorch.replay import CommitRange, MemoryReplayer
from gitorch.git.repository import Repository
replayer = MemoryReplayer(Repository.discover(pathlib.Path({str(folder)!r})))
print(replayer.replay(CommitRange({base!r}, {tip!r}), {onto!r}).tip)
sys.exit(5)
"""
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": root}, capture_output=True, timeout=300
    )
    assert done.returncode == 5, done.stderr
    assert len(done.stdout.strip()) == 40
    assert done.stderr == b""
