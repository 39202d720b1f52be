"""Conflicts that were solved once: whole files by their three sides, and hunks by git's own `rerere`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gitorch.git.lockfiles import SCRATCH
from gitorch.git.repository import RefsMoved, Repository
from gitorch.model.naming import OWN_REFS, Oid, Ref, TaskId
from gitorch.model.refs import RefUpdate
from gitorch.storage import locks

if TYPE_CHECKING:
    from gitorch.replay import Conflicted

RESOLVED = Ref(f"{OWN_REFS}resolved")
"""A commit whose tree holds the solved files, so that they stay: the name of each is the hash of its three sides."""

_TRIES = 10


class Sides(msgspec.Struct, frozen=True):
    """The three versions of a file in conflict; no base where both sides added it."""

    base: Oid | None
    ours: Oid
    theirs: Oid

    @property
    def place(self) -> str:
        """Where the solved file is kept. Which side is whose does not matter."""
        import hashlib

        words = " ".join((self.base or "-", *sorted((self.ours, self.theirs))))
        name = hashlib.sha256(words.encode()).hexdigest()
        return f"{name[:2]}/{name[2:]}"


class OpenConflict(msgspec.Struct, frozen=True):
    """A conflict that nobody has solved yet: whose, of which tip, and the three sides of each file."""

    task: TaskId
    tip: Oid
    files: dict[str, Sides]


def sides(conflict: Conflicted) -> dict[str, Sides | None]:
    """Return the sides of each file in conflict; None for what is not the same ordinary file on both sides."""
    by_path: dict[str, dict[int, tuple[str, Oid]]] = {path: {} for path in conflict.paths}
    for stage in conflict.stages:
        by_path.setdefault(stage.path, {})[stage.number] = (stage.mode, stage.blob)
    return {path: _sides(stages) for path, stages in by_path.items()}


def _sides(stages: Mapping[int, tuple[str, Oid]]) -> Sides | None:
    if not {2, 3} <= stages.keys() or not all(mode.startswith("100") for mode, _ in stages.values()):
        return None
    if stages[2][0] != stages[3][0]:
        return None
    return Sides(stages[1][1] if 1 in stages else None, stages[2][1], stages[3][1])


class Memory:
    """Solved files by the exact contents of their three sides, under `refs/gitorch/resolved`."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._known: dict[str, Oid] | None = None

    def recall(self, wanted: Mapping[str, Sides]) -> dict[str, Oid]:
        """Return the solved files that are known, by path. All is read once, however many conflicts there are."""
        if self._known is None:
            self._known = self._all()
        return {path: self._known[one.place] for path, one in wanted.items() if one.place in self._known}

    def _all(self) -> dict[str, Oid]:
        answer = self.repository.git("ls-tree", "-r", "-z", RESOLVED, ok=(0, 128))
        entries = (entry.partition("\t") for entry in answer.fields()) if answer.code == 0 else ()
        return {place: Oid(words.split(" ")[2]) for words, _, place in entries}

    def learn(self, solved: Mapping[Sides, Oid]) -> None:
        """Remember solved files; what was learned first of a conflict is replaced."""
        self._known = None
        for remaining in reversed(range(_TRIES)):
            tip = self.repository.read_ref(RESOLVED)
            known = self.repository.object_ids(*(f"{RESOLVED}:{one.place}" for one in solved)) if solved else []
            if known == list(solved.values()):
                return
            try:
                self.repository.update_refs(
                    [RefUpdate(RESOLVED, self._build(solved, tip), tip)], "remember resolutions"
                )
            except RefsMoved:
                if not remaining:
                    raise
            else:
                return

    def _build(self, solved: Mapping[Sides, Oid], tip: Oid | None) -> Oid:
        # the scratch ref takes the commit up within this one process, and is never written
        words = b"gitorch resolutions\n"
        stream = [f"feature done\ncommit {SCRATCH}\nmark :1\ncommitter {self.repository.committer()}\n".encode()]
        stream += [b"data %d\n%s\n" % (len(words), words), f"from {tip}\n".encode() if tip else b""]
        stream += [f"M 100644 {blob} {one.place}\n".encode() for one, blob in solved.items()]
        zero = "0" * len(next(iter(solved.values())))
        stream.append(f"\nget-mark :1\nreset {SCRATCH}\nfrom {zero}\n\ndone\n".encode())
        answer = self.repository.git("fast-import", "--quiet", "--done", "--date-format=raw", input=b"".join(stream))
        return Oid(answer.text.split("\n")[-1])


