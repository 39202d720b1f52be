"""Conflict help: what was solved before and what can be made again goes in; everything else stays a conflict."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitorch.flow.merge import KnownResolutions, MergeReplayer, merge_replayer, resolved_files
from gitorch.flow.merge.resolution.remembered import RESOLVED, FileResolutions, HunkResolutions, Sides, sides
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, Conflicted, MemoryReplayer, Replayed, Replayer
from tests.support.git import commit, git
from tests.support.tasks import make_task

LINES = [f"line {number}\n" for number in range(1, 21)]
Files = Mapping[str, str | bytes | None]


def text(**lines: str) -> str:
    """Return twenty lines, some of them others: `text(l3="x")`."""
    return "".join(lines.get(f"l{at}", line.rstrip("\n")) + "\n" for at, line in enumerate(LINES, start=1))


class History:
    """A base, a branch of own commits, and what landed meanwhile."""

    def __init__(self, repo: Repository) -> None:
        assert repo.work_tree is not None
        self.repo, self.top = repo, repo.work_tree
        self.base = Oid(commit(self.top, "Base\n", {"f": text()}))

    def branch(self, start: str, *changes: Files) -> Oid:
        git("checkout", "--quiet", "--detach", start, cwd=self.top)
        for number, files in enumerate(changes):
            commit(self.top, f"Change {number} {sorted(files)}\n", files)
        tip = Oid(git("rev-parse", "HEAD", cwd=self.top))
        git("checkout", "--quiet", "main", cwd=self.top)
        return tip

    def merged(self, into: Oid, other: Oid, files: Files) -> Oid:
        """Merge `other` into a branch, as a person does who solves the conflict."""
        git("checkout", "--quiet", "--detach", into, cwd=self.top)
        git("merge", "--quiet", "--no-commit", other, cwd=self.top, ok=(0, 1))
        tip = Oid(commit(self.top, "Merge\n", files))
        git("checkout", "--quiet", "main", cwd=self.top)
        return tip

    def show(self, commit: Oid, path: str = "f") -> str:
        return git("show", f"{commit}:{path}", cwd=self.top) + "\n"


@pytest.fixture
def history(repo: Repository) -> History:
    return History(repo)


def conflict(history: History, own: Oid, onto: Oid) -> Conflicted:
    found = MemoryReplayer(history.repo).replay(CommitRange(history.base, own), onto)
    assert isinstance(found, Conflicted)
    return found


def learn(history: History, own: Oid, onto: Oid, solved: Files) -> None:
    """Have it learn how a conflict between two branches was solved."""
    answer = history.branch(onto, solved)
    found = sides(conflict(history, own, onto))
    KnownResolutions(history.repo).learn(resolved_files(history.repo, answer, found))


def replayed(replayer: Replayer, own: CommitRange, onto: Oid) -> Replayed:
    """Replay, and keep the result for git to see."""
    found = replayer.replay(own, onto)
    assert isinstance(found, Replayed), found
    replayer.keep(found.tip)
    return found


def test_a_file_that_was_solved_is_solved_again(history: History) -> None:
    """With the same three sides the answer is the same, whichever side is whose; the commit keeps author and words."""
    own = history.branch(history.base, {"f": text(l10="own")})
    onto = history.branch(history.base, {"f": text(l10="there")})
    learn(history, own, onto, {"f": text(l10="both")})
    found = replayed(merge_replayer(MemoryReplayer(history.repo)), CommitRange(history.base, own), onto)
    assert history.show(found.tip) == text(l10="both")
    assert [(one.commit, one.paths, one.by) for one in found.resolved] == [(own, ("f",), "memory")]
    words = "--format=%an %ae %at %B"
    assert git("log", "-1", words, found.tip, cwd=history.top) == git("log", "-1", words, own, cwd=history.top)
    back = replayed(merge_replayer(MemoryReplayer(history.repo)), CommitRange(history.base, onto), own)
    assert history.show(back.tip) == text(l10="both")


def test_what_is_remembered_is_kept(history: History) -> None:
    """Solved files are reachable from a ref of gitorch's, so that no garbage collection takes them."""
    own = history.branch(history.base, {"f": text(l10="own")})
    onto = history.branch(history.base, {"f": text(l10="there")})
    learn(history, own, onto, {"f": text(l10="both")})
    learn(history, own, onto, {"f": text(l10="both")})
    assert git("rev-list", "--count", RESOLVED, cwd=history.top) == "1", "what is known is not written again"
    learn(history, own, onto, {"f": text(l10="better")})
    blob = git("hash-object", "--stdin", cwd=history.top, input=text(l10="better").encode())
    assert blob in git("rev-list", "--objects", RESOLVED, cwd=history.top)
    (known,) = sides(conflict(history, own, onto)).values()
    assert known is not None
    assert FileResolutions(history.repo).recall({"f": known}) == {"f": blob}


