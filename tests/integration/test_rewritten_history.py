"""History that a person or a host rewrote after a merge: what they removed stays away, what was squashed is merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli
from tests.support.git import commit, git

LINES = "".join(f"line {number}\n" for number in range(1, 31))


class Repo:
    """A repository with adopted branches, whose owner rewrites `main`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cli = Cli(folder)
        commit(folder, "text", {"text": LINES})

    def git(self, *words: str) -> str:
        return git(*words, cwd=self.folder)

    def task(self, name: str, *contents: dict[str, str | bytes | None], start: str = "main") -> None:
        """Adopt and approve a branch with a commit for each of these contents."""
        self.git("checkout", "--quiet", "-b", name, start)
        for number, files in enumerate(contents, start=1):
            commit(self.folder, f"{name} {number}", files)
        self.git("checkout", "--quiet", "main")
        after = ("--after", start) if start != "main" else ()
        self.cli("adopt", name, *(("--base", start) if after else ()), *after)
        self.cli("approve", name, "--force")

    def subjects(self, name: str) -> list[str]:
        return self.git("log", "--format=%s", "--reverse", name).split("\n")[4:]

    def files(self, name: str) -> set[str]:
        return set(self.git("ls-tree", "--name-only", name).split("\n"))

    def fsck(self) -> None:
        assert self.git("fsck", "--strict", "--no-dangling", "--connectivity-only") == ""


@pytest.fixture
def made(repository_folder: Path) -> Repo:
    return Repo(repository_folder)


def edited(*lines: tuple[int, str]) -> str:
    new = dict(lines)
    return "".join(f"{new.get(number, f'line {number}')}\n" for number in range(1, 31))


@pytest.mark.parametrize("published_by", ["gitorch", "git"])
@pytest.mark.parametrize("how", ["only reset", "reset", "drop", "amend"])
def test_what_was_removed_does_not_come_back(made: Repo, published_by: str, how: str) -> None:
    """Commits that `main` had and that its owner took out, or amended, stay out of the integration branch, too."""
    made.task("one", {"one": "1\n"})
    made.task("two", {"two": "2\n"})
    if published_by == "gitorch":
        made.cli("merge", "--into", "main")
    else:
        made.cli("merge")
        made.git("merge", "--quiet", "--ff-only", "orch/integration")
    if how == "only reset":
        made.git("reset", "--quiet", "--hard", "HEAD~1")
        expected = {"one"}
    elif how == "reset":
        made.git("reset", "--quiet", "--hard", "HEAD~2")
        commit(made.folder, "instead", {"instead": "x\n"})
        expected = {"instead"}
    elif how == "drop":
        made.git("rebase", "--quiet", "--onto", "HEAD~2", "HEAD~1")
        commit(made.folder, "more", {"more": "x\n"})
        expected = {"two", "more"}
    else:
        (made.folder / "two").unlink()
        (made.folder / "other").write_text("x\n")
        made.git("add", "--all")
        made.git("commit", "--quiet", "--amend", "-m", "other than two")
        expected = {"one", "other"}
    made.task("three", {"three": "3\n"})
    answer = made.cli("merge")
    assert "that main had before and has no more: left out of orch/integration" in answer.text
    new = {"one", "two", "three", "more", "instead", "other"} & made.files("orch/integration")
    assert new == expected | {"three"}
    made.cli("merge", "--into", "main")
    assert made.git("rev-parse", "main") == made.git("rev-parse", "orch/integration")
    made.fsck()
    made.cli("undo", ok=(0, 5))


def test_what_was_not_published_is_replayed(made: Repo) -> None:
    """Of an integration branch that is ahead of what was published, only that part goes onto the rewritten branch."""
    made.task("one", {"one": "1\n"})
    made.cli("merge", "--into", "main")
    made.task("two", {"two": "2\n"})
    made.cli("merge")
    made.git("reset", "--quiet", "--hard", "HEAD~1")
    commit(made.folder, "instead", {"instead": "x\n"})
    made.task("three", {"three": "3\n"})
    made.cli("merge")
    assert made.subjects("orch/integration") == ["instead", "two 1", "three 1"]


