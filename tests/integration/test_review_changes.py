"""The files of many branches, read by one git process."""

from __future__ import annotations

from pathlib import Path

from gitorch.cli.terminal.hunk_text import patch_text
from gitorch.cli.views.reporting.report_diff import patch_files
from gitorch.cli.views.reviewing.review_file import quoted_lines
from gitorch.config import Config
from gitorch.config.settings import ReviewSettings
from gitorch.flow.review import branch_facts, branch_signals
from gitorch.flow.review.binary_sizes import with_sizes
from gitorch.git.diff.file_changes import FileChange, file_changes, line_counts
from gitorch.git.diff.file_patches import read_files
from gitorch.git.diff.hunk_ids import hunk_patches
from gitorch.git.diff.patch_lines import read_patch
from gitorch.git.diff.path_changes import changed_paths
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
    (added, _), (deleted, _) = (
        with_sizes(Repository.discover(repository_folder), *pair, found[pair])
        for pair in ((start, middle), (middle, tip))
    )
    assert (added.old_size, added.size, deleted.old_size, deleted.size) == (None, 2, 2, None)
    paths = changed_paths(Repository.discover(repository_folder), ranges)
    assert {pair: change.paths for pair, change in paths.items()} == {
        pair: {change.path for change in changes} for pair, changes in found.items()
    }
    assert paths[start, middle].added == paths[start, middle].paths
    assert paths[middle, tip].added == set()


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
    sized = with_sizes(repository, base, tip, (binary, renamed))
    assert [(change.old_size, change.size) for change in sized] == [(630, 630), (None, None)]
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


def test_a_binary_file_is_one_line(repository_folder: Path) -> None:
    """Its bytes are neither hunks nor quoted lines nor on a page; attributes make no text of it, and hide no text."""
    base = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    (repository_folder / "raw.bin").write_bytes(b"a\0b\nsecond\n")
    (repository_folder / "code.py").write_text("text = 1\n")
    (repository_folder / ".gitattributes").write_text("*.bin diff\n*.py -diff\n")
    git("add", "-A", cwd=repository_folder)
    git("commit", "-qm", "x", cwd=repository_folder)
    tip = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    repository = Repository.discover(repository_folder)
    hunks = hunk_patches(read_files(repository, base, tip))
    assert [(hunk.place, hunk.hunk is None) for hunk in hunks] == [
        (".gitattributes:1", False),
        ("code.py:1", False),
        ("raw.bin", True),
    ]
    text = patch_text(hunks)
    assert "Binary files a/raw.bin and b/raw.bin differ" in text
    assert "+text = 1" in text
    assert "second" not in text
    assert [line.text for line in quoted_lines(hunks) if line.file == "raw.bin"] == [
        "diff --git a/raw.bin b/raw.bin",
        "new file mode 100644",
        "Binary files a/raw.bin and b/raw.bin differ",
    ]
    files = {file.name: file for file in patch_files(read_patch(repository, base, tip, 100))}
    ((run,), (added,)) = (files["raw.bin"].runs, files["code.py"].runs[-1:])
    assert [line.text for line, _ in run.lines] == ["a binary file"]
    assert [line.text for line, _ in added.lines] == ["text = 1"]


def test_a_binary_file_that_changed_is_to_be_looked_at_again(repository_folder: Path) -> None:
    """Its id is that of its content: the same bytes after a rebase were viewed, others were not."""
    base = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    ids = []
    for content in (b"a\0b\n", b"a\0c\n", b"a\0b\n"):
        (repository_folder / "raw.bin").write_bytes(content)
        git("add", "-A", cwd=repository_folder)
        git("commit", "-qm", "x", cwd=repository_folder)
        tip = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
        (hunk,) = hunk_patches(read_files(Repository.discover(repository_folder), base, tip))
        ids.append(hunk.ids)
    assert ids[0] == ids[2] != ids[1]
