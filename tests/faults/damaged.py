"""A repository with every file that gitorch ever writes, ways to damage one of them, and a way back."""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from tests.support.cli import OBEDIENT, Answer, Cli, does, saved
from tests.support.git import git

_CONFIG = OBEDIENT + '[checks]\nunit = "true"\n'
_ENVIRONMENT = {"GITORCH_SANDBOX_MODE": "off"}
GARBAGE = b"\x00\xff{not json\n" * 7
_CLONED = "tests.faults.damaged:without_override"


def build(folder: Path) -> Cli:
    """Return a command line in a new world: an evening, a night and a morning, with a bit of everything."""
    cli = Cli(folder, _CONFIG, **_ENVIRONMENT)
    cli.queue(
        does("Alpha", saved("a.txt", "a"), id="alpha"),
        does("Beta", saved("b.txt", "b"), id="beta"),
        does("Gamma", saved("c.txt", "c"), id="gamma"),
        does("Delta", f"git config --file '{folder}/.git/config' demo.key value", "exit 3", id="delta"),
    )
    cli.run(ok=6)
    cli("approve", "gamma")
    cli("merge")
    cli("approve", "alpha")
    cli("context", "add", "a note for others")
    cli("plan", "--heuristic", "--no-input", "Add a login page and a logout button")
    cli("plan", "--heuristic", "--no-input", "Write the documentation of the API")
    cli("reject", "delta")
    return cli


class Kept:
    """The files of some folders at one moment: what has changed since, and back to it."""

    def __init__(self, *folders: Path) -> None:
        self.folders = folders
        self._entries = dict(self._walk())
        self._content = {path: _content(path) for path in self._entries}

    def changed(self) -> set[Path]:
        """Return the paths that were made, changed or removed since."""
        now = dict(self._walk())
        return {path for path in now.keys() | self._entries.keys() if now.get(path) != self._entries.get(path)}

    def restore(self) -> None:
        """Put everything back."""
        for path in sorted(self.changed(), reverse=True):
            _remove(path)
        for path in sorted(self._entries):
            if not os.path.lexists(path):
                _make(path, self._content[path], self._entries[path])
        for path in self.changed():
            self._entries[path] = _identity(path.lstat())

    def content(self, path: Path) -> bytes:
        """Return what a file had."""
        return self._content[path] or b""

    def _walk(self) -> Iterator[tuple[Path, tuple[int, ...]]]:
        pending = [*self.folders]
        while pending:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    path = Path(entry.path)
                    yield path, _identity(entry.stat(follow_symlinks=False))
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(path)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    if stat.S_ISDIR(status.st_mode):
        return (status.st_mode,)
    return status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns


def _content(path: Path) -> bytes | None:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    return path.read_bytes() if path.is_file() else None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _make(path: Path, content: bytes | None, identity: tuple[int, ...]) -> None:
    mode = identity[0]
    if stat.S_ISDIR(mode):
        path.mkdir()
    elif stat.S_ISLNK(mode):
        path.symlink_to(os.fsdecode(content or b""))
        return
    else:
        path.write_bytes(content or b"")
        os.utime(path, ns=(identity[3], identity[3]))
    path.chmod(stat.S_IMODE(mode))


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    elsewhere = path.parents[-2] / "elsewhere"
    elsewhere = Path(os.environ["HOME"]) / "elsewhere"
    elsewhere.write_text("of the user\n")
    path.unlink()
    path.symlink_to(elsewhere)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


DAMAGES: Mapping[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": _cut,
    "garbage": lambda path: path.write_bytes(GARBAGE),
    "folder": _folder,
    "unreadable": lambda path: path.chmod(0),
    "link": _link,
    "pipe": _pipe,
    "device": _device,
    "large": lambda path: os.truncate(path, 1 << 40),
    "nested": lambda path: path.write_bytes(b"[" * 200_000),
}

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "status": ("status",),
    "task": ("task", "alpha"),
    "review": ("review", "--list"),
    "undo": ("undo", "--list"),
    "doctor": ("doctor",),
    "plans": ("plan", "list"),
    "dry": ("merge", "-n"),
    "approve": ("approve", "beta"),
    "run": ("run",),
}


class World(msgspec.Struct, frozen=True):
    """The built repository, its state folder, and what it held."""

    cli: Cli
    state: Path
    kept: Kept

    def do(self, command: str) -> Answer:
        """Run one of the commands without the right of root to read everything."""
        return self.cli(*COMMANDS[command], ok=range(256), env={"GITORCH_TEST_HOOK": _CLONED})

    def files(self) -> list[str]:
        """Return every file of the state folder, by its path in it."""
        return sorted(str(path.relative_to(self.state)) for path in self.state.rglob("*") if path.is_file())


def world(folder: Path) -> World:
    """Build one from a repository."""
    cli = build(folder)
    home = Path(cli.environment["XDG_CONFIG_HOME"])
    return World(cli, folder / ".git" / "gitorch", Kept(folder, home, folder.with_name(f"{folder.name}.orch")))


def without_override() -> None:
    """Give up root's right to read and write everything, for this process and those that it starts."""
    if os.geteuid():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    no_root = 0x3  # SECBIT_NOROOT, locked: a program that is started does not get the right back
    assert libc.prctl(28, no_root, 0, 0, 0) == 0
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    assert libc.capset(header, (ctypes.c_uint32 * 6)()) == 0


__all__ = ["COMMANDS", "DAMAGES", "GARBAGE", "Kept", "World", "build", "git", "world"]
