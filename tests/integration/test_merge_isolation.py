"""One task's trouble is its own: whatever keeps it from being planned, the rest goes in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from gitorch.errors import SetupNeeded
from gitorch.flow.forecast import pairs
from gitorch.flow.forecast.pairs import Branch
from gitorch.flow.merge import merge_replayer, plan
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, change
from gitorch.replay import CommitRange, Conflicted, MemoryReplayer, Replayed
from tests.support.branches import Branches, merged
from tests.support.git import git
from tests.support.tasks import make_task


@pytest.fixture
def branches(repo: Repository) -> Iterator[Branches]:
    with MemoryReplayer(repo) as replayer:
        yield Branches(repo, merge_replayer(replayer))


class Failing(MemoryReplayer):
    """A replayer that raises an error for one branch."""

    def __init__(self, repository: Repository, tip: Oid, error: Exception, *, reading: bool = False) -> None:
        super().__init__(repository)
        self.tip, self.error, self.reading = tip, error, reading

    def read(self, ranges: Iterable[CommitRange], onto: Oid) -> None:
        ranges = list(ranges)
        if self.reading and any(commits.tip == self.tip for commits in ranges):
            raise self.error
        super().read(ranges, onto)

    def replay(self, commits: CommitRange, onto: Oid) -> Replayed | Conflicted:
        if not self.reading and commits.tip == self.tip:
            raise self.error
        return super().replay(commits, onto)


def remove_object(branches: Branches, name: str) -> None:
    """Remove an object from the repository, as a damaged disk does."""
    oid = branches.at(name)
    (branches.repo.common_dir / "objects" / oid[:2] / oid[2:]).unlink()


def commit_three(branches: Branches) -> None:
    """Make three approved tasks; `first` and `broken` both add a file, `broken` has one of its own."""
    branches.git("checkout", "--quiet", "--detach", branches.main)
    for name, content in (("first", "a\nb\nc\nd\ne\n"), ("broken", "x\na\n"), ("last", "l\n")):
        branches.git("checkout", "--quiet", "-B", f"orch/{name}", branches.main)
        (branches.top / ("shared.txt" if name != "last" else "last.txt")).write_text(content)
        if name == "broken":
            (branches.top / "own.txt").write_text("nobody else has it\n")
        branches.git("add", "--all")
        branches.git("commit", "--quiet", "-m", name)
        branches._approved(name, branches.main, branches.at("HEAD"))
    branches.git("checkout", "--quiet", "main")


def test_a_partial_clone_may_lack_files(branches: Branches) -> None:
    """There git fetches a file when it is needed: what is taken over as it is need not be here."""
    branches.git("config", "remote.origin.promisor", "true")
    branches.git("config", "remote.origin.url", "/nowhere")
    branches.task("first", {"first.txt": "x\n"})
    branches.task("last", {"last.txt": "y\n"})
    remove_object(branches, "orch/last:last.txt")
    branches.repo.forget_settings()
    assert merged(branches.plan()) == ["first", "last"]


@pytest.mark.parametrize("part", ["", "^{tree}", ":shared.txt", ":own.txt"])
def test_a_task_with_a_missing_object_is_held(branches: Branches, part: str) -> None:
    """A commit, a tree or a file that is gone holds the task that has it, and what builds on it.

    This includes a file that a merge need not read.
    """
    commit_three(branches)
    remove_object(branches, f"orch/broken{part}")
    result = branches.plan()
    assert merged(result) == ["first", "last"]
    (blocked,) = result.blocked
    assert blocked.task.id == "broken"
    assert blocked.reason.startswith("it cannot be planned: ")
    assert blocked.error is not None


@pytest.mark.parametrize("reading", [False, True])
def test_a_bug_in_one_task_holds_it_with_a_traceback(branches: Branches, reading: bool) -> None:
    """An exception that nobody foresaw is shown by name, and the rest goes in; a dependent task waits."""
    branches.task("first", {"first.txt": "x\n"})
    broken = branches.task("broken", {"broken.txt": "x\n"})
    branches.task("above", {"above.txt": "x\n"}, after="broken")
    branches.task("last", {"last.txt": "x\n"})
    assert broken.tip is not None
    error = KeyError("caf\udce9")
    with Failing(branches.repo, broken.tip, error, reading=reading) as replayer:
        result = plan(replayer, branches.tasks, list(branches.tasks.values()), None, branches.main)
    assert merged(result) == ["first", "last"]
    assert [blocked.task.id for blocked in result.blocked] == ["broken", "above"]
    assert result.blocked[0].error is not None
    assert "KeyError" in result.blocked[0].error.traceback
    assert result.blocked[1].reason == "it builds on broken, which waits"


def test_an_error_of_the_machine_ends_the_merge(branches: Branches) -> None:
    """A full disk is not one task's trouble: holding every task would hide it."""
    broken = branches.task("broken", {"broken.txt": "x\n"})
    assert broken.tip is not None
    error = SetupNeeded("disk-full", "no space to write the repository")
    with Failing(branches.repo, broken.tip, error) as replayer, pytest.raises(SetupNeeded):
        plan(replayer, branches.tasks, list(branches.tasks.values()), None, branches.main)