def test_a_hunk_that_was_solved_is_solved_elsewhere(history: History) -> None:
    """The same hunk in a file that has changed since is solved by rerere, beside the user's own cache."""
    own = history.branch(history.base, {"f": text(l10="own")})
    onto = history.branch(history.base, {"f": text(l10="there")})
    learn(history, own, onto, {"f": text(l10="both")})
    later = history.branch(history.base, {"f": text(l2="later", l10="there")})
    found = replayed(merge_replayer(MemoryReplayer(history.repo)), CommitRange(history.base, own), later)
    assert history.show(found.tip) == text(l2="later", l10="both")
    assert [one.by for one in found.resolved] == ["rerere"]
    assert not (history.repo.common_dir / "rr-cache").exists()
    assert git("status", "--porcelain", cwd=history.top) == ""


def test_one_unknown_file_leaves_the_conflict(history: History) -> None:
    """Half a solution is none: the conflict comes back as it was, and nobody's side is taken."""
    own = history.branch(history.base, {"f": text(l10="own")}, {"f": text(l10="own"), "g": "own\n"})
    onto = history.branch(history.base, {"f": text(l10="there"), "g": "there\n"})
    learn(history, own, onto, {"f": text(l10="both")})
    resolver = merge_replayer(MemoryReplayer(history.repo))
    found = resolver.replay(CommitRange(history.base, own), onto)
    assert isinstance(found, Conflicted)
    assert resolver.unsolved == {own: found}


def test_commits_around_a_solved_one_go_in(history: History) -> None:
    """Commits before and after the one in conflict are replayed as ever, and every commit has its pair."""
    own = history.branch(
        history.base,
        {"a": "1\n"},
        {"f": text(l10="own")},
        {"b": "1\n"},
        {"f": text(l10="own", l3="more")},
        {"a": "2\n"},
    )
    onto = history.branch(history.base, {"f": text(l10="there")})
    first = history.branch(history.base, {"f": text(l10="own")})
    learn(history, first, onto, {"f": text(l10="both")})
    found = replayed(merge_replayer(MemoryReplayer(history.repo)), CommitRange(history.base, own), onto)
    assert history.show(found.tip) == text(l10="both", l3="more")
    assert (history.show(found.tip, "a"), history.show(found.tip, "b")) == ("2\n", "1\n")
    old = git("rev-list", "--reverse", f"{history.base}..{own}", cwd=history.top).split()
    new = git("rev-list", "--reverse", f"{onto}..{found.tip}", cwd=history.top).split()
    assert found.pairs == tuple(zip(old, new, strict=True))


def test_a_resolved_commit_of_a_side_branch_takes_nothing_of_others(history: History) -> None:
    """Where commits lie side by side, the resolved one has its own change, or the conflict stays."""
    plain = history.branch(history.base, {"a": "1\n"}, {"b": "1\n"})
    clashing = history.branch(history.base, {"f": text(l10="own")})
    onto = history.branch(history.base, {"f": text(l10="there")})
    learn(history, clashing, onto, {"f": text(l10="both")})
    for tip in (history.merged(plain, clashing, {}), history.merged(clashing, plain, {})):
        with merge_replayer(MemoryReplayer(history.repo)) as replayer:
            outcome = replayer.replay(CommitRange(history.base, tip), onto)
            if isinstance(outcome, Replayed):
                replayer.keep(outcome.tip)
                paths = {
                    old: git("diff-tree", "-r", "--name-only", "--no-commit-id", new, cwd=history.top)
                    for old, new in outcome.pairs
                }
                assert paths[clashing] == "f"


def test_a_repeated_change_is_not_lost_behind_a_solved_conflict(history: History) -> None:
    """A change that a branch makes, takes back and makes again is there in the end."""
    changes = ({"a": "1\n"}, {"a": None}, {"f": text(l10="own")}, {"a": "1\n"})
    own = history.branch(history.base, *changes)
    onto = history.branch(history.base, {"f": text(l10="there")})
    learn(history, history.branch(history.base, {"f": text(l10="own")}), onto, {"f": text(l10="both")})
    found = replayed(merge_replayer(MemoryReplayer(history.repo)), CommitRange(history.base, own), onto)
    assert history.show(found.tip, "a") == "1\n"
    assert history.show(found.tip) == text(l10="both")


def test_a_merge_on_the_branch_teaches(history: History) -> None:
    """A person who merges into the branch and solves the conflict there has solved it: the replay drops the merge."""
    own = history.branch(history.base, {"f": text(l10="own")})
    onto = history.branch(history.base, {"f": text(l10="there")})
    assert isinstance(
        merge_replayer(MemoryReplayer(history.repo)).replay(CommitRange(history.base, own), onto), Conflicted
    )
    solved = history.merged(own, onto, {"f": text(l10="both")})
    found = replayed(merge_replayer(MemoryReplayer(history.repo)), CommitRange(history.base, solved), onto)
    assert history.show(found.tip) == text(l10="both")
    assert found.resolved[0].by == "memory"


