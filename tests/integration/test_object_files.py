"""Objects that are missing or damaged are found; what git does with objects is none of that."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gitorch.git.protected import object_files
from gitorch.git.repository import Repository
from tests.support.git import git


def _paths(folder: Path, pattern: str) -> list[Path]:
    return sorted((folder / ".git/objects").glob(pattern))


def _loose(folder: Path) -> Path:
    return _paths(folder, "[0-9a-f][0-9a-f]/*")[0]


def _overwrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    content = change(path.read_bytes())
    path.chmod(0o644)
    path.write_bytes(content)


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _pack(folder: Path) -> None:
    git("repack", "-adq", cwd=folder)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "objects disappeared: ": lambda folder: _loose(folder).unlink(),
    "objects damaged: ": lambda folder: _overwrite(_loose(folder), lambda content: b"x"),
    "objects damaged: pack/": lambda folder: _overwrite(_paths(folder, "pack/*.pack")[0], _flipped),
    "objects disappeared: pack/": lambda folder: shutil.rmtree(folder / ".git/objects/pack"),
    "objects damaged: pack/pack-": lambda folder: _overwrite(_paths(folder, "pack/*.idx")[0], _flipped),
}


@pytest.fixture(params=["sha1", "sha256"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path / "repo"
    git("init", "-q", f"--object-format={request.param}", str(folder), cwd=tmp_path)
    for name in "ab":
        (folder / name).write_text(name)
        git("add", name, cwd=folder)
        git("commit", "-qm", name, cwd=folder)
    _pack(folder)
    git("hash-object", "-w", "--stdin", cwd=folder, input=b"loose")
    return folder


@pytest.mark.parametrize("line", DAMAGES)
def test_damage_is_found(folder: Path, line: str) -> None:
    repository = Repository.discover(folder)
    before = object_files.read(repository.common_dir)
    DAMAGES[line](folder)
    after = object_files.read(repository.common_dir)
    lines = object_files.losses(repository, before, after)
    assert [found.startswith(line) for found in lines] == [True], lines
    assert object_files.losses(repository, after, after) == ()


def test_what_git_does_is_no_damage(folder: Path) -> None:
    """New commits, other times, packing and unpacking: every object is still there."""
    repository = Repository.discover(folder)
    git("commit", "-qm", "c", "--allow-empty", cwd=folder)
    before = object_files.read(repository.common_dir)
    for path in (*_paths(folder, "pack/*"), _loose(folder)):
        os.utime(path, (1, 1))
    git("commit", "-qm", "d", "--allow-empty", cwd=folder)
    touched = object_files.read(repository.common_dir)
    assert object_files.losses(repository, before, touched) == ()
    git("repack", "-adkq", cwd=folder)
    packed = object_files.read(repository.common_dir)
    assert object_files.losses(repository, before, packed) == ()
    assert before.keys() - packed.keys()


def test_files_that_git_has_while_it_works_are_no_objects(folder: Path) -> None:
    """A killed git leaves them, and a later one removes them."""
    repository = Repository.discover(folder)
    objects = folder / ".git/objects"
    (objects / "4e").mkdir(exist_ok=True)
    left = [objects / "4e/tmp_obj_4BtzUv", objects / "pack/tmp_pack_a1b2c3", objects / "pack/.tmp-9-pack-abc.pack"]
    for path in left:
        path.touch()
    before = object_files.read(repository.common_dir)
    for path in left:
        path.unlink()
    assert object_files.losses(repository, before, object_files.read(repository.common_dir)) == ()


def test_many_are_one_line(folder: Path) -> None:
    repository = Repository.discover(folder)
    for number in range(5):
        git("hash-object", "-w", "--stdin", cwd=folder, input=str(number).encode())
    before = object_files.read(repository.common_dir)
    for path in _paths(folder, "[0-9a-f][0-9a-f]/*"):
        path.unlink()
    (line,) = object_files.losses(repository, before, object_files.read(repository.common_dir))
    assert line.endswith(" and 3 more")