def test_the_forecast_names_a_folder_that_was_split(branches: Branches) -> None:
    """A conflict without files is forecast as the merge will find it."""
    branches.git("checkout", "--quiet", "--detach", branches.main)
    for name, text in (("one", "1\n" * 30), ("two", "2\n" * 30)):
        (branches.top / "c").mkdir(exist_ok=True)
        (branches.top / "c" / name).write_text(text)
    branches.git("add", "--all")
    branches.git("commit", "--quiet", "-m", "c")
    base = branches.at("HEAD")
    (branches.top / "d").mkdir()
    (branches.top / "e").mkdir()
    branches.git("mv", "c/one", "d/one")
    branches.git("mv", "c/two", "e/two")
    branches.git("commit", "--quiet", "-m", "split")
    split = branches.at("HEAD")
    branches.git("checkout", "--quiet", "--detach", base)
    (branches.top / "c" / "new").write_text("n\n")
    branches.git("add", "--all")
    branches.git("commit", "--quiet", "-m", "add")
    added = branches.at("HEAD")
    in_flight = [Branch(TaskId("split"), base, split), Branch(TaskId("add"), base, added)]
    (conflict,) = pairs.forecast(branches.replayer, in_flight, base)
    assert (conflict.tasks, conflict.paths) == ((TaskId("split"), TaskId("add")), ("c",))


def test_a_reason_is_always_text() -> None:
    """A path whose bytes are not UTF-8 is part of reasons, and the task file is UTF-8."""
    task = change(
        make_task(id=TaskId("one"), number=1, title="One", prompt="One", state=State.APPROVED),
        state=State.CONFLICTED,
        reason="in caf\udce9",
    )
    assert task.reason == "in caf\\xe9"


def test_a_hunk_is_recalled_for_a_file_that_is_in_memory_only(branches: Branches) -> None:
    """What two tasks changed together meets a third: the remembered hunks are tried on it, though no ref has it."""
    lines = [f"{number}\n" for number in range(40)]
    text = "".join(lines)
    (branches.top / "f").write_text(text)
    branches.git("add", "f")
    branches.git("commit", "--quiet", "-m", "f")
    branches.main = branches.at("HEAD")

    def edited(**new: str) -> str:
        return "".join(new.get(f"l{number}", line.strip()) + "\n" for number, line in enumerate(lines))

    branches.task("first", {"f": edited(l5="one")})
    branches.task("second", {"f": edited(l20="two")})
    third = branches.task("third", {"f": edited(l5="three")})
    assert third.tip is not None
    # a person resolved the same hunk in a merge on another branch
    git("checkout", "--quiet", "-B", "learn", "orch/third", cwd=branches.top)
    git("merge", "--quiet", "--no-commit", "orch/first", cwd=branches.top, ok=(0, 1))
    (branches.top / "f").write_text(edited(l5="one and three"))
    git("commit", "--quiet", "-a", "-m", "Merge", cwd=branches.top)
    git("checkout", "--quiet", "main", cwd=branches.top)
    branches.replayer.read([CommitRange(branches.main, branches.at("learn"))], branches.main)
    result = branches.plan()
    assert merged(result) == ["first", "second", "third"]
    tree = branches.replayer.tree(result.tip)
    assert branches.replayer.file(tree, "f") == edited(l5="one and three", l20="two").encode()