def test_markers_are_no_solution(history: History) -> None:
    """A file that was committed with git's conflict markers teaches nothing."""
    own = history.branch(history.base, {"f": text(l10="own")})
    onto = history.branch(history.base, {"f": text(l10="there")})
    solved = history.merged(own, onto, {"f": text(l10="<<<<<<< HEAD\nown\n=======\nthere\n>>>>>>> there")})
    assert isinstance(
        merge_replayer(MemoryReplayer(history.repo)).replay(CommitRange(history.base, solved), onto), Conflicted
    )
    assert RESOLVED not in history.repo.refs()


@pytest.mark.parametrize("kind", ["deleted", "mode", "binary", "link"])
def test_what_is_not_the_same_ordinary_file_stays(history: History, kind: str) -> None:
    """A deletion, a change of mode on one side, a link: not for a memory of contents. A binary file is, as a whole."""
    other: dict[str, Files] = {
        "deleted": {"f": None},
        "mode": {"f": text(l10="there")},
        "binary": {"f": b"\0there"},
        "link": {"f": text(l10="there")},
    }
    own = history.branch(history.base, {"f": b"\0own" if kind == "binary" else text(l10="own")})
    onto = history.branch(history.base, other[kind])
    if kind == "mode":
        onto = _changed_by_hand(history, onto, "100755")
    if kind == "link":
        onto = _changed_by_hand(history, onto, "120000")
    found = sides(conflict(history, own, onto))
    assert all((one is not None) == (kind == "binary") for one in found.values())
    assert isinstance(
        merge_replayer(MemoryReplayer(history.repo)).replay(CommitRange(history.base, own), onto), Conflicted
    )


def _changed_by_hand(history: History, tip: Oid, mode: str) -> Oid:
    blob = git("rev-parse", f"{tip}:f", cwd=history.top)
    entries = git("ls-tree", tip, cwd=history.top).splitlines()
    kept = [line for line in entries if not line.endswith("\tf")] + [f"{mode} blob {blob}\tf"]
    tree = git("mktree", cwd=history.top, input="".join(f"{line}\n" for line in kept).encode())
    return Oid(git("commit-tree", tree, "-p", history.base, "-m", "mode", cwd=history.top))


def test_binary_files_are_not_for_hunks(history: History) -> None:
    """What has no lines is solved as a whole or not at all."""
    one, two, three = (
        Oid(git("hash-object", "-w", "--stdin", cwd=history.top, input=b"\0" + word)) for word in (b"a", b"b", b"c")
    )
    hunks = HunkResolutions(history.repo)
    hunks.learn({Sides(one, two, three): one})
    assert hunks.recall({"f": Sides(one, two, three)}) == {}
    assert hunks.recall({"f": Sides(None, two, three)}) == {}


def test_union_files_go_in_by_gits_own_rule(history: History) -> None:
    """`merge=union` in .gitattributes is no conflict at all, and nothing is said to be solved."""
    history.base = history.branch(history.base, {".gitattributes": "list merge=union\n", "list": "a\n"})
    own = history.branch(history.base, {"list": "a\nown\n"})
    onto = history.branch(history.base, {"list": "a\nthere\n"})
    found = replayed(merge_replayer(MemoryReplayer(history.repo)), CommitRange(history.base, own), onto)
    assert set(history.show(found.tip, "list").split()) == {"a", "own", "there"}
    assert found.resolved == ()


def test_a_driver_of_the_users_is_asked(history: History, tmp_path: Path) -> None:
    """A merge driver that the user has configured solves the files that .gitattributes gives it."""
    driver = tmp_path / "driver"
    driver.write_text('#!/bin/sh\ngrep -h line "$1" >"$2.new"; echo "driven" >>"$2.new"; mv "$2.new" "$2"\n')
    driver.chmod(driver.stat().st_mode | stat.S_IXUSR)
    history.base = history.branch(history.base, {".gitattributes": "f merge=syntax\n"})
    own = history.branch(history.base, {"f": text(l10="own")})
    onto = history.branch(history.base, {"f": text(l10="there")})
    assert isinstance(
        merge_replayer(MemoryReplayer(history.repo)).replay(CommitRange(history.base, own), onto), Conflicted
    )
    git("config", "--global", "merge.syntax.driver", f"{driver} %O %A %B", cwd=history.top)
    found = replayed(merge_replayer(MemoryReplayer(history.repo)), CommitRange(history.base, own), onto)
    assert history.show(found.tip) == text() + "driven\n"


