"""The files of many branches, read by one git process."""

from __future__ import annotations

from pathlib import Path

from gitorch.flow import review
from gitorch.flow.review import FileChange
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from tests.support.git import git


def test_the_files_of_many_branches(repository_folder: Path) -> None:
    """Each range has its own files: added, deleted, binary, odd names, none, equal tips with other bases."""
    start = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    (repository_folder / "a\tb.txt").write_text("1\n2\n")
    (repository_folder / ":c.bin").write_bytes(b"\0\1")
    git("add", "-A", cwd=repository_folder)
    git("commit", "-qm", "One", cwd=repository_folder)
    middle = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    git("rm", "-q", ":(literal):c.bin", cwd=repository_folder)
    (repository_folder / "a\tb.txt").write_text("1\n3\n4\n")
    git("commit", "-qam", "Two", cwd=repository_folder)
    tip = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    gone = Oid("1" * 40)
    ranges = [(start, tip), (middle, tip), (tip, tip), (start, gone), (start, middle)]
    found = review.changes(Repository.discover(repository_folder), [*ranges, (middle, tip)])
    assert found == {
        (start, tip): (FileChange("a\tb.txt", "A", 3, 0),),
        (middle, tip): (FileChange(":c.bin", "D", None, None), FileChange("a\tb.txt", "M", 2, 1)),
        (tip, tip): (),
        (start, gone): (),
        (start, middle): (FileChange(":c.bin", "A", None, None), FileChange("a\tb.txt", "A", 2, 0)),
    }
    assert review.changes(Repository.discover(repository_folder), []) == {}