def squash_on_the_host(made: Repo, *names: str) -> None:
    """Put branches onto main as one commit each, as a host that squashes does, with work of others around them."""
    made.git("checkout", "--quiet", "main")
    commit(made.folder, "before", {"before": "x\n"})
    for name in names:
        made.git("merge", "--squash", "--quiet", name)
        made.git("commit", "--quiet", "-m", f"Squashed {name}")
    commit(made.folder, "after", {"after": "x\n"})


@pytest.mark.parametrize("changed_since", [False, True])
def test_a_squashed_integration_branch_counts_as_merged(made: Repo, changed_since: bool) -> None:
    """Commits that were squashed would conflict one by one: by their common patch, or their result, they are there."""
    made.task("one", {"text": edited((5, "five"))}, {"text": edited((5, "FIVE"), (9, "nine"))})
    made.task("two", {"two": "2\n"})
    made.cli("merge")
    squash_on_the_host(made, "orch/integration")
    if changed_since:
        commit(made.folder, "on top", {"text": edited((5, "five again"), (9, "nine"))})
    made.task("three", {"three": "3\n"})
    made.cli("merge")
    assert made.subjects("orch/integration")[-1] == "three 1"
    assert made.git("show", "orch/integration:text") == made.git("show", "main:text")
    made.cli("merge", "--into", "main")
    made.fsck()


@pytest.mark.parametrize("changed_since", [False, True])
def test_a_squashed_task_counts_as_merged_and_its_stack_goes_on(made: Repo, changed_since: bool) -> None:
    """A branch that the host squashed is merged without a commit; the branch above it follows with its own ones."""
    made.task("low", {"text": edited((5, "five"))}, {"text": edited((5, "FIVE"), (9, "nine"))})
    made.task("top", {"text": edited((5, "FIVE"), (9, "nine"), (20, "twenty"))}, start="low")
    squash_on_the_host(made, "low")
    if changed_since:
        commit(made.folder, "on top", {"text": edited((5, "five again"), (9, "nine"))})
    made.cli("merge")
    assert made.cli.states() == {"low": "merged", "top": "merged"}
    assert made.git("log", "--format=%s", "main..orch/integration") == "top 1"
    five = "five again" if changed_since else "FIVE"
    assert made.git("show", "orch/integration:text") + "\n" == edited((5, five), (9, "nine"), (20, "twenty"))
    made.fsck()


def pick_on_the_host(made: Repo, *commits: str) -> None:
    """Put single commits onto main as a host that rebases does, and let others change the same lines afterwards."""
    made.git("checkout", "--quiet", "main")
    commit(made.folder, "before", {"before": "x\n"})
    for name in commits:
        made.git("cherry-pick", name)
    text = made.git("show", "HEAD:text").replace("five", "five again").replace("FIVE", "FIVE again") + "\n"
    commit(made.folder, "on top", {"text": text})


def test_a_stack_of_one_commit_that_the_base_has_counts_as_merged(made: Repo) -> None:
    """Its patch is there, and its lines have changed since, so that it conflicts: as in git, which leaves it out."""
    made.task("low", {"low": "l\n"}, {"low": "L\n"})
    made.task("top", {"text": edited((5, "five"))}, start="low")
    pick_on_the_host(made, "top")
    expected = made.git("rev-parse", "main^{tree}")
    git("checkout", "--quiet", "--detach", "top", cwd=made.folder)
    made.git("rebase", "--quiet", "main")
    assert "text" not in made.git("diff", "--name-only", "main", "HEAD"), "git leaves it out"
    made.git("checkout", "--quiet", "main")
    made.cli("merge")
    assert made.cli.states() == {"low": "merged", "top": "merged"}
    assert made.git("log", "--format=%s", "--reverse", "main..orch/integration").split("\n") == ["low 1", "low 2"]
    assert made.git("rev-parse", "main^{tree}") == expected
    assert made.git("show", "orch/integration:text") == made.git("show", "main:text")
    made.fsck()


