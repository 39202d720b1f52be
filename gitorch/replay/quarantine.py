"""Where objects are tried out: a folder of objects beside the repository's, gone when the merge is over."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from gitorch.git.repository import Repository
from gitorch.replay.objects import TREE, Made, Objects, deflated

_NAME = "gitorch-objects-"
_MEMORY = Path("/dev/shm")  # noqa: S108
_ENOUGH_BYTES = 512 * 2**20


class Quarantine:
    """Objects that git processes see together with the repository's, and nobody else."""

    def __init__(self, repository: Repository, objects: Objects) -> None:
        self.repository = repository
        self.objects = objects
        self._written: set[bytes] = set()
        self._folders: set[str] = set()

    @cached_property
    def folder(self) -> Path:
        """The folder, in memory where there is room for it: creating files on a disk is most of a merge's cost."""
        above = place(self.repository.common_dir)
        _sweep(above)
        return Path(tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-", dir=above))

    @cached_property
    def environment(self) -> dict[str, str]:
        """What makes a git process read and write here, and read the repository's objects."""
        theirs = str(self.repository.common_dir / "objects")
        quoted = '"' + theirs.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return {"GIT_OBJECT_DIRECTORY": self._store_folder, "GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted}

    @cached_property
    def _store_folder(self) -> str:
        folder = self.folder / "objects"
        folder.mkdir()
        return str(folder)

    def close(self) -> None:
        if "_store_folder" in self.__dict__:
            _emptied(self._store_folder)
        if "folder" in self.__dict__:
            shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name: bytes) -> None:
        """Make an object that was made in memory visible to git here, with all such objects below it."""
        made = self.objects.made.get(name)
        if made is None or name in self._written:
            return
        self._written.add(name)
        for one in (*made.below, made.base):
            self.write(one)
        self._store(name, made)

    def write_tree(self, tree: bytes) -> None:
        """As `write`, for a tree that was made in steps: the trees that it was made from are left out."""
        made = self.objects.made.get(tree)
        if made is None or tree in self._written:
            return
        self._written.add(tree)
        for whole in self.objects.entries(tree).values():
            if below := self.objects.below(whole):
                self.write_tree(below)
            elif (blob := self.objects.entry(whole)[1]) in self.objects.made:
                self.write(blob)
        self._store(tree, made)

    def take_in(self, name: bytes, beside: bytes = b"") -> bool:
        """Take an object that git wrote here into memory; return False when the repository has it anyway.

        Of a tree, what lies below it too; what the tree `beside` has is known already.
        """
        if name in self.objects.made:
            return True
        raw = self._loose(name)
        if raw is None:
            return False
        self._written.add(name)
        kind, _, content = raw.partition(b"\0")
        kind = kind.partition(b" ")[0]
        below = self._below(content, beside) if kind == b"tree" else ()
        self.objects.made[name] = Made(kind, content, below, beside if kind == b"tree" else b"")
        return True

    def _below(self, content: bytes, beside: bytes) -> tuple[bytes, ...]:
        known = self.objects.entries(beside)
        fresh = []
        for name, whole in self.objects.parsed(content).items():
            old = known.get(name)
            oid = self.objects.entry(whole)[1]
            if old != whole and self.take_in(oid, self.objects.below(old) if whole.startswith(TREE) else b""):
                fresh.append(oid)
        return tuple(fresh)

    def _store(self, name: bytes, made: Made) -> None:
        folder, path = self._path(name)
        if folder not in self._folders:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 (pathlib takes as long as the write)
            self._folders.add(folder)
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(file, deflated(b"%s %d\0%s" % (made.kind, len(made.content), made.content)))
        os.close(file)

    def _loose(self, name: bytes) -> bytes | None:
        try:
            with open(self._path(name)[1], "rb", buffering=0) as file:  # noqa: PTH123 (pathlib takes longer than the read)
                return zlib.decompress(file.readall())
        except FileNotFoundError:
            return None

    def _path(self, name: bytes) -> tuple[str, str]:
        digits = name.hex()
        folder = f"{self._store_folder}/{digits[:2]}"
        return folder, f"{folder}/{digits[2:]}"


def place(common_dir: Path) -> Path:
    """Return where such folders are made for a repository."""
    with suppress(OSError):
        if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES:
            return _MEMORY
    ours = common_dir / "gitorch"
    ours.mkdir(exist_ok=True)
    return ours


def _emptied(folder: str) -> None:
    """Remove the files of an object folder, in a fraction of the time that a walk of any tree would take."""
    with suppress(OSError), os.scandir(folder) as fans:
        for fan in fans:
            if fan.is_dir(follow_symlinks=False):
                for name in os.listdir(fan.path):  # noqa: PTH208 (as above)
                    os.unlink(f"{fan.path}/{name}")  # noqa: PTH108 (as above)
                os.rmdir(fan.path)  # noqa: PTH106


def _sweep(above: Path) -> None:
    """Remove what a killed merge left behind."""
    for path in _ours(above):
        owner = re.match(rf"{_NAME}(\d+)-", path.name)
        if owner and not _lives(int(owner[1])):
            shutil.rmtree(path, ignore_errors=True)


def _ours(above: Path) -> Iterable[Path]:
    for path in above.glob(f"{_NAME}*"):
        with suppress(FileNotFoundError):
            if path.stat().st_uid == os.getuid():
                yield path


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
