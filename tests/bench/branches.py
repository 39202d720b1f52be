"""Repositories of any size with many branches on them, for benchmarks: the same every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gitorch.model.naming import Oid
from gitorch.replay import CommitRange
from tests.support.git import git

_LINES = 60
_IN_A_FOLDER = 40


class Made(msgspec.Struct, frozen=True):
    """A repository with branches `task/N` that all start on `main`, and how many of them clash with an earlier one."""

    folder: Path
    onto: Oid
    owns: tuple[CommitRange, ...]


def make(folder: Path, *, files: int, branches: int, clashing: float = 0.0, seed: int = 1) -> Made:
    """Make a repository of `files` files in folders of forty, and branches of one to three small commits.

    So that every branch has to be replayed, `main` has one commit more than they start on. A `clashing` part of the
    branches changes the very lines that another one has changed.
    """
    folder.mkdir(parents=True)
    git("init", "--quiet", cwd=folder)
    stream = b"".join(_stream(random.Random(seed), files, branches, clashing))
    git("fast-import", "--quiet", "--date-format=raw", cwd=folder, input=stream)
    git("config", "user.name", "Una User", cwd=folder)
    git("config", "user.email", "una@example.com", cwd=folder)
    base = Oid(git("rev-parse", "main~1", cwd=folder))
    tips = git("for-each-ref", "--format=%(objectname)", "--sort=version:refname", "refs/heads/task", cwd=folder)
    owns = tuple(CommitRange(base, Oid(tip)) for tip in tips.splitlines())
    return Made(folder, Oid(git("rev-parse", "main", cwd=folder)), owns)


def _path(number: int) -> str:
    folder = number // _IN_A_FOLDER
    return f"src/part{folder // 40}/module{folder}/file{number}.py"


def _content(number: int) -> list[bytes]:
    return [b"value_%d_%d = %d\n" % (number, line, line) for line in range(_LINES)]


def _stream(dice: random.Random, files: int, branches: int, clashing: float) -> Iterator[bytes]:
    yield from _commit(b"refs/heads/main", "Start", None, {_path(n): b"".join(_content(n)) for n in range(files)})
    yield from _commit(b"refs/heads/main", "Later", None, {"README.md": b"later\n"})
    hot = [dice.randrange(files) for _ in range(max(1, branches // 20))]
    for number in range(branches):
        ref = b"refs/heads/task/%03d" % number
        known: dict[int, list[bytes]] = {}
        for step in range(dice.randint(1, 3)):
            edits = {dice.randrange(files): dice.randrange(_LINES) for _ in range(dice.randint(1, 3))}
            if step == 0 and dice.random() < clashing:
                edits[dice.choice(hot)] = 7
            for file, line in edits.items():
                known.setdefault(file, _content(file))[line] = b"changed by %d at step %d\n" % (number, step)
            changed = {_path(file): b"".join(known[file]) for file in edits}
            if dice.random() < 0.2:
                changed[f"src/part0/added_{number}_{step}.py"] = b"added\n"
            start = b"from :1\n" if step == 0 else None
            yield from _commit(ref, f"Work {number}, step {step}", start, changed)


def _commit(ref: bytes, subject: str, start: bytes | None, files: dict[str, bytes]) -> Iterator[bytes]:
    message = f"{subject}\n\nWith a body.\n".encode()
    mark = b"mark :1\n" if subject == "Start" else b""
    yield b"commit %s\n%sauthor A <a@example.com> 1600000000 +0000\ncommitter C <c@example.com> 1600000000 +0000\n" % (
        ref,
        mark,
    )
    yield b"data %d\n%s\n%s" % (len(message), message, start or b"")
    for path, content in files.items():
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)
    yield b"\n"