def test_commits_of_a_stack_that_the_base_has_are_left_out_one_by_one(made: Repo) -> None:
    """Wherever they are in it; the others go in."""
    contents: list[dict[str, str | bytes | None]] = [
        {"text": edited((5, "five"))},
        {"more": "m\n"},
        {"text": edited((5, "FIVE"))},
        {"last": "l\n"},
    ]
    made.task("low", {"low": "l\n"})
    made.task("top", *contents, start="low")
    pick_on_the_host(made, "top~3", "top~1")
    made.cli("merge")
    assert made.cli.states() == {"low": "merged", "top": "merged"}
    merged = made.git("log", "--format=%s", "--reverse", "main..orch/integration").split("\n")
    assert merged == ["low 1", "top 2", "top 4"]
    assert made.git("show", "orch/integration:text") == made.git("show", "main:text")
    made.fsck()


def test_a_squashed_part_and_a_commit_above_it_are_left_out(made: Repo) -> None:
    """The host has squashed the first commits of a stack, and taken one more as it is."""
    contents: list[dict[str, str | bytes | None]] = [
        {"text": edited((5, "one"))},
        {"text": edited((5, "five"))},
        {"text": edited((5, "FIVE"))},
    ]
    made.task("low", {"low": "l\n"})
    made.task("top", *contents, {"last": "l\n"}, start="low")
    made.git("checkout", "--quiet", "-b", "part", "main")
    made.git("cherry-pick", "low..top~2")
    made.git("checkout", "--quiet", "main")
    squash_on_the_host(made, "part")
    pick_on_the_host(made, "top~1")
    made.cli("merge")
    assert made.cli.states() == {"low": "merged", "top": "merged"}
    assert made.git("log", "--format=%s", "--reverse", "main..orch/integration").split("\n") == ["low 1", "top 4"]
    assert made.git("show", "orch/integration:text") == made.git("show", "main:text")
    made.fsck()


def test_a_stack_whose_patch_the_base_has_not_stays_a_conflict(made: Repo) -> None:
    """The base has changed the same line otherwise, or the same file too."""
    made.task("low", {"low": "l\n"})
    made.task("top", {"text": edited((5, "five"))}, start="low")
    commit(made.folder, "other", {"text": edited((5, "cinq"))})
    made.cli("merge", ok=7)
    assert made.cli.states() == {"low": "merged", "top": "conflicted"}


def test_the_part_that_was_squashed_is_left_out(made: Repo) -> None:
    """Work that was added to a branch after the host had squashed it goes in alone."""
    made.task("one", {"text": edited((5, "five"))}, {"text": edited((5, "FIVE"))}, {"more": "m\n"})
    made.git("checkout", "--quiet", "-b", "part", "one~1")
    squash_on_the_host(made, "part")
    made.cli("merge")
    assert made.git("log", "--format=%s", "main..orch/integration") == "one 3"


def test_a_real_conflict_stays_one(made: Repo) -> None:
    """A base with other changes of the same lines is no squash."""
    made.task("one", {"text": edited((5, "five"))}, {"text": edited((5, "FIVE"), (9, "nine"))})
    commit(made.folder, "other", {"text": edited((5, "cinq"))})
    made.cli("merge", ok=7)
    assert made.cli.states() == {"one": "conflicted"}


def test_what_another_task_did_counts_as_merged(made: Repo) -> None:
    """Commits that conflict one by one are there if merging all of them would change nothing."""
    made.task("first", {"text": edited((5, "FIVE"))})
    made.task("second", {"text": edited((5, "five"))}, {"text": edited((5, "FIVE"))})
    commit(made.folder, "elsewhere", {"elsewhere": "x\n"})
    made.cli("merge")
    assert made.cli.states() == {"first": "merged", "second": "merged"}
    assert made.git("log", "--format=%s", "main..orch/integration") == "first 1"
    assert made.git("show", "orch/integration:text") + "\n" == edited((5, "FIVE"))
    made.fsck()


def test_what_is_there_only_in_part_is_a_conflict(made: Repo) -> None:
    """A branch whose first commit conflicts is no squash if merging all of it is clean, but changes something."""
    made.task("one", {"text": edited((5, "five"))}, {"text": edited((5, "FIVE"), (9, "nine"))})
    commit(made.folder, "same and more", {"text": edited((5, "FIVE"), (20, "twenty"))})
    git("merge-tree", "--write-tree", "main", "one", cwd=made.folder)
    made.cli("merge", ok=7)
    assert made.cli.states() == {"one": "conflicted"}
