"""What is in the place of a file of gitorch's, and is none: it is refused at once, and read by no command."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gitorch import regular_files, typed
from gitorch.errors import system_error
from gitorch.model.note import parse_lines
from gitorch.regular_files import open_plain, read_start
from gitorch.storage import atomic, backwards, locks

_DEEP = b"[" * 200_000


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _lock(path: Path) -> None:
    with locks.file_lock(path):
        pass


_USES: dict[str, Callable[[Path], object]] = {
    "read": regular_files.read,
    "read or empty": atomic.read_or_empty,
    "read from the end": lambda path: [*backwards.lines(path)],
    "append": lambda path: atomic.append(path, [b"line"]),
    "lock": _lock,
    "is locked": locks.is_locked,
}


@pytest.mark.parametrize("use", _USES)
@pytest.mark.parametrize("put", [_pipe, _device, Path.mkdir])
def test_what_is_no_file_is_refused_with_its_path(tmp_path: Path, put: Callable[[Path], None], use: str) -> None:
    put(path := tmp_path / "state")
    with pytest.raises(OSError) as raised:
        _USES[use](path)
    refused = system_error(raised.value)
    assert refused is not None
    assert refused.code == "in-the-way"
    assert str(path) in refused.what


def test_a_huge_file_is_not_read_into_memory(tmp_path: Path) -> None:
    (path := tmp_path / "state").touch()
    os.truncate(path, 1 << 40)
    for use in (regular_files.read, lambda path: [*backwards.lines(path)]):
        with pytest.raises(OSError) as raised:
            use(path)
        assert raised.value.errno == errno.EFBIG


def test_json_that_is_nested_too_deeply_is_invalid() -> None:
    with pytest.raises(msgspec.DecodeError, match="nested too deeply"):
        typed.from_json(_DEEP)
    with pytest.raises(msgspec.DecodeError, match="nested too deeply"):
        typed.from_msgpack(b"\x91" * 200_000, list[object])
    assert [*parse_lines(_DEEP)] == []


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    """By its path, or by its name in an open folder."""
    file = tmp_path / "file"
    file.write_bytes(b"content")
    assert read_start(file, 3) == b"con"
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with open_plain("file", within=folder) as opened:
            assert opened.read() == b"content"
    finally:
        os.close(folder)


def test_what_is_opened_is_no_link_either(tmp_path: Path) -> None:
    """A link, a pipe that nobody writes to, a folder, and nothing: an error, no descriptor left, and no waiting."""
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    before = os.listdir("/dev/fd")
    for name in ("link", "pipe", "folder", "missing"):
        with pytest.raises(OSError, match=name):
            open_plain(tmp_path / name)
    assert os.listdir("/dev/fd") == before
