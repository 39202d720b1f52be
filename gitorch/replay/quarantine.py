"""A folder of tentative objects, which git processes see together with the repository's; deleted after a merge."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gitorch.git.repository import Repository, quoted_path
from gitorch.git.writing.pack_format import NewObject, store
from gitorch.replay.objects import SUBMODULE, TREE, Objects

_PREFIX = "gitorch-objects-"
_MEMORY = Path("/dev/shm")  # noqa: S108
_MIN_FREE_BYTES = 512 * 2**20


class Quarantine:
    """Objects that git processes see together with the repository's, and nobody else."""

    def __init__(self, repository: Repository, objects: Objects) -> None:
        self.repository = repository
        self.objects = objects
        # both folders are made when they are needed
        self._folder: Path | None = None
        self._object_folder = ""
        self._written: set[bytes] = set()
        self._fan_folders: set[str] = set()

    @property
    def folder(self) -> Path:
        """The folder, in memory if there is room for it: creating files on a disk is most of a merge's cost."""
        if self._folder is None:
            root = quarantine_root(self.repository.common_dir)
            _remove_stale(root)
            self._folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=root))
        return self._folder

    @property
    def _objects_path(self) -> str:
        if not self._object_folder:
            folder = self.folder / "objects"
            folder.mkdir()
            self._object_folder = str(folder)
        return self._object_folder

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which git reads and writes objects here, and reads the repository's."""
        objects = quoted_path(self.repository.common_dir / "objects")
        return {"GIT_OBJECT_DIRECTORY": self._objects_path, "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects}

    def remove_unloaded(self) -> None:
        """Delete the files of merges that nobody has loaded: git writes them again if another merge makes the same."""
        with os.scandir(self._objects_path) as folders:
            for fan in (folder for folder in folders if len(folder.name) == 2):
                for name in os.listdir(fan.path):  # noqa: PTH208 (as below)
                    if bytes.fromhex(fan.name + name) not in self._written:
                        os.unlink(f"{fan.path}/{name}")  # noqa: PTH108 (as below)

    def close(self) -> None:
        """Delete the folder, if there is one."""
        if self._object_folder:
            _empty(self._object_folder)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def write(self, name: bytes) -> None:
        """Make an object of memory visible to git, with all new objects that it refers to."""
        new = self.objects.new.get(name)
        if new is None or name in self._written:
            return
        self._written.add(name)
        for child in (*new.children, new.base):
            self.write(child)
        self._store(name, new)

    def write_tree(self, tree: bytes) -> None:
        """As `write`, for a tree that was made in steps: the trees that it was made from are left out."""
        new = self.objects.new.get(tree)
        if new is None or tree in self._written:
            return
        self._written.add(tree)
        for record in self.objects.entries(tree).values():
            if subtree := self.objects.subtree(record):
                self.write_tree(subtree)
            elif (blob := self.objects.entry(record)[1]) in self.objects.new:
                self.write(blob)
        self._store(tree, new)

    def load(self, name: bytes) -> None:
        """Load a file that git wrote here into memory, if it did."""
        if name not in self.objects.new and (content := self._read(name)) is not None:
            self._add(name, NewObject(b"blob", content))

    def load_tree(self, name: bytes, *similar: bytes) -> None:
        """Load a tree that git made into memory, with all that no similar tree has at the same place.

        git writes nothing here that the repository has: that is loaded, too, since no ref may lead to it.
        """
        if name in self.objects.new:
            return
        content = self._content(name)
        existing = [self.objects.entries(tree) for tree in similar]
        children = []
        for path, record in self.objects.parse_tree(content).items():
            old = [entries.get(path) for entries in existing]
            if record in old or record.startswith(SUBMODULE):
                continue
            child = self.objects.entry(record)[1]
            children.append(child)
            if record.startswith(TREE):
                self.load_tree(child, *map(self.objects.subtree, old))
            elif child not in self.objects.new:
                self._add(child, NewObject(b"blob", self._content(child)))
        self._add(name, NewObject(b"tree", content, tuple(children), similar[0] if similar else b""))

    def _add(self, name: bytes, new: NewObject) -> None:
        self._written.add(name)  # git sees it, here or in the repository
        self.objects.new[name] = new

    def _content(self, name: bytes) -> bytes:
        content = self._read(name)
        return self.objects.read(name) if content is None else content

    def _store(self, name: bytes, new: NewObject) -> None:
        folder, path = self._path(name)
        if folder not in self._fan_folders:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 (pathlib takes as long as the write)
            self._fan_folders.add(folder)
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(file, store(b"%s %d\0%s" % (new.kind, len(new.content), new.content)))
        os.close(file)

    def _read(self, name: bytes) -> bytes | None:
        try:
            with open(self._path(name)[1], "rb", buffering=0) as file:  # noqa: PTH123 (pathlib takes longer than the read)
                return zlib.decompress(file.readall()).partition(b"\0")[2]
        except FileNotFoundError:
            return None

    def _path(self, name: bytes) -> tuple[str, str]:
        digits = name.hex()
        folder = f"{self._object_folder or self._objects_path}/{digits[:2]}"
        return folder, f"{folder}/{digits[2:]}"


def quarantine_root(common_dir: Path) -> Path:
    """Return where such folders are made for a repository."""
    with suppress(OSError):
        if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _MIN_FREE_BYTES:
            return _MEMORY
    folder = common_dir / "gitorch"
    folder.mkdir(exist_ok=True)
    return folder


def _empty(folder: str) -> None:
    """Remove the files of an object folder, in a fraction of the time that walking any tree would take."""
    with suppress(OSError), os.scandir(folder) as fans:
        for fan in fans:
            if fan.is_dir(follow_symlinks=False):
                for name in os.listdir(fan.path):  # noqa: PTH208 (as above)
                    os.unlink(f"{fan.path}/{name}")  # noqa: PTH108 (as above)
                os.rmdir(fan.path)  # noqa: PTH106


def _remove_stale(root: Path) -> None:
    """Remove what killed merges left behind."""
    for path in _own_folders(root):
        process = re.match(rf"{_PREFIX}(\d+)-", path.name)
        if process and not _is_running(int(process[1])):
            shutil.rmtree(path, ignore_errors=True)


def _own_folders(root: Path) -> Iterable[Path]:
    for path in root.glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):
            if path.stat().st_uid == os.getuid():
                yield path


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
