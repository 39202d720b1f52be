"""Which steps of a process are points at which a kill leaves something else than at the point before."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.faults.killing import killed_at, steps_of
from tests.support.git import git


def test_steps_between_which_nothing_changes_are_one(repository_folder: Path) -> None:
    """A git that only reads, a folder that is there, and words to a program are no points of their own."""

    def reads() -> None:
        for _ in range(5):
            _ = git("cat-file", "--batch-check", cwd=repository_folder, input=b"HEAD\n")
            (repository_folder / ".git").mkdir(exist_ok=True)

    assert steps_of(reads, repository_folder) == 1
    assert steps_of(reads) > 1


def test_each_change_of_a_file_is_a_point(repository_folder: Path) -> None:
    """Whether this process makes it or a program; killed at each point in turn, one more file is there."""
    names = [f"{number}.txt" for number in range(4)]

    def writes() -> None:
        for name in names:
            (repository_folder / name).write_text("")
            git("rev-parse", "HEAD", cwd=repository_folder)

    found = []
    for step in range(1, 100):
        if not killed_at(writes, step, folder=repository_folder):
            break
        found.append([path.name for path in sorted(repository_folder.glob("?.txt"))])
        for name in found[-1]:
            (repository_folder / name).unlink()
    assert found[0] == []
    assert {len(one) for one in found} == {0, 1, 2, 3, 4}


def test_a_program_that_starts_is_a_point_though_no_file_tells(repository_folder: Path) -> None:
    def starts() -> None:
        for _ in range(3):
            subprocess.run(["true"], check=True)

    assert steps_of(starts, repository_folder) == 3
