"""The files of many branches, read by one git process."""

from __future__ import annotations

from pathlib import Path

from gitorch.config import Config
from gitorch.config.settings import ReviewSettings
from gitorch.flow.review import branch_facts, branch_signals
from gitorch.git.file_changes import FileChange, file_changes
from gitorch.git.line_counts import line_counts
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId
from tests.support.git import git
from tests.support.tasks import make_task


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
    found = file_changes(Repository.discover(repository_folder), [*ranges, (middle, tip)])
    assert found == {
        (start, tip): (FileChange("a\tb.txt", "A", 3, 0),),
        (middle, tip): (FileChange(":c.bin", "D", None, None), FileChange("a\tb.txt", "M", 2, 1)),
        (tip, tip): (),
        (start, middle): (FileChange(":c.bin", "A", None, None), FileChange("a\tb.txt", "A", 2, 0)),
    }
    assert file_changes(Repository.discover(repository_folder), []) == {}


def test_a_renamed_file(repository_folder: Path) -> None:
    """A renamed file counts by the lines that changed in it, and by paths as one removed and one added file."""
    lines = [f"line {number}\n" for number in range(50)]
    for name, text in (("old\tname.txt", "".join(lines)), ("kept.bin", "\0binary" * 90)):
        (repository_folder / name).write_text(text)
    git("add", "-A", cwd=repository_folder)
    git("commit", "-qm", "One", cwd=repository_folder)
    base = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    (repository_folder / "sub").mkdir()
    git("mv", "old\tname.txt", "sub/new\tname.txt", cwd=repository_folder)
    git("mv", "kept.bin", "sub/kept.bin", cwd=repository_folder)
    (repository_folder / "sub/new\tname.txt").write_text("".join(["first\n", *lines[1:]]))
    (repository_folder / "zzz.txt").write_text("1\n")
    git("add", "-A", cwd=repository_folder)
    git("commit", "-qm", "Two", cwd=repository_folder)
    tip = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    repository = Repository.discover(repository_folder)
    renamed = FileChange("sub/new\tname.txt", "R", 1, 1, "old\tname.txt")
    binary = FileChange("sub/kept.bin", "R", None, None, "kept.bin")
    assert file_changes(repository, [(base, tip)]) == {(base, tip): (binary, renamed, FileChange("zzz.txt", "A", 1, 0))}
    assert line_counts(repository, [(base, tip)]) == {(base, tip): (2, 1)}
    assert renamed.as_paths() == (
        FileChange("old\tname.txt", "D", 0, 0),
        FileChange("sub/new\tname.txt", "A", 1, 1),
    )
    assert binary.as_paths()[0] == FileChange("kept.bin", "D", None, None)


def test_a_rename_hides_no_path(repository_folder: Path) -> None:
    """What a path alone says is said of both names of a renamed file."""
    (repository_folder / "auth").mkdir()
    (repository_folder / "auth/login.py").write_text("one\ntwo\nthree\n")
    git("add", "-A", cwd=repository_folder)
    git("commit", "-qm", "One", cwd=repository_folder)
    base = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    git("mv", "auth/login.py", "login.py", cwd=repository_folder)
    git("commit", "-qm", "Two", cwd=repository_folder)
    tip = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    repository = Repository.discover(repository_folder)
    config = Config(review=ReviewSettings(sensitive=("**/auth/**",)))
    task = make_task(id=TaskId("t"), number=1, title="t", prompt="p", paths=("auth/**",), base=base, tip=tip)
    facts = branch_facts(repository, base, tip, file_changes(repository, [(base, tip)])[base, tip])
    signals = branch_signals(config, task, facts)
    assert {(signal.kind, signal.path) for signal in signals} >= {
        ("sensitive", "auth/login.py"),
        ("outside-paths", "login.py"),
    }
