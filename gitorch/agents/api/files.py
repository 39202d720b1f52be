"""Access to the files of one worktree, and to nothing else: paths are resolved, then opened without following links.

A path is resolved first, so that a link which stays inside works as usual. Then every component is opened separately,
relative to the folder before it and with `O_NOFOLLOW`: a link that appears after the check makes the open fail, and
cannot lead outside. Only regular files are read or replaced. `.git` is hidden.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from gitorch.storage import atomic

MAX_BYTES = 10_000_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class Refusal(Exception):
    """A request of the model that is impossible or not allowed; the text says why."""


class Files:
    """The files under `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve(strict=True)

    def is_folder(self, path: str) -> bool:
        """Return whether `path` names a folder."""
        parts = self._parts(path)
        if not parts:
            return True
        with self.folder(parts[:-1], path) as folder:
            return stat.S_ISDIR(_status(folder, parts[-1], path).st_mode)

    def read(self, path: str) -> str:
        """Return the text of a file, byte for byte; refuse what is not UTF-8 text."""
        *parents, name = self._file_parts(path)
        with self.folder(parents, path) as folder:
            content = _content(folder, name, path)
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refusal(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}): use bash") from None
        if "\0" in text:
            raise Refusal(f"{path} is a binary file: use bash")
        return text

    def write(self, path: str, text: str) -> bool:
        """Write `text` to `path` atomically, and create its folders; return whether the file existed."""
        *parents, name = self._file_parts(path)
        with self.folder(parents, path, create=True) as folder:
            before = _status_or_none(folder, name)
            if before is not None and not stat.S_ISREG(before.st_mode):
                raise Refusal(f"{path} is not a regular file")
            mode = None if before is None else stat.S_IMODE(before.st_mode)
            atomic.replace_in(folder, name, text.encode("utf-8"), mode=mode, durable=False, concurrent=True)
        return before is not None

    def listing(self, path: str, *, depth: int) -> Iterator[str]:
        """Yield the entries under a folder, sorted, `depth` levels deep, folders with a slash; never through links."""
        with self.folder(self._parts(path), path) as folder:
            yield from _entries(folder, "", depth)

    @contextlib.contextmanager
    def folder(self, parts: Sequence[str], path: str, *, create: bool = False) -> Iterator[int]:
        """Open the folder `parts` under the root, without following links; `path` is its name in refusals."""
        current = os.open(self.root, _FOLDER)
        try:
            for part in parts:
                child = _open_folder(current, part, path, create=create)
                os.close(current)
                current = child
            yield current
        finally:
            os.close(current)

    def _file_parts(self, path: str) -> tuple[str, ...]:
        parts = self._parts(path)
        if not parts:
            raise Refusal(f"{path} is the worktree itself, not a file")
        return parts

    def _parts(self, path: str) -> tuple[str, ...]:
        if not path or "\0" in path:
            raise Refusal("the path is empty or holds a NUL character")
        try:
            resolved = Path(os.path.realpath(self.root / path))
            parts = resolved.relative_to(self.root).parts
        except (ValueError, OSError):
            raise Refusal(f"{path} is outside of the worktree {self.root}") from None
        # case-insensitive: on some file systems .GIT is the same folder
        if any(part.casefold() == ".git" for part in parts):
            raise Refusal(f"{path} is in .git: use git commands")
        return parts


def _open_folder(parent: int, name: str, path: str, *, create: bool) -> int:
    if create:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent)
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        raise Refusal(f"{path} does not exist") from None
    except OSError as error:
        raise Refusal(f"{path}: {name} cannot be entered ({os.strerror(error.errno or 0)})") from None


def _content(folder: int, name: str, path: str) -> bytes:
    # checked before it is opened: to open a device can have side effects
    _regular(_status(folder, name, path), path)
    try:
        opened = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({os.strerror(error.errno or 0)})") from None
    with os.fdopen(opened, "rb") as file:
        _regular(os.fstat(file.fileno()), path)
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Refusal(f"{path} is larger than {MAX_BYTES} bytes: use bash")
    return content


def _regular(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Refusal(f"{path} is not a regular file")


def _status(folder: int, name: str, path: str) -> os.stat_result:
    status = _status_or_none(folder, name)
    if status is None:
        raise Refusal(f"{path} does not exist")
    return status


def _status_or_none(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _entries(folder: int, prefix: str, depth: int) -> Iterator[str]:
    for name in sorted(os.listdir(folder)):
        if name.casefold() == ".git":
            continue
        status = _status_or_none(folder, name)
        if status is None:
            continue
        entry = prefix + _printable(name)
        if not stat.S_ISDIR(status.st_mode):
            yield entry + ("@" if stat.S_ISLNK(status.st_mode) else "")
            continue
        yield entry + "/"
        if depth > 1 and name != "node_modules":
            with _entered(folder, name) as child:
                yield from _entries(child, entry + "/", depth - 1)


@contextlib.contextmanager
def _entered(parent: int, name: str) -> Iterator[int]:
    opened = _open_folder(parent, name, name, create=False)
    try:
        yield opened
    finally:
        os.close(opened)


def _printable(name: str) -> str:
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else ascii(text)
