"""The parsed copy of the task file: used for the file it was made from, and for nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitorch.model.naming import TaskId
from gitorch.storage.tasks import Store, parsed
from tests.support.tasks import make_task

ONE = TaskId("one")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "gitorch")
    store.save([make_task(id=ONE, number=1, title="The title", prompt="Do it")])
    store.snapshot()
    return store


def title(store: Store) -> str:
    return Store(store.folder).load()[ONE].title


def edit(file: Path, old: bytes, new: bytes) -> None:
    file.write_bytes(file.read_bytes().replace(old, new))


def test_the_copy_is_read_instead_of_the_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit that hides itself, with the same size and times, shows which of the two is read."""
    before = parsed.identity(store.file)
    edit(store.file, b"The title", b"Not read!")
    monkeypatch.setattr(parsed, "identity", lambda path: before)
    assert title(store) == "The title"
    parsed.copy_path(store.file).unlink()
    assert title(store) == "Not read!"


def test_an_edit_that_sets_the_time_back_is_read(store: Store) -> None:
    """It cannot set the change time back."""
    before = store.file.stat()
    edit(store.file, b"The title", b"My title!")
    os.utime(store.file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert title(store) == "My title!"


@pytest.mark.parametrize("new", [b"My title!", b"A longer title"])
def test_an_edited_file_is_read_itself(store: Store, new: bytes) -> None:
    edit(store.file, b"The title", new)
    os.utime(store.file, ns=(1, 1))
    assert title(store) == new.decode()


def test_a_replaced_file_is_read_itself(store: Store) -> None:
    """An editor that writes a new file may keep size and time: the inode differs."""
    before = store.file.stat()
    new = store.file.with_name("new")
    new.write_bytes(store.file.read_bytes().replace(b"The title", b"My title!"))
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.replace(store.file)
    assert title(store) == "My title!"


def test_a_damaged_copy_is_ignored(store: Store) -> None:
    """Cut anywhere, with any byte changed, empty or of zeros: the task file is read."""
    copy = parsed.copy_path(store.file)
    whole = copy.read_bytes()
    for position in range(len(whole)):
        copy.write_bytes(whole[:position])
        assert parsed.read(store.file) is None
        copy.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        assert parsed.read(store.file) is None
    copy.write_bytes(bytes(len(whole)))
    assert title(store) == "The title"
    copy.unlink()
    copy.mkdir()
    assert title(store) == "The title"
    store.save([make_task(id=TaskId("two"), number=2, title="Two", prompt="Do it")])
    store.snapshot()
    assert set(Store(store.folder).load()) == {"one", "two"}


def test_what_was_edited_while_it_was_written_has_no_copy(store: Store) -> None:
    """The text that was written is no longer in the file: a copy would hide the edit."""
    parsed.copy_path(store.file).unlink()
    parsed.write(store.file, b"something else", parsed.ParsedTasks(1, []))
    assert not parsed.copy_path(store.file).exists()


def test_a_reader_keeps_what_it_had_to_parse(tmp_path: Path) -> None:
    """After an upgrade, whose copies are others, or an edit: a large file is parsed by the first reader only."""
    store = Store(tmp_path / "gitorch")
    store.save([make_task(id=TaskId(f"t{n}"), number=n, title="The title", prompt="x" * 200) for n in range(1, 301)])
    store.snapshot()
    copy = parsed.copy_path(store.file)
    copy.write_bytes(b"of an older version")
    assert len(Store(store.folder).load()) == 300
    assert parsed.read(store.file) is not None
    edit(store.file, b"The title", b"My title!")
    assert parsed.read(store.file) is None
    reader = Store(store.folder)
    assert {task.title for task in reader.load().values()} == {"My title!"}
    kept = parsed.read(store.file)
    assert kept is not None
    # a person may have edited it: the next snapshot writes every block anew
    assert not kept.file(store.file).tasks
    reader.save([make_task(id=ONE, number=301, title="One more", prompt="y")])
    reader.snapshot()
    assert len(Store(store.folder).load()) == 301
    assert [path.name for path in store.folder.iterdir() if path.name.startswith(".gitorch-")] == []
