"""Files that are replaced: the old content or the new, with the permissions asked for, and nothing left over."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gitorch.storage import atomic


@pytest.mark.parametrize("concurrent", [False, True])
@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced(tmp_path: Path, concurrent: bool, durable: bool) -> None:
    """New or there already, it has the new content, and the folder holds nothing else."""
    path = tmp_path / "state"
    for content in (b"one\n", b"", b"three\n"):
        atomic.replace(path, content, concurrent=concurrent, durable=durable)
        assert path.read_bytes() == content
        assert os.listdir(tmp_path) == ["state"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_permissions_are_those_asked_for(tmp_path: Path, mode: int) -> None:
    """Whatever the umask takes away, and whatever the file had before."""
    path = tmp_path / "script"
    path.write_bytes(b"old")
    before = os.umask(0o077)
    try:
        atomic.replace(path, b"new", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_failed_write_changes_nothing(tmp_path: Path) -> None:
    """Where the new content cannot take its place, the old one stays and no file is left over."""
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "kept").touch()
    for concurrent in (False, True):
        with pytest.raises(OSError):
            atomic.replace(folder, b"x", concurrent=concurrent)
    assert os.listdir(tmp_path) == ["state"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """The target of a link stays; a link in the place of the new file is refused."""
    target, path = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"theirs")
    path.symlink_to(target)
    atomic.replace(path, b"ours")
    assert (target.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"theirs", b"ours", False)
    (tmp_path / "link.new").symlink_to(target)
    with pytest.raises(OSError):
        atomic.replace(path, b"again")
    assert target.read_bytes() == b"theirs"


def test_what_is_missing_reads_as_empty(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    assert atomic.read_or_empty(tmp_path / "file") == b"x"
    assert atomic.read_or_empty(tmp_path / "missing") == b""
    assert atomic.read_or_empty(tmp_path / "file" / "below") == b""