def made(history: History, content: str) -> tuple[MergeReplayer, list[str]]:
    """Return a resolver whose command for `*.lock` makes this content of every file's names, and what it was asked."""
    asked: list[str] = []

    def make(commit: Oid, wanted: Mapping[str, str]) -> Mapping[str, Oid] | None:
        asked.append(history.show(commit, "x.lock"))
        blob = git("hash-object", "-w", "--stdin", cwd=history.top, input=content.encode())
        return {path: Oid(blob) for path in wanted} if content else None

    return merge_replayer(MemoryReplayer(history.repo), {"*.lock": "make it"}, make), asked


def test_a_file_that_a_command_makes_is_made_anew(history: History) -> None:
    """It is never merged as text: the command sees the merged tree with the version that is there."""
    history.base = history.branch(history.base, {"x.lock": "1\n", "sub/y.lock": "1\n"})
    own = history.branch(history.base, {"x.lock": "own\n", "a": "own\n"})
    onto = history.branch(history.base, {"x.lock": "there\n"})
    resolver, asked = made(history, "made\n")
    found = replayed(resolver, CommitRange(history.base, own), onto)
    assert asked == ["there\n"]
    assert (history.show(found.tip, "x.lock"), history.show(found.tip, "a")) == ("made\n", "own\n")
    assert [(one.paths, one.by) for one in found.resolved] == [(("x.lock",), "regenerate")]
    replayed(resolver, CommitRange(history.base, own), onto)
    assert len(asked) == 1, "the same tree is made once"


def test_a_command_that_fails_leaves_the_conflict(history: History) -> None:
    """A file that could not be made is a conflict; so is one beside a file that nothing helps with."""
    history.base = history.branch(history.base, {"x.lock": "1\n"})
    own = history.branch(history.base, {"x.lock": "own\n"})
    both = history.branch(history.base, {"x.lock": "own\n", "f": text(l10="own")})
    onto = history.branch(history.base, {"x.lock": "there\n", "f": text(l10="there")})
    resolver, asked = made(history, "")
    assert isinstance(resolver.replay(CommitRange(history.base, own), onto), Conflicted)
    assert len(asked) == 1
    resolver, asked = made(history, "made\n")
    assert isinstance(resolver.replay(CommitRange(history.base, both), onto), Conflicted)
    assert asked == []


def test_a_dry_run_runs_no_command(history: History) -> None:
    """It goes on with the version that is there, and says that the file would be made anew."""
    history.base = history.branch(history.base, {"x.lock": "1\n"})
    own = history.branch(history.base, {"x.lock": "own\n", "a": "1\n"})
    onto = history.branch(history.base, {"x.lock": "there\n"})
    found = replayed(
        merge_replayer(MemoryReplayer(history.repo), {"x.lock": "false"}), CommitRange(history.base, own), onto
    )
    assert history.show(found.tip, "x.lock") == "there\n"
    assert found.resolved[0].by == "regenerate"


def test_odd_names(history: History) -> None:
    """A file's name may be anything: what is solved is the file of that name."""
    name = 'odd "näme\\\n*.txt'
    history.base = history.branch(history.base, {name: text(), "odd.txt": text()})
    own = history.branch(history.base, {name: text(l10="own")})
    onto = history.branch(history.base, {name: text(l10="there")})
    first = history.branch(history.base, {"odd.txt": text(l10="own")})
    learn(history, first, history.branch(history.base, {"odd.txt": text(l10="there")}), {"odd.txt": text(l10="both")})
    found = replayed(merge_replayer(MemoryReplayer(history.repo)), CommitRange(history.base, own), onto)
    assert history.show(found.tip, name) == text(l10="both")
    assert history.show(found.tip, "odd.txt") == text()


def test_squashed_and_solved(history: History) -> None:
    """Conflicts are resolved before commits are squashed: one commit, and what was resolved names the original."""
    from gitorch.model.naming import TaskId

    own = history.branch(history.base, {"f": text(l10="own")}, {"a": "1\n"})
    onto = history.branch(history.base, {"f": text(l10="there")})
    learn(history, history.branch(history.base, {"f": text(l10="own")}), onto, {"f": text(l10="both")})
    task = make_task(id=TaskId("t"), number=1, title="All of it", prompt="", base=history.base, tip=own)
    found = replayed(
        merge_replayer(MemoryReplayer(history.repo), tasks=[task], squash=True), CommitRange(history.base, own), onto
    )
    assert len({new for _, new in found.pairs}) == 1
    assert git("log", "--format=%s", f"{onto}..{found.tip}", cwd=history.top) == "All of it"
    assert history.show(found.tip) == text(l10="both")
    assert [one.by for one in found.resolved] == ["memory"]