class Hunks:
    """Solved hunks, wherever they come again: git's `rerere`, with a cache of gitorch's own.

    `rerere` works on an index and files, and keeps its cache in the repository's git folder. That of the user's stays
    theirs: this has a small git folder of its own, which borrows the repository's objects.
    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.folder = repository.common_dir / "gitorch" / "rerere"

    def recall(self, wanted: Mapping[str, Sides]) -> dict[str, Oid]:
        """Return the files whose hunks were all solved before, solved, by path."""
        if not wanted or not (self.folder / "rr-cache").is_dir():
            return {}
        with self._conflict(list(wanted.values())) as (top, names):
            self._rerere(top)
            left = set(self._rerere(top, "remaining").split("\n"))
            solved = {path: top / name for path, name in zip(wanted, names, strict=True) if name and name not in left}
            return {path: self._stored(file) for path, file in solved.items() if not is_marked(file.read_bytes())}

    def learn(self, solved: Mapping[Sides, Oid]) -> None:
        """Remember how the hunks of these files were solved."""
        if not solved:
            return
        with self._conflict(list(solved)) as (top, names):
            self._rerere(top)
            for name, blob in zip(names, solved.values(), strict=True):
                if name:
                    (top / name).write_bytes(self.repository.git("cat-file", "blob", blob).stdout)
            self._rerere(top)

    def _rerere(self, top: Path, *words: str) -> str:
        return self._git(top, "-c", "rerere.enabled=true", "-c", "rerere.autoUpdate=false", "rerere", *words)

    def _git(self, top: Path, *words: str, input: bytes | None = None) -> str:
        plain = ("-c", "core.autocrlf=false", "-c", "core.attributesFile=/dev/null", "-c", "merge.conflictStyle=merge")
        env = {"GIT_INDEX_FILE": str(top.parent / "index")} | self.repository.identity()
        return self.repository.git(*plain, *words, input=input, cwd=top, git_dir=self.folder, env=env).text

    @contextmanager
    def _conflict(self, wanted: Sequence[Sides]) -> Iterator[tuple[Path, list[str]]]:
        """Lay conflicts out as files with markers, and yield the folder and each one's name ("": it has no markers)."""
        import tempfile

        with self._turn(), tempfile.TemporaryDirectory(prefix="gitorch-") as folder:
            top = Path(folder, "files")
            top.mkdir()
            names = [f"f{number}" for number in range(len(wanted))]
            stages = (
                f"100644 {blob} {number}\t{name}\n"
                for name, one in zip(names, wanted, strict=True)
                for number, blob in enumerate((one.base, one.ours, one.theirs), start=1)
                if blob
            )
            self._git(top, "update-index", "--index-info", input="".join(stages).encode())
            self._git(top, "checkout", "--quiet", "--merge", "--", *names)
            yield top, [name if is_marked((top / name).read_bytes()) else "" for name in names]

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the cache for one user of it; what a killed one left of its turn is gone first."""
        with (
            locks.file_lock(self.folder / "gitorch.lock") as file,
            self.repository.inherit_lock(file, all_threads=False),
        ):
            self._make()
            for name in ("MERGE_RR", "MERGE_RR.lock"):
                (self.folder / name).unlink(missing_ok=True)
            yield

    def _make(self) -> None:
        alternates = self.folder / "objects" / "info" / "alternates"
        if alternates.exists():
            return
        format_ = self.repository.git("rev-parse", "--show-object-format").text
        self.repository.git(
            "init", "--quiet", "--bare", "--template=", f"--object-format={format_}", git_dir=self.folder
        )
        alternates.parent.mkdir(exist_ok=True)
        alternates.write_bytes(os.fsencode(self.repository.common_dir / "objects") + b"\n")

    def _stored(self, file: Path) -> Oid:
        return Oid(self.repository.git("hash-object", "-w", "--stdin", input=file.read_bytes()).text)


def is_marked(content: bytes) -> bool:
    """Tell whether a file has conflict markers of git's."""
    starts = [line[:8] for line in content.split(b"\n")]
    return b"<<<<<<< " in starts and b">>>>>>> " in starts
